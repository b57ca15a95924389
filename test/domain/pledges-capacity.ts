/** How many serve, live and drain at once. */
import { heldKeys } from '../../src/domain/fleet.js';
import type { Fleet, Rollout } from '../../src/domain/types.js';
import type { Pledge } from './pledge.js';
import { activeIds, all, confirmedIds, hold, leaving, live, sameRollout, underWay } from './pledge.js';

/**
 * Capacity is the number of workers that accept and have said so. Three things lower it: a worker that exits by itself, a stop, and a decision
 * that takes an active worker out of service. The promise is about decisions: after each of them, in the order in which
 * the shell performs them, there are left
 * - of a rollout that goes forward: what the old generation should have had, less `unavailable`;
 * - of a rollout that is promoted: all `instances` of the new generation;
 * - of a rollout that is aborted: what the old generation should have had, less either policy's `unavailable`, for as long as the
 *   abort waits for it (until `abortBy`);
 * and outside a rollout no decision takes an active worker out at all. A shortage that exits have caused is never
 * deepened: below the floor no active worker is let go. (The weaker form that follows: never below the smaller of the
 * old and the new count less `unavailable`, but for exits.)
 */
export const capacityStaysAboveTheFloor: Pledge = (moment) => {
  const { before, event, after, effects, context } = moment;
  if (after.stop || after.ended) return;
  const active = new Set(confirmedIds(before));
  if (event.type === 'activated') active.add(event.id);
  if (event.type === 'exited') active.delete(event.id);
  const rollout = sameRollout(moment);
  let floor = rollout ? floorOf(rollout, after) : Number.POSITIVE_INFINITY;
  const givenUp = rollout?.abortBy != null && context.now >= rollout.abortBy;
  for (const effect of effects) {
    if (effect.type === 'rollout-ended' && effect.rollout.outcome === 'succeeded')
      floor = after.generations[effect.rollout.to!]!.policy.instances;
    if ((effect.type !== 'retire' && effect.type !== 'kill') || !active.delete(effect.id) || givenUp) continue;
    hold(effect.type === 'retire', `an active worker is drained before it is killed (worker ${effect.id})`);
    hold(active.size >= floor, `a decision left ${active.size} active workers, the floor is ${floor}`);
  }
};

function floorOf(rollout: Rollout, fleet: Fleet): number {
  if (rollout.from === null) return 0;
  const aborted = rollout.step === 'aborting' || rollout.outcome === 'failed';
  const [old, coming] = [rollout.from, rollout.to ?? rollout.from].map(
    (number) => fleet.generations[number]?.policy.unavailable ?? 0,
  ) as [number, number];
  return rollout.fromSlots.length - (aborted ? Math.max(old, coming) : coming);
}

export const atMostTwoGenerationsServe: Pledge = ({ after }) => {
  const serving = new Set(activeIds(after).map((id) => after.workers[id]!.generation));
  hold(serving.size <= 2, `generations ${[...serving].join(', ')} serve at once`);
};

/** With an old generation serving, the workers of an atomic rollout take traffic all in one step. */
export const anAtomicSwitchIsOneStep: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (!rollout || rollout.from === null || (rollout.step !== 'booting' && rollout.step !== 'shifting')) return;
  const coming = moment.after.generations[rollout.to!]!;
  const serving = activeIds(moment.after).filter((id) => moment.after.workers[id]!.generation === coming.number).length;
  const isWhole = serving === 0 || serving === coming.policy.instances;
  hold(!coming.policy.atomic || isWhole, `${serving} workers of an atomic rollout serve before the others`);
};

/**
 * A rollout does not start to boot while `maxDraining` other generations (neither the one it comes from nor itself) have
 * workers that drain or are killed. From this follows that, the serving and the coming generation left aside, never more
 * generations drain than the largest `maxDraining` of any policy so far.
 */
export const generationsDoNotPileUp: Pledge = ({ before, after }, world) => {
  const drainingBeside = (...besides: (number | null)[]): number =>
    new Set(
      all(after).flatMap((worker) =>
        leaving(worker) && !besides.includes(worker.generation) ? [worker.generation] : [],
      ),
    ).size;
  const { rollout } = after;
  const boots = (step: Rollout['step'] | undefined): boolean => step === 'booting' || step === 'shifting';
  if (rollout && boots(rollout.step) && !(before.rollout?.id === rollout.id && boots(before.rollout.step)))
    hold(
      drainingBeside(rollout.from, rollout.to) < after.generations[rollout.to!]!.policy.maxDraining,
      `generation ${rollout.to} boots while ${drainingBeside(rollout.from, rollout.to)} others drain`,
    );
  const coming = underWay(rollout) ? rollout.to : null;
  const draining = drainingBeside(after.serving, coming);
  hold(draining <= world.largestMaxDraining, `${draining} generations drain at once`);
};

/** Live workers of both generations while a rollout goes forward. An abort has a promise of its own. */
export const surgeIsKept: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (!rollout || (rollout.step !== 'booting' && rollout.step !== 'shifting')) return;
  keepsToSurge(moment.after, rollout);
};

/** The spare room a user has granted is not overdrawn by bringing the old generation back either. */
export const anAbortKeepsToTheSurge: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (rollout?.step === 'aborting' && rollout.to !== null && !moment.after.stop) keepsToSurge(moment.after, rollout);
};

function keepsToSurge(fleet: Fleet, { from, to, fromSlots }: Rollout): void {
  if (from === null) return;
  const { instances, surge, atomic } = fleet.generations[to!]!.policy;
  const cap = atomic ? fromSlots.length + instances : Math.max(fromSlots.length, instances) + surge;
  const workers = all(fleet).filter(
    (worker) => live(worker) && (worker.generation === from || worker.generation === to),
  );
  hold(workers.length <= cap, `${workers.length} workers live, the surge allows ${cap}`);
}

/**
 * The socket outlives every worker: wherever the shell closes the listeners that nobody needs any more, all that the
 * serving generation has served on are kept, also while none of its workers is alive.
 */
export const noServedListenerIsClosed: Pledge = ({ after, effects }, world) => {
  if (after.stop || after.serving === null || !effects.some(({ type }) => type === 'close-listeners')) return;
  const kept = heldKeys(after);
  const lost = [...(world.servedOn.get(after.serving) ?? [])].filter((key) => !kept.has(key));
  hold(lost.length === 0, `generation ${after.serving} serves on ${lost}, which is closed`);
};
