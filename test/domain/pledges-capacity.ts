/** How many serve, live and drain at once. */
import { heldKeys } from '../../src/domain/fleet.js';
import type { Fleet, Rollout, Worker } from '../../src/domain/types.js';
import type { Pledge } from './pledge.js';
import { activeIds, all, confirmedIds, hold, leaving, live, sameRollout, stays, underWay } from './pledge.js';

/**
 * Capacity is the number of workers that accept, have said so, and answer. Three things lower it: a worker that exits or blocks by itself, a stop, and a decision
 * that takes an active worker out of service. The promise is about decisions: after each of them, in the order in which
 * the shell performs them, there are left
 * - of a rollout that goes forward: what the old generation should have had, less `unavailable`;
 * - of a rollout that is promoted: all `instances` of the new generation;
 * - of a rollout that is aborted: what the old generation had when it began, less either policy's `unavailable`, for as long as the
 *   abort waits for it (until `abortBy`);
 * - of a restart: nothing, that is what it is for;
 * - of a rollout that is held at a weight, or on its way there: what the old generation had when it began, less `unavailable`;
 * - of a scale, also of one that is taken back: every worker in a slot that stays;
 * - of a recycling: another one in the slot of each that leaves;
 * and outside of these no decision takes an active worker out at all. A shortage that exits have caused is never
 * deepened: below the floor no active worker is let go. (The weaker form that follows: never below the smaller of the
 * old and the new count less `unavailable`, but for exits.)
 */
export const capacityStaysAboveTheFloor: Pledge = (moment) => {
  const { before, event, after, effects, context } = moment;
  if (after.stop || after.ended) return;
  const active = new Set(confirmedIds(before));
  if (event.type === 'activated') active.add(event.id);
  if (event.type === 'exited' || event.type === 'unresponsive' || event.type === 'leaving') active.delete(event.id);
  const rollout = sameRollout(moment);
  let floor = rollout ? floorOf(rollout, after) : Number.POSITIVE_INFINITY;
  const isSurplus = (id: number): boolean => !rollout && isOutOfSlots(after, id);
  const givenUp = rollout?.abortBy != null && context.now >= rollout.abortBy;
  for (const effect of effects) {
    if (effect.type === 'rollout-ended' && effect.rollout.outcome === 'succeeded')
      floor = after.generations[effect.rollout.to!]!.policy.instances;
    if (effect.type !== 'retire' && effect.type !== 'park' && effect.type !== 'kill') continue;
    if (!active.delete(effect.id) || givenUp) continue;
    if (isSurplus(effect.id)) continue;
    if (before.workers[effect.id]!.recycling && isServedByAnother(after, effect.id, active)) continue;
    hold(effect.type !== 'kill', `an active worker is drained before it is killed (worker ${effect.id})`);
    hold(active.size >= floor, `a decision left ${active.size} active workers, the floor is ${floor}`);
  }
};

function isServedByAnother({ workers }: Fleet, id: number, active: Set<number>): boolean {
  const { generation, slot } = workers[id]!;
  return [...active].some((other) => workers[other]?.generation === generation && workers[other].slot === slot);
}

function isOutOfSlots(fleet: Fleet, id: number): boolean {
  const worker = fleet.workers[id];
  return worker?.generation === fleet.serving && !fleet.generations[worker.generation]!.slots.includes(worker.slot);
}

function floorOf(rollout: Rollout, fleet: Fleet): number {
  if (rollout.from === null || rollout.alone) return 0;
  const aborted = rollout.step === 'aborting' || rollout.outcome === 'failed' || rollout.step === 'canary';
  const [old, coming] = [rollout.from, rollout.to ?? rollout.from].map(
    (number) => fleet.generations[number]?.policy.unavailable ?? 0,
  ) as [number, number];
  return aborted ? rollout.servedSlots.length - Math.max(old, coming) : rollout.fromSlots.length - coming;
}

export const atMostTwoGenerationsServe: Pledge = ({ after }) => {
  const serving = new Set(activeIds(after).map((id) => after.workers[id]!.generation));
  hold(serving.size <= 2, `generations ${[...serving].join(', ')} serve at once`);
};

/** With an old generation serving, the workers of an atomic rollout take traffic all in one step; of one that is held, all that its weight needs. */
export const anAtomicSwitchIsOneStep: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (!rollout || rollout.from === null || rollout.alone) return;
  if (rollout.step !== 'booting' && rollout.step !== 'canary' && rollout.step !== 'shifting') return;
  const { number, policy, slots } = moment.after.generations[rollout.to!]!;
  const isOfIt = (id: number): boolean => moment.after.workers[id]!.generation === number;
  if (!policy.atomic || !moment.effects.some((effect) => effect.type === 'activate' && isOfIt(effect.id))) return;
  const serving = activeIds(moment.after).filter(isOfIt).length;
  const whole = rollout.wantedWeight === null ? policy.instances : slots.length;
  hold(serving === whole, `${serving} of ${whole} workers of an atomic rollout serve before the others`);
};

