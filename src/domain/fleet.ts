/** Questions about a fleet, and its empty beginning. Pure. */
import type { Expected, Fleet, Generation, Slot, Worker } from './types.js';

/** @param nextRolloutId of an app that ran before, past its last one: ids go on over restarts of the master */
export function emptyFleet(nextRolloutId = 1): Fleet {
  return {
    nextWorkerId: 1,
    nextGeneration: 1,
    nextRolloutId,
    generations: {},
    workers: {},
    serving: null,
    rollout: null,
    reloadQueued: null,
    nextScalingId: 1,
    scaling: null,
    scaled: null,
    stop: null,
    soak: null,
    recycling: null,
    warm: null,
    lastGood: null,
    fallback: null,
    judging: null,
    routing: { mode: 'direct', sticky: false, weights: {} },
    ended: false,
  };
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export const allWorkers = (fleet: Fleet): Worker[] => Object.values(fleet.workers);

export const workersOf = (fleet: Fleet, generation: number | null): Worker[] =>
  allWorkers(fleet).filter((worker) => worker.generation === generation);

/** Starting, ready or active: it fills its slot. */
export const isLive = (worker: Worker): boolean =>
  worker.status.state === 'starting' || worker.status.state === 'ready' || worker.status.state === 'active';

/** It drains, or is being killed. */
export const isLeaving = (worker: Worker): boolean =>
  worker.status.state === 'draining' || worker.status.state === 'killing';

/** Kept for the way back, without traffic. */
export const isParked = (worker: Worker): boolean => worker.status.state === 'parked';

export const parkedIn = (fleet: Fleet, generation: number, slot: number): Worker | undefined =>
  workersOf(fleet, generation).find((worker) => worker.slot === slot && isParked(worker));

export const isActive = (worker: Worker): boolean => worker.status.state === 'active';

/** Active, and it has said so itself: a worker that hangs between its check and its first connection replaces nobody. */
export const isConfirmed = (worker: Worker): boolean =>
  worker.status.state === 'active' && worker.status.confirmBy === null && stays(worker);

/** Whoever does not answer any more, or has asked to be replaced, counts on nobody's side: its slot is filled anew. */
export const stays = (worker: Worker): boolean => !worker.unresponsive && !worker.leaving;

/** The worker that fills the slot: one that does not stay, or is being recycled, leaves it open for its replacement. */
export const liveIn = (fleet: Fleet, generation: number, slot: number): Worker | undefined =>
  workersOf(fleet, generation).find((worker) => worker.slot === slot && fillsSlot(worker));

/** Live, it stays, and nobody is to take its place: it counts against the room that a rollout has. */
export const fillsSlot = (worker: Worker): boolean => isLive(worker) && stays(worker) && !worker.recycling;

/** Workers that take traffic and stay. */
export const activeCount = (fleet: Fleet): number =>
  allWorkers(fleet).filter((worker) => isActive(worker) && stays(worker)).length;

export const emptySlot = (expected: Expected): Slot => ({
  restarts: 0,
  failures: 0,
  respawnAt: 0,
  crashes: [],
  looping: false,
  recycled: 0,
  recycleStrikes: 0,
  recycleAt: 0,
  expected,
});

export function slotOf(generation: Generation, slot: number): Slot {
  const known = generation.slotState[slot];
  if (known) return known;
  const fresh = emptySlot({ kind: 'any' });
  generation.slotState[slot] = fresh;
  return fresh;
}

export const servingGeneration = (fleet: Fleet): Generation | undefined =>
  fleet.serving === null ? undefined : fleet.generations[fleet.serving];

/** Under way, from its request to its promotion or the end of its abort. */
export const rolloutUnderWay = (fleet: Fleet): boolean => fleet.rollout !== null && fleet.rollout.step !== 'done';

/** A rollout or a scale: until it has ended, nothing else may change what should run. */
export const changeUnderWay = (fleet: Fleet): boolean => rolloutUnderWay(fleet) || fleet.scaling !== null;

/** Generations with a draining worker, the serving one and the coming one left out. */
export function drainingGenerations(fleet: Fleet, except: (number | null)[]): number[] {
  const found = new Set<number>();
  for (const worker of allWorkers(fleet))
    if (isLeaving(worker) && !except.includes(worker.generation)) found.add(worker.generation);
  return [...found];
}

/** What the worker in this slot must open: what its predecessor had, else what all of the old generation have in common. */
export function expectedListeners(fleet: Fleet, from: number, slot: number): Expected {
  const old = workersOf(fleet, from).filter(isLive);
  const predecessor = old.find((worker) => worker.slot === slot && isActive(worker));
  if (predecessor) return { kind: 'exactly', keys: Object.keys(predecessor.listeners) };
  const remembered = fleet.generations[from]?.slotState[slot]?.expected;
  if (remembered?.kind === 'exactly') return remembered;
  const active = old.filter(isActive).map((worker) => Object.keys(worker.listeners));
  const common = (active[0] ?? []).filter((key) => active.every((keys) => keys.includes(key)));
  // Of one worker alone it cannot be known which of its listeners are slot 0's own.
  if (active.length === 1 && common.length > 0) return { kind: 'some' };
  return active.length > 0 ? { kind: 'exactly', keys: common } : { kind: 'any' };
}

/** Listener keys that some worker has, or that the serving generation would open again. */
export function heldKeys(fleet: Fleet): Set<string> {
  const serving = servingGeneration(fleet);
  const keys = new Set(Object.keys(serving?.listeners ?? {}));
  for (const worker of allWorkers(fleet)) for (const key of Object.keys(worker.listeners)) keys.add(key);
  return keys;
}

/** Its respawn, and its successor in the next generation, must open what this worker has. */
export function rememberListeners(fleet: Fleet, worker: Worker): void {
  slotOf(fleet.generations[worker.generation]!, worker.slot).expected = {
    kind: 'exactly',
    keys: Object.keys(worker.listeners),
  };
}

export function hasOpenedItsListeners(worker: Worker, generation: Generation): boolean {
  const { expected } = slotOf(generation, worker.slot);
  const open = Object.keys(worker.listeners);
  return expected.kind === 'exactly'
    ? expected.keys.length > 0 && expected.keys.every((key) => open.includes(key))
    : open.length > 0;
}

/** All that its predecessor has, or nothing where nothing is due. */
export const opensWhatItMust = (worker: Worker, generation: Generation): boolean =>
  hasOpenedItsListeners(worker, generation) || expectsNone(worker, generation);

export function expectsNone(worker: Worker, generation: Generation): boolean {
  const { expected } = slotOf(generation, worker.slot);
  return expected.kind === 'any' || (expected.kind === 'exactly' && expected.keys.length === 0);
}
