/**
 * Recycling: a worker that serves well is replaced because it has grown (memory), aged, served so many requests, or because a person says so. An
 * edit of the desired state like a worker that asks to leave: its slot counts as open, its successor comes first, and it drains once that one serves.
 * One at a time, and only while nothing else changes what runs: whatever else begins, a rollout, a scale, a stop, gives it up.
 * It is no crash, and counts for none. Pure.
 */
import { formatDuration, formatSize } from '../shared/units.js';
import { backoffMs } from './backoff.js';
import {
  allWorkers,
  changeUnderWay,
  isActive,
  isConfirmed,
  liveIn,
  rememberListeners,
  servingGeneration,
  slotOf,
  workersOf,
} from './fleet.js';
import { nameOf, where } from './names.js';
import type { Context, Effect, Event, Fleet, Generation, Limits, RecycleRefusal, Slot, Worker } from './types.js';

/** Each worker's limits lie within this share below those of the config: workers that began together do not come to theirs together. */
const SPREAD = 0.1;
/** Spreads what follows one another evenly over [0, 1): the golden ratio. */
const GOLDEN = 0.618033988749895;
/**
 * A worker that is past a limit so soon after its `minReady`, in ms (two looks of the shell), is as large when it is new: its successor will be past it, too,
 * and there the pauses grow. Not of one that lives for some seconds: it would grow through a long pause until the kernel ends it, and its requests with it.
 */
const AT_ONCE_MS = 2_000;
/** The first of these pauses at least, in ms. */
const FIRST_PAUSE_MS = 1_000;
/**
 * The next one waits until the one before has gone, but for so long at most, in ms: with WebSockets a drain may take an hour, in which the others would
 * grow until the kernel ends them.
 */
const LONGEST_WAIT_MS = 30_000;
/** How often a folder that was edited in place is looked at again while somebody waits for it, in ms. */
const LOOK_AGAIN_MS = 30_000;

/** @param random of the step in which it is forked: several are in one */
export const luckOf = (id: number, random: number): number => (random + id * GOLDEN) % 1;

/** The limits of one worker. */
export function limitsOf(
  { luck }: Pick<Worker, 'luck'>,
  limits: Limits,
  instances: number,
): Record<keyof Limits, number> {
  const { memory, ageMs, requests } = limits;
  const own = (limit: number | null): number =>
    limit === null ? Number.POSITIVE_INFINITY : limit * (1 - SPREAD * luck);
  return {
    memory: own(memory && (memory.of === 'all' ? memory.bytes / Math.max(1, instances) : memory.bytes)),
    ageMs: own(ageMs),
    requests: Math.ceil(own(requests)),
  };
}

/** What is known of a worker; null: not measured. */
export interface Measured {
  rssBytes: number | null;
  ageMs: number;
  requests: number | null;
}

/** Is it past one of its limits? In the words that the event takes. */
export function pastLimit(
  worker: Pick<Worker, 'luck'>,
  { limits, instances }: Pick<Generation['policy'], 'limits' | 'instances'>,
  { rssBytes, ageMs, requests }: Measured,
): Pick<Extract<Event, { type: 'outgrown' }>, 'cause' | 'what'> | null {
  const own = limitsOf(worker, limits, instances);
  if (rssBytes !== null && rssBytes >= own.memory)
    return {
      cause: 'memory',
      what: `has ${formatSize(rssBytes)} of memory, its own limit is ${formatSize(own.memory)}`,
    };
  if (requests !== null && requests >= own.requests)
    return { cause: 'requests', what: `has answered ${requests} requests, its own limit is ${own.requests}` };
  if (ageMs >= own.ageMs)
    return {
      cause: 'age',
      what: `has run for ${formatDuration(ageMs)}, its own limit is ${formatDuration(own.ageMs)}`,
    };
  return null;
}

/** Nothing else changes what runs, and the one that was recycled last has gone, or drains for long. */
function mayRecycle(fleet: Fleet, now: number): boolean {
  if (fleet.stop || changeUnderWay(fleet) || fleet.reloadQueued !== null) return false;
  return now >= waitedForUntil(fleet);
}

