/**
 * A scale: another number of slots for the serving generation. An edit of the desired state like a rollout, and like one it
 * is taken back where a new worker fails: the others go on as before. It outlives reloads until the number in the config is edited. Pure.
 */
import {
  emptySlot,
  expectedListeners,
  isConfirmed,
  range,
  rolloutUnderWay,
  servingGeneration,
  workersOf,
} from './fleet.js';
import { plural } from './names.js';
import { giveUpRecycling } from './recycling.js';
import { isRipe } from './rollout.js';
import type { Effect, Fleet, Generation, Policy, ScaleRefusal, Worker } from './types.js';

/** Returns why it is refused, where it is. */
export function requestScale(fleet: Fleet, count: number, effects: Effect[]): ScaleRefusal | undefined {
  const generation = servingGeneration(fleet);
  if (fleet.stop) return 'stopping';
  if (!generation) return 'nothing-serves';
  if (fleet.scaling) return 'scale-under-way';
  if (rolloutUnderWay(fleet)) return 'rollout-under-way';
  const before = generation.slots.length;
  if (count === before) return 'same-count';
  if (count < before && range(count).some((slot) => !isUp(fleet, generation, slot))) return 'too-few-up';
  if (count > before && generation.modified) return 'release-modified';
  giveUpRecycling(fleet, 'a scale has begun', effects);
  for (const slot of range(count))
    generation.slotState[slot] ??= emptySlot(expectedListeners(fleet, generation.number, slot));
  setCount(fleet, generation, count);
  fleet.scaling = { id: fleet.nextScalingId++, before, after: count };
  effects.push({
    type: 'progress',
    kind: 'scaling',
    message: `from ${before} to ${count} ${plural(count, 'worker')}`,
    generation: generation.number,
  });
  return undefined;
}

const isUp = (fleet: Fleet, generation: Generation, slot: number): boolean =>
  workersOf(fleet, generation.number).some((worker) => worker.slot === slot && isConfirmed(worker));

/** Ends it once all new workers serve and have stayed up, and all surplus ones have gone. */
export function advanceScaling(fleet: Fleet, now: number, effects: Effect[]): boolean {
  const { scaling } = fleet;
  const generation = servingGeneration(fleet);
  if (!scaling || !generation) return false;
  const workers = workersOf(fleet, generation.number);
  const isSettled = (slot: number): boolean =>
    workers.some((worker) => worker.slot === slot && isConfirmed(worker) && isRipe(worker, generation, now));
  const missing = generation.slots.filter((slot) => slot >= scaling.before).some((slot) => !isSettled(slot));
  if (missing || workers.some((worker) => !generation.slots.includes(worker.slot))) return false;
  end(fleet, null, null, effects);
  return true;
}

/** A worker that the scale under way has added, and that has not yet stayed up for its `minReady`. */
export const isScaledUp = (fleet: Fleet, worker: Worker): boolean =>
  fleet.scaling !== null && worker.generation === fleet.serving && worker.slot >= fleet.scaling.before;

export function takeScaleBack(fleet: Fleet, reason: string, culprit: number | null, effects: Effect[]): void {
  const generation = servingGeneration(fleet);
  if (!fleet.scaling || !generation) return;
  if (!fleet.stop) setCount(fleet, generation, fleet.scaling.before);
  effects.push({
    type: 'progress',
    kind: fleet.stop ? 'aborting' : 'failed',
    message: reason,
    generation: generation.number,
  });
  end(fleet, reason, culprit, effects);
}

/** A policy of before, with the number of workers that a scale has set since; one that stood then is over. */
export const withScale = ({ scaled }: Fleet, policy: Policy): Policy => ({
  ...policy,
  instances: scaled?.configured === policy.configuredInstances ? scaled.count : policy.configuredInstances,
});

function setCount(fleet: Fleet, generation: Generation, count: number): void {
  const { configuredInstances } = generation.policy;
  generation.policy = { ...generation.policy, instances: count };
  generation.slots = range(count);
  fleet.scaled = count === configuredInstances ? null : { count, configured: configuredInstances };
}

function end(fleet: Fleet, reason: string | null, culprit: number | null, effects: Effect[]): void {
  effects.push({ type: 'scale-ended', id: fleet.scaling!.id, reason, culprit });
  fleet.scaling = null;
}
