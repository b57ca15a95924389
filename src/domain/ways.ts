/**
 * The ways back: what a rollback can go to, in the order in which that is tried, and what is remembered for it. Where one cannot be gone
 * the next one is, each as a rollout of its own and none of them twice. Pure.
 */
import type { Fleet, Generation, Rollout, Way } from './types.js';
import { warmGeneration } from './warm.js';

/** To what was good: its parked workers are woken; else, or where that fails, what it has run is booted. [] where nothing good is known. */
export function waysBack(fleet: Fleet): Way[] {
  const warm = warmGeneration(fleet);
  const boots: Way[] = fleet.lastGood === null ? [] : [bootOf(fleet.lastGood)];
  return warm ? [{ kind: 'wake', generation: warm.number }, ...boots] : boots;
}

/** Nobody is there to decide: at last also to what has not proven itself, and had not failed either when it was replaced. */
export const waysOutOfSoak = (fleet: Fleet): Way[] =>
  fleet.fallback === null ? waysBack(fleet) : [...waysBack(fleet), bootOf(fleet.fallback)];

const bootOf = (number: number): Way => ({ kind: 'boot', target: { kind: 'generation', number } });

/** Null where it leads to a release of the store. */
export function generationOf(way: Way): number | null {
  if (way.kind === 'wake') return way.generation;
  return way.target.kind === 'generation' ? way.target.number : null;
}

/**
 * At a promotion: whom it replaces, and what it makes of those before.
 * @param leavesLoop what is replaced crash-loops, and is left for that
 */
export function rememberReplaced(
  fleet: Fleet,
  rollout: Rollout,
  target: Generation,
  old: Generation | null,
  leavesLoop: boolean,
): void {
  if (old?.good && !target.repeats && !leavesLoop) {
    fleet.lastGood = old.number;
    fleet.fallback = null; // It is older than that.
    return;
  }
  if (rollout.backTo !== null && rollout.backTo === fleet.lastGood) fleet.lastGood = null; // It is what serves again.
  if (rollout.kind === 'rollback') fleet.fallback = null;
  else if (old && !target.repeats && hasNotFailed(fleet, old)) fleet.fallback = old.number;
}

/** It was on trial until now, and none of its workers has crashed. */
const hasNotFailed = ({ soak }: Fleet, { number }: Generation): boolean =>
  soak?.generation === number && soak.crashes.length === 0;

/** It brings in again what was replaced on trial. */
export const isFallback = ({ fallback }: Fleet, { backTo }: Rollout): boolean => backTo !== null && backTo === fallback;

/** What that generation has run is to be kept, also once its last worker has gone. */
export const isWayBack = ({ lastGood, fallback }: Fleet, generation: number): boolean =>
  generation === lastGood || generation === fallback;
