/** A rollout as it begins: it knows what serves, and nothing yet of what it brings in. Pure. */
import { isConfirmed, servingGeneration, workersOf } from './fleet.js';
import { giveUpRecycling } from './recycling.js';
import type { Effect, Fleet, Rollout, RolloutKind, RolloutSource } from './types.js';

type Asked = { kind: RolloutKind; source: RolloutSource } & Partial<
  Pick<Rollout, 'allowListeners' | 'wantedWeight' | 'noCanary' | 'backTo' | 'ways' | 'cause'>
>;

/** Becomes the fleet's. */
export function beginRollout(fleet: Fleet, asked: Asked, now: number, effects: Effect[]): Rollout {
  giveUpRecycling(fleet, 'a rollout has begun, which replaces it anyway', effects);
  const from = fleet.serving;
  const fromSlots = [...(servingGeneration(fleet)?.slots ?? [])];
  const serves = (slot: number): boolean =>
    workersOf(fleet, from).some((worker) => worker.slot === slot && isConfirmed(worker));
  fleet.rollout = {
    id: fleet.nextRolloutId++,
    alone: asked.kind === 'restart' || (asked.kind === 'rollback' && servingGeneration(fleet)?.alone === true),
    allowListeners: false,
    from,
    to: null,
    step: 'preparing',
    weight: null,
    wantedWeight: null,
    steps: [],
    stepIndex: 0,
    heldAt: 0,
    paused: false,
    verdict: null,
    noCanary: false,
    backTo: null,
    ways: [],
    cause: null,
    startedAt: now,
    fromSlots,
    servedSlots: fromSlots.filter(serves),
    outcome: null,
    reason: null,
    aborted: false,
    culprit: null,
    nextStartAt: 0,
    abortBy: null,
    ...asked,
  };
  effects.push({ type: 'rollout-begun', rollout: { ...fleet.rollout } });
  return fleet.rollout;
}