/**
 * A rollout does not start to boot while `maxDraining` other generations (neither the one it comes from nor itself) have
 * workers that drain or are killed. From this follows that, the serving and the coming generation left aside, never more
 * generations drain than the largest `maxDraining` of any policy so far. The way back to parked workers boots nothing and waits
 * for nobody: after it, one more.
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
  const wakes = rollout?.kind === 'rollback' && before.warm !== null && rollout.to === before.warm.generation;
  if (wakes) world.hasWoken = true;
  if (rollout && boots(rollout.step) && !wakes && !(before.rollout?.id === rollout.id && boots(before.rollout.step)))
    hold(
      drainingBeside(rollout.from, rollout.to) < after.generations[rollout.to!]!.policy.maxDraining,
      `generation ${rollout.to} boots while ${drainingBeside(rollout.from, rollout.to)} others drain`,
    );
  const coming = underWay(rollout) ? rollout.to : null;
  const draining = drainingBeside(after.serving, coming);
  hold(draining <= world.largestMaxDraining + (world.hasWoken ? 1 : 0), `${draining} generations drain at once`);
};

/** Live workers of both generations while a rollout goes forward. An abort has a promise of its own. */
export const surgeIsKept: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (!rollout || !['booting', 'canary', 'shifting'].includes(rollout.step)) return;
  keepsToSurge(moment.after, rollout);
};

/** The spare room a user has granted is not overdrawn by bringing the old generation back either. */
export const anAbortKeepsToTheSurge: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (rollout?.step === 'aborting' && rollout.to !== null && !moment.after.stop) keepsToSurge(moment.after, rollout);
};

/** A canary stands beside all of the old ones. */
function keepsToSurge(fleet: Fleet, { alone, from, to, fromSlots, wantedWeight, backTo }: Rollout): void {
  if (from === null) return;
  const { instances, surge, atomic, keepWarmMs } = fleet.generations[to!]!.policy;
  let cap = alone
    ? Math.max(fromSlots.length, instances)
    : atomic || wantedWeight !== null || keepWarmMs > 0 || to === backTo // Who keeps the old ones warm has room for both.
      ? fromSlots.length + instances
      : Math.max(fromSlots.length, instances) + surge;
  if (wantedWeight !== null && !atomic) cap = Math.max(cap, Math.max(fromSlots.length, instances) + surge);
  const workers = all(fleet).filter(
    (worker) => live(worker) && stays(worker) && (worker.generation === from || worker.generation === to),
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

/** No worker of the one runs beside a worker of the other, on the way there and on the way back. */
export const aRestartNeverOverlaps: Pledge = ({ after }) => {
  const { rollout } = after;
  if (!underWay(rollout) || !rollout.alone || after.stop) return;
  const generations = new Set(all(after).map(({ generation }) => generation));
  hold(
    rollout.to === null || !generations.has(rollout.to) || generations.size === 1,
    `generations ${[...generations]} run at once in a restart`,
  );
};

/** A worker that does not answer any more, or is recycled, is retired only once its replacement serves, or for another reason. */
export const aReplacementComesFirst: Pledge = ({ before, after, effects }) => {
  for (const effect of effects) {
    const status = effect.type === 'retire' ? after.workers[effect.id]?.status : undefined;
    if (effect.type !== 'retire' || status?.state !== 'draining') continue;
    if (status.reason !== 'unresponsive' && status.reason !== 'recycled') continue;
    if (before.workers[effect.id]!.status.state === 'draining') continue; // A stop hurries it.
    const { generation, slot } = before.workers[effect.id]!;
    const replaced = all(after).some(
      (other) => other.generation === generation && other.slot === slot && confirmedIds(after).includes(other.id),
    );
    hold(replaced, `worker ${effect.id} is retired before its replacement serves`);
  }
};

/** Beside a worker that is recycled nobody else is, from the fork of its successor until it has gone or has drained for 30 s; and it is begun only while nothing else changes what runs. */
export const recyclingIsOneAtATime: Pledge = ({ before, event, after, context: { now } }) => {
  if (after.ended) return;
  const isByHand = event.type === 'recycle-requested';
  const [was, is] = [before, after].map((fleet) => all(fleet).filter(({ recycling }) => recycling)) as [
    Worker[],
    Worker[],
  ];
  const begun = is.filter(({ id }) => !before.workers[id]?.recycling);
  hold(is.filter(live).length <= 1, `workers ${is.map(({ id }) => id)} are recycled at once`);
  if (begun.length === 0) return;
  const isLong = ({ generation, status }: Worker): boolean =>
    status.state === 'draining' &&
    now >= status.deadlineAt - before.generations[generation]!.policy.drainTimeoutMs + 30_000;
  hold(isByHand || was.every(isLong), `worker ${begun[0]!.id} is recycled before worker ${was[0]?.id} has gone`);
  const serving = after.generations[after.serving!]!;
  hold(
    !underWay(after.rollout) && !after.scaling && !after.stop,
    'nothing is recycled while something else changes what runs',
  );
  hold(!serving.modified, 'nothing is recycled while the folder is another');
  hold(confirmedIds(before).includes(begun[0]!.id), 'what is recycled serves');
};

/** What is recycled crashes nobody: no restart is counted, and no crash, but for a worker that has gone by itself. */
export const recyclingIsNoCrash: Pledge = ({ before, event, after, effects }) => {
  const ends = effects.flatMap((effect) => (effect.type === 'recycle-ended' ? [effect] : []));
  for (const { culprit, generation, slot } of ends) {
    if (event.type === 'unresponsive' || event.type === 'leaving') continue;
    if (event.type === 'exited' && before.workers[event.id]?.recycling) continue; // It has crashed itself.
    const [was, is] = [before, after].map((fleet) => fleet.generations[generation]?.slotState[slot]);
    hold((is?.restarts ?? 0) === (was?.restarts ?? 0), `slot ${slot} counts a restart for a recycling (${culprit})`);
    hold((is?.crashes.length ?? 0) <= (was?.crashes.length ?? 0), `slot ${slot} counts a crash for a recycling`);
  }
};
