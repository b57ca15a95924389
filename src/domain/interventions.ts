/** What a person does to a rollout under way: another weight, its promotion, its end. Edits of the rollout; the rest follows. Pure. */
import { isHeld } from './canary.js';
import { rolloutUnderWay } from './fleet.js';
import { abortRollout } from './rollout.js';
import type { Effect, Fleet, InterventionRefusal, Rollout } from './types.js';

/** @param weight 0 to 99; 100 is the promotion */
export function requestWeight(fleet: Fleet, weight: number, effects: Effect[]): InterventionRefusal | undefined {
  const held = heldRollout(fleet);
  if (typeof held === 'string') return held;
  if (weight === 100) {
    promoteHeld(held, effects);
    return undefined;
  }
  if (weight === held.weight) return 'same-weight';
  held.wantedWeight = weight;
  return undefined;
}

export function requestPromotion(fleet: Fleet, effects: Effect[]): InterventionRefusal | undefined {
  const held = heldRollout(fleet);
  if (typeof held === 'string') return held;
  promoteHeld(held, effects);
  return undefined;
}

/** Any rollout that has something to go back to, wherever it hangs. */
export function requestAbort(fleet: Fleet, now: number, effects: Effect[]): InterventionRefusal | undefined {
  if (fleet.stop) return 'stopping';
  const { rollout } = fleet;
  if (!rollout || !rolloutUnderWay(fleet)) return 'no-rollout';
  if (rollout.step === 'aborting') return 'aborting';
  if (rollout.from === null) return 'first-start';
  abortRollout(fleet, 'aborted by hand', null, now, effects);
  return undefined;
}

function heldRollout(fleet: Fleet): Rollout | InterventionRefusal {
  if (fleet.stop) return 'stopping';
  const { rollout } = fleet;
  if (!rollout || !rolloutUnderWay(fleet)) return 'no-rollout';
  if (rollout.step === 'aborting') return 'aborting';
  if (rollout.wantedWeight === null) return 'not-held';
  return isHeld(rollout) ? rollout : 'not-there-yet';
}

/** From here on it is a rollout as any other: workers are worth the same, and the old ones leave as new ones serve. */
function promoteHeld(rollout: Rollout, effects: Effect[]): void {
  rollout.step = 'shifting';
  rollout.weight = null;
  rollout.wantedWeight = null;
  effects.push({
    type: 'progress',
    kind: 'promoting',
    message: `generation ${rollout.to}: promoted; it takes all the traffic over`,
    generation: rollout.to!,
  });
}