const waitedForUntil = (fleet: Fleet): number =>
  Math.max(
    0,
    ...allWorkers(fleet).flatMap(({ recycling, status, generation }) => {
      if (!recycling) return [];
      if (status.state !== 'draining') return [Number.POSITIVE_INFINITY];
      return [status.deadlineAt - fleet.generations[generation]!.policy.drainTimeoutMs + LONGEST_WAIT_MS];
    }),
  );

const isUp = (worker: Worker, { slots }: Generation): boolean =>
  isConfirmed(worker) && !worker.recycling && slots.includes(worker.slot);

/** Returns why it is passed over, where it is. */
export function outgrown(
  fleet: Fleet,
  worker: Worker,
  { cause, what }: Extract<Event, { type: 'outgrown' }>,
  now: number,
): string | undefined {
  if (worker.generation !== fleet.serving) return 'its generation does not serve alone';
  if (!isConfirmed(worker)) return 'it does not serve, or is being replaced';
  if (worker.due) return 'it is known';
  worker.due = { cause, what, at: now };
  return undefined;
}

/** By hand: whatever the limits say, and whatever pause there is. Returns why it is refused, where it is. */
export function requestRecycle(fleet: Fleet, slot: number, effects: Effect[]): RecycleRefusal | undefined {
  const generation = servingGeneration(fleet);
  if (fleet.stop) return 'stopping';
  if (!generation) return 'nothing-serves';
  if (fleet.scaling) return 'scale-under-way';
  if (changeUnderWay(fleet)) return 'rollout-under-way';
  if (!generation.slots.includes(slot)) return 'no-such-slot';
  if (fleet.recycling?.step === 'replacing') return 'recycling';
  if (generation.modified) return 'release-modified';
  const worker = workersOf(fleet, generation.number).find((one) => one.slot === slot && isUp(one, generation));
  if (!worker) return 'not-up';
  fleet.recycling = beginning(worker, 'command', 'replacing');
  replace(fleet, worker, 'by hand', effects);
  return undefined;
}

const beginning = (worker: Worker, cause: NonNullable<Fleet['recycling']>['cause'], step: 'looking' | 'replacing') => ({
  worker: worker.id,
  generation: worker.generation,
  slot: worker.slot,
  cause,
  step,
  failure: null,
});

/** Run again after every event. Returns true where something changed. */
export function advanceRecycling(fleet: Fleet, { now, random }: Context, effects: Effect[]): boolean {
  const { recycling } = fleet;
  const generation = servingGeneration(fleet);
  if (!generation) return false;
  if (!recycling) return beginNext(fleet, generation, now, effects);
  const worker = fleet.workers[recycling.worker];
  if (recycling.step === 'looking') {
    if (worker && isUp(worker, generation) && mayRecycle(fleet, now)) return false;
    fleet.recycling = null;
    return true;
  }
  const successor = liveIn(fleet, recycling.generation, recycling.slot);
  if (!successor || !isConfirmed(successor)) return false;
  finish(fleet, worker, successor, now, random, effects);
  return true;
}

function beginNext(fleet: Fleet, generation: Generation, now: number, effects: Effect[]): boolean {
  if (!mayRecycle(fleet, now)) return false;
  const worker = nextOf(fleet, generation, now);
  if (!worker || (generation.modified && now < generation.lookAgainAt)) return false;
  // What was edited in place is not started beside what serves: looked at first, each time.
  generation.lookAgainAt = now + LOOK_AGAIN_MS;
  fleet.recycling = beginning(worker, worker.due!.cause, 'looking');
  effects.push({ type: 'check-release', generation: generation.number });
  return true;
}

const waiting = (fleet: Fleet, generation: Generation): Worker[] =>
  workersOf(fleet, generation.number).filter((worker) => worker.due !== null && isUp(worker, generation));

/** Whoever has waited longest. */
const nextOf = (fleet: Fleet, generation: Generation, now: number): Worker | undefined =>
  waiting(fleet, generation)
    .filter(({ slot }) => now >= slotOf(generation, slot).recycleAt)
    .sort((a, b) => a.due!.at - b.due!.at || a.id - b.id)[0];

