/**
 * The step `canary` of a rollout with a weight: some new workers serve beside all the old ones, and the rollout holds there until a person
 * acts. Like the rest of the rollout it only edits the desired slots, and is run again after every event. Pure.
 */
import { allWorkers, isActive, isConfirmed, range, rolloutUnderWay, workersOf } from './fleet.js';
import { plural } from './names.js';
import type { Effect, Fleet, Generation, Policy, Rollout, Routing } from './types.js';

/** So many workers take `weight` percent; one at least, also where it gets nothing. */
export const canaryCount = ({ instances }: Policy, weight: number): number =>
  Math.max(1, Math.ceil((instances * weight) / 100));

/** It has come to its weight, and waits for a person. */
export const isHeld = ({ step, weight, wantedWeight }: Rollout): boolean =>
  step === 'canary' && weight !== null && weight === wantedWeight;

/** Grows first: the weight follows once the workers that it needs serve. Shrinks last: who is to leave gets nothing new any more. */
export function advanceCanary(
  fleet: Fleet,
  rollout: Rollout,
  target: Generation,
  wanted: number,
  effects: Effect[],
): boolean {
  const slots = range(canaryCount(target.policy, wanted));
  if (target.slots.length < slots.length) {
    target.slots = slots;
    return true;
  }
  if (rollout.weight === wanted) return false;
  const serving = workersOf(fleet, target.number).filter(isConfirmed);
  if (!slots.every((slot) => serving.some((worker) => worker.slot === slot))) return false;
  rollout.step = 'canary';
  rollout.weight = wanted;
  target.slots = slots;
  effects.push({
    type: 'progress',
    kind: 'held',
    message: `generation ${target.number} gets ${wanted} % of the traffic with ${slots.length} ${plural(slots.length, 'worker')}; held there`,
    generation: target.number,
  });
  effects.push({ type: 'held', rollout: { ...rollout } });
  return true;
}

/** By generation; {} where nothing is held back. A coming generation gets nothing until its weight holds, and when it is given up. */
export function weightsOf(fleet: Fleet): Routing['weights'] {
  const { rollout } = fleet;
  if (!rollout || !rolloutUnderWay(fleet) || rollout.wantedWeight === null || fleet.stop) return {};
  const { from, to, step } = rollout;
  const serves = allWorkers(fleet).some((worker) => worker.generation === to && isActive(worker));
  if (from === null || to === null || !serves) return {};
  const weight = step === 'canary' ? (rollout.weight ?? 0) : 0;
  return { [from]: 100 - weight, [to]: weight };
}
