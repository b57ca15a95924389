/** What becomes of events and rollouts. */
import { isDeepStrictEqual } from 'node:util';
import { nextWakeAt } from '../../src/domain/reconcile.js';
import { step } from '../../src/domain/step.js';
import type { Event, Fleet } from '../../src/domain/types.js';
import type { Pledge } from './pledge.js';
import { hold, sameRollout, underWay, verdictOf } from './pledge.js';

const FAR_AHEAD_MS = 1_000_000_000;

export const theFirstCauseWins: Pledge = (moment) => {
  const reason = moment.before.rollout?.reason ?? null;
  const later = sameRollout(moment);
  if (reason === null || !later) return;
  hold(later.reason === reason, `rollout ${later.id} failed by '${reason}', then by '${later.reason}'`);
  hold(later.culprit === moment.before.rollout!.culprit, `rollout ${later.id} keeps its culprit`);
};

/** Only a promotion changes who serves; a failed rollout leaves the old generation in charge of all its slots. */
export const aFailedRolloutChangesNothing: Pledge = (moment) => {
  const { before, after, effects } = moment;
  const verdict = verdictOf(effects);
  const serving = verdict?.outcome === 'succeeded' ? verdict.to : before.serving;
  hold(after.serving === serving, `generation ${serving} serves, not ${after.serving}`);
  if (verdict) hold(before.rollout?.id === verdict.id && underWay(before.rollout), 'a rollout ends once');
  if (verdict?.outcome !== 'failed') return;
  hold(verdict.reason !== null, 'a failed rollout has a reason');
  if (verdict.from === null || after.stop) return;
  // A rollback that begins in the same step has given slots up again: as it begins, they were back.
  const next = effects.find((effect) => effect.type === 'rollout-begun');
  const slots = next ? next.rollout.fromSlots : after.generations[verdict.from]!.slots;
  hold(sorted(slots) === sorted(verdict.fromSlots), `slots ${slots} of ${verdict.fromSlots} are back`);
  if (verdict.to !== null)
    hold((after.generations[verdict.to]?.slots.length ?? 0) === 0, 'the new one has no slot left');
};

const sorted = (slots: number[]): string => `${[...slots].sort((a, b) => a - b)}`;

/** A rollout ends by its verdict and in no other way. */
export const noRolloutIsForgotten: Pledge = (moment) => {
  if (moment.event.type !== 'end-at-once')
    hold(!underWay(moment.before.rollout) || sameRollout(moment) !== null, 'a rollout has vanished');
};

/** An event changes the fleet, or has effects, or is ignored with a reason, or is one of the no-ops below. */
export const noEventIsLost: Pledge = ({ before, event, after, effects, ignored }) => {
  if (ignored !== undefined) hold(ignored.length > 0, 'what is ignored has a reason');
  if (ignored !== undefined || effects.length > 0 || mayComeToNothing(event, before)) return;
  hold(!isDeepStrictEqual(before, after), `${event.type} came to nothing and was not said to be ignored`);
};

function mayComeToNothing(event: Event, fleet: Fleet): boolean {
  switch (event.type) {
    case 'timer': // Nothing was due.
      return true;
    case 'rollout-requested': // Several HUPs count as one.
      return event.source !== 'command' && fleet.reloadQueued !== null;
    case 'release-checked': // As it was known to be.
      return fleet.generations[event.generation]?.modified === event.modified;
    case 'verdict': // As before; or, in a soak, all is well.
    case 'probe-failed':
    case 'ready-message':
    case 'listening': // Said before.
      return true;
    default:
      return false;
  }
}

/** Nothing comes due before the instant at which the core asked to be woken; and what was due has been done at once. */
export const nothingIsDueBeforeTheWake: Pledge = ({ after, context: { now, random } }) => {
  if (after.ended) return;
  const wakeAt = nextWakeAt(after, now);
  const justBefore = wakeAt === null ? now + FAR_AHEAD_MS : Math.max(now, wakeAt - 1);
  const idle = step(after, { type: 'timer' }, { now: justBefore, random });
  hold(
    idle.effects.length === 0,
    `something is due ${justBefore - now} ms on, before the wake: ${JSON.stringify(idle.effects)}`,
  );
};

/** An end is final: it is decided once, and nothing is done after it. */
export const anEndIsFinal: Pledge = ({ before, after, effects, ignored }) => {
  const ends = effects.filter((effect) => effect.type === 'end').length;
  hold(ends === (after.ended && !before.ended ? 1 : 0), `the end is decided once, not ${ends} times`);
  if (before.ended) hold(ignored !== undefined && effects.length === 0, 'after the end nothing is done');
};