/** The shell has looked. */
export function lookedForRecycling(fleet: Fleet, generation: Generation, now: number, effects: Effect[]): void {
  const { recycling } = fleet;
  if (!generation.modified) generation.recyclingPaused = false;
  if (recycling?.step !== 'looking' || recycling.generation !== generation.number) return;
  const worker = fleet.workers[recycling.worker];
  if (generation.modified || !worker?.due) {
    fleet.recycling = null;
    if (generation.modified && worker?.due) tellPaused(worker, worker.due.what, generation, effects);
    return;
  }
  if (!isUp(worker, generation) || !mayRecycle(fleet, now)) return; // Given up in this very step.
  fleet.recycling = { ...recycling, step: 'replacing' };
  replace(fleet, worker, `it ${worker.due.what}`, effects);
}

function tellPaused(worker: Worker, what: string, generation: Generation, effects: Effect[]): void {
  if (generation.recyclingPaused) return;
  generation.recyclingPaused = true;
  effects.push({
    type: 'progress',
    kind: 'recycling-paused',
    message: `${nameOf(worker)} ${what}, and is not recycled: the folder was edited in place, a new worker would run other code; a reload brings that in`,
    ...where(worker),
  });
}

function replace(fleet: Fleet, worker: Worker, why: string, effects: Effect[]): void {
  rememberListeners(fleet, worker);
  worker.recycling = true;
  effects.push({
    type: 'progress',
    kind: 'recycling',
    message: `${nameOf(worker)} is recycled, its replacement first: ${why}`,
    ...where(worker),
  });
}

/** Its successor serves: it may leave. */
function finish(
  fleet: Fleet,
  worker: Worker | undefined,
  successor: Worker,
  now: number,
  random: number,
  effects: Effect[],
): void {
  const { generation: number, slot: index, cause } = fleet.recycling!;
  const generation = fleet.generations[number]!;
  const slot = slotOf(generation, index);
  slot.recycled += 1;
  if (worker && cause !== 'command') noteStrike(worker, slot, generation, now, random, effects);
  fleet.recycling = null;
  effects.push({
    type: 'progress',
    kind: 'recycled',
    message: `${nameOf(successor)} was recycled (${cause === 'command' ? 'by hand' : cause}): ${worker?.due ? `the process before ${worker.due.what}` : 'a new process serves in its place'}`,
    ...where(successor),
  });
  effects.push({ type: 'recycle-ended', generation: number, slot: index, cause, reason: null, culprit: null });
}

/** One that came to its limit at once will have a successor that does: the pauses grow, or the host would do nothing but boot. */
function noteStrike(
  worker: Worker,
  slot: Slot,
  generation: Generation,
  now: number,
  random: number,
  effects: Effect[],
): void {
  const { status, due } = worker;
  const livedMs = due !== null && status.state === 'active' ? due.at - status.readyAt : Number.POSITIVE_INFINITY;
  if (livedMs >= generation.policy.minReadyMs + AT_ONCE_MS) {
    slot.recycleStrikes = 0;
    return;
  }
  strike(slot, generation, now, random);
  if (slot.recycleStrikes !== 2) return; // Once, and not of one that a burst of work has filled.
  effects.push({
    type: 'progress',
    kind: 'recycle-failed',
    message: `${nameOf(worker)} ${due!.what} ${(livedMs / 1000).toFixed(1)} s after it was ready, as the one before it: recycling does not help; it is tried again with growing pauses, at most every ${generation.policy.backoff.capMs / 1000} s`,
    ...where(worker),
  });
}

function strike(slot: Slot, { policy: { backoff } }: Generation, now: number, random: number): void {
  slot.recycleStrikes += 1;
  const initialMs = Math.max(backoff.initialMs, FIRST_PAUSE_MS);
  const config = {
    ...backoff,
    initialMs,
    capMs: Math.max(backoff.capMs, initialMs),
    factor: Math.max(backoff.factor, 2),
  };
  slot.recycleAt = now + backoffMs(config, slot.recycleStrikes, random);
}

