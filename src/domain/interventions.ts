/** What a person does to a rollout under way: another weight, its promotion, its end. Edits of the rollout; the rest follows. Pure. */
import { isHeld, nextStep, pauseCanary, promoteHeld, stepOf } from './canary.js';
import { rolloutUnderWay } from './fleet.js';
import { abortByHand } from './rollout.js';
import type { Effect, Fleet, InterventionRefusal, Rollout } from './types.js';

/** @param weight 0 to 99; 100 is the promotion */
export function requestWeight(fleet: Fleet, weight: number, effects: Effect[]): InterventionRefusal | undefined {
  const held = heldRollout(fleet);
  if (typeof held === 'string') return held;
  if (weight === 100) {
    promoteHeld(held, 'by hand', effects);
    return undefined;
  }
  if (weight === held.weight) return 'same-weight';
  held.wantedWeight = weight;
  held.paused = held.steps.length > 0; // Its own steps would take it elsewhere.
  return undefined;
}

/** To the next step of its canary; `full`, or where it has no steps, to the end. */
export function requestPromotion(fleet: Fleet, full: boolean, effects: Effect[]): InterventionRefusal | undefined {
  const held = heldRollout(fleet);
  if (typeof held === 'string') return held;
  if (full) promoteHeld(held, 'by hand', effects);
  else nextStep(held, 'by hand', effects);
  return undefined;
}

/** Also of one that is on its way to a weight: it stays there once it has come to it. */
export function requestPause(fleet: Fleet, effects: Effect[]): InterventionRefusal | undefined {
  const canary = canaryOf(fleet);
  if (typeof canary === 'string') return canary;
  if (canary.paused || (isHeld(canary) && (stepOf(canary)?.pauseMs ?? null) === null)) return 'paused';
  if (canary.weight === null) return 'not-there-yet';
  pauseCanary(canary, 'by hand', effects);
  return undefined;
}

/** Any rollout that has something to go back to, wherever it hangs. */
export function requestAbort(fleet: Fleet, now: number, effects: Effect[]): InterventionRefusal | undefined {
  if (fleet.stop) return 'stopping';
  const { rollout } = fleet;
  if (!rollout || !rolloutUnderWay(fleet)) return 'no-rollout';
  if (rollout.step === 'aborting') {
    if (rollout.ways.length === 0) return 'aborting';
    rollout.ways = []; // What was next is given up.
    return undefined;
  }
  if (rollout.from === null) return 'first-start';
  dropQueuedReload(fleet, effects);
  abortByHand(fleet, 'aborted by hand', now, effects);
  return undefined;
}

/** Of a rollout that a person gives up: what a HUP asked for before would bring the same code back behind their back. */
export function dropQueuedReload(fleet: Fleet, effects: Effect[]): void {
  const queued = fleet.reloadQueued;
  if (queued === null) return;
  fleet.reloadQueued = null;
  effects.push({
    type: 'progress',
    kind: 'warning',
    message: `the reload that ${queued.source === 'watch' ? 'a change of the files' : 'a HUP'} asked for meanwhile is given up as well; zdsup reload${queued.source === 'watch' ? '' : ', or another HUP,'} brings in what is there`,
  });
}

function heldRollout(fleet: Fleet): Rollout | InterventionRefusal {
  const canary = canaryOf(fleet);
  return typeof canary === 'string' || isHeld(canary) ? canary : 'not-there-yet';
}

function canaryOf(fleet: Fleet): Rollout | InterventionRefusal {
  if (fleet.stop) return 'stopping';
  const { rollout } = fleet;
  if (!rollout || !rolloutUnderWay(fleet)) return 'no-rollout';
  if (rollout.step === 'aborting') return 'aborting';
  return rollout.wantedWeight === null ? 'not-held' : rollout;
}