/** It was to take the place of one that is being recycled. */
export const isSubstitute = ({ recycling, workers }: Fleet, worker: Worker): boolean =>
  recycling?.step === 'replacing' &&
  worker.generation === recycling.generation &&
  worker.slot === recycling.slot &&
  worker.id !== recycling.worker &&
  workers[recycling.worker]?.recycling === true;

/** It is to go on by itself while it lives: the first cause wins. */
export function noteFailedSubstitute(fleet: Fleet, reason: string): void {
  if (fleet.recycling) fleet.recycling.failure ??= reason;
}

/** The successor has gone before it served: the worker goes on as before, and is tried again later. */
export function recycleInVain(
  fleet: Fleet,
  reason: string,
  culprit: number,
  context: Context,
  effects: Effect[],
): void {
  const { worker: id, generation: number, slot: index, cause, failure } = fleet.recycling!;
  const worker = fleet.workers[id]!;
  const generation = fleet.generations[number]!;
  const slot = slotOf(generation, index);
  worker.recycling = false;
  fleet.recycling = null;
  strike(slot, generation, context.now, context.random);
  const again =
    worker.due === null ? '' : `; it is tried again in ${Math.ceil((slot.recycleAt - context.now) / 1000)} s`;
  effects.push({
    type: 'progress',
    kind: 'recycle-failed',
    message: `${nameOf(worker)} could not be recycled, and serves on: its replacement failed (${failure ?? reason})${again}`,
    ...where(worker),
  });
  effects.push({ type: 'recycle-ended', generation: number, slot: index, cause, reason: failure ?? reason, culprit });
}

/** The worker has crashed meanwhile: what was to take its place is its respawn. */
export function endRecyclingOf(fleet: Fleet, worker: Worker, reason: string, effects: Effect[]): void {
  const { recycling } = fleet;
  if (recycling?.worker !== worker.id) return;
  fleet.recycling = null;
  worker.recycling = false;
  if (recycling.step !== 'replacing') return;
  const { generation, slot, cause } = recycling;
  effects.push({ type: 'recycle-ended', generation, slot, cause, reason, culprit: worker.id });
}

/** Something else begins to change what runs: the worker serves on, and what was to take its place leaves. */
export function giveUpRecycling(fleet: Fleet, reason: string, effects: Effect[]): void {
  const { recycling } = fleet;
  if (!recycling) return;
  fleet.recycling = null;
  if (recycling.step !== 'replacing') return;
  const worker = fleet.workers[recycling.worker];
  if (worker && isActive(worker) && worker.recycling) {
    worker.recycling = false;
    for (const other of workersOf(fleet, worker.generation))
      if (other.slot === worker.slot && other.id !== worker.id) other.leaving = true;
  }
  const { generation, slot, cause } = recycling;
  effects.push({ type: 'recycle-ended', generation, slot, cause, reason, culprit: null });
}

/** Why nobody is recycled now, where somebody is due or would be. */
export type RecyclePause = 'release-modified' | 'rollout' | 'scale' | 'stop';

export function recyclingPause(fleet: Fleet): RecyclePause | null {
  if (fleet.stop) return 'stop';
  if (fleet.scaling) return 'scale';
  if (changeUnderWay(fleet)) return 'rollout';
  return servingGeneration(fleet)?.modified ? 'release-modified' : null;
}

/** Slots of those that are past a limit and wait for their turn. */
export function slotsDue(fleet: Fleet): number[] {
  const generation = servingGeneration(fleet);
  return generation
    ? waiting(fleet, generation)
        .map(({ slot }) => slot)
        .sort((a, b) => a - b)
    : [];
}

/** When time alone lets the next one be recycled. */
export function recyclingDueAt(fleet: Fleet): number[] {
  const generation = servingGeneration(fleet);
  const from = waitedForUntil(fleet);
  if (!generation || fleet.recycling || from === Number.POSITIVE_INFINITY || !mayRecycle(fleet, from)) return [];
  return waiting(fleet, generation).flatMap(({ slot }) => {
    const { recycleAt } = slotOf(generation, slot);
    return [Math.max(from, recycleAt, generation.modified ? generation.lookAgainAt : 0)];
  });
}
