/**
 * The warm-up: each new worker is asked the paths of its config once it is ready and before it takes traffic, while its
 * `minReady` runs. It is over by the instant by which the worker had to be ready at the latest. Pure.
 */
import { allWorkers } from './fleet.js';
import { nameOf, where } from './names.js';
import type { Effect, Event, Fleet, Generation, Worker } from './types.js';

export const isWarm = (worker: Worker): boolean => worker.warmup === 'none' || worker.warmup === 'done';

export function beginWarmUps(fleet: Fleet, effects: Effect[]): boolean {
  const due = allWorkers(fleet).filter(
    (worker) =>
      worker.status.state === 'ready' &&
      worker.warmup === 'due' &&
      !worker.leaving &&
      fleet.generations[worker.generation]!.slots.includes(worker.slot),
  );
  for (const worker of due) {
    worker.warmup = 'running';
    effects.push({ type: 'warm-up', id: worker.id });
  }
  return due.length > 0;
}

/** Null where nothing is asked. */
export const warmUpOverAt = (worker: Worker, generation: Generation): number | null =>
  worker.status.state === 'ready' && worker.warmup === 'running'
    ? worker.forkedAt + generation.policy.readyDeadlineMs
    : null;

const isOverdue = (worker: Worker, generation: Generation, now: number): boolean =>
  now >= (warmUpOverAt(worker, generation) ?? Number.POSITIVE_INFINITY);

/** Why a worker whose warm-up must not fail has failed; null where it has not. */
export function whyNotWarm(worker: Worker, generation: Generation, now: number): string | null {
  if (worker.warmup === 'failed') return `${nameOf(worker)} failed its warm-up: ${worker.warmupFailure}`;
  if (generation.policy.warmup !== 'required' || !isOverdue(worker, generation, now)) return null;
  return `${nameOf(worker)} failed its warm-up: it was not over ${withinOf(generation)}`;
}

/** One that may fail and takes too long is waited for no more. Returns true where that is so. */
export function settleWarmUp(worker: Worker, generation: Generation, now: number, effects: Effect[]): boolean {
  if (!isOverdue(worker, generation, now)) return false;
  worker.warmup = 'done';
  const message = `${nameOf(worker)}: its warm-up was not over ${withinOf(generation)}, and is not waited for`;
  effects.push({ type: 'progress', kind: 'warning', message, ...where(worker) });
  return true;
}

const withinOf = ({ policy }: Generation): string => `within ${policy.readyDeadlineMs / 1000} s of its start`;

/** Returns why the event was ignored, where it was. */
export function warmedUp(
  worker: Worker,
  generation: Generation,
  { results, failure }: Extract<Event, { type: 'warmed-up' }>,
  effects: Effect[],
): string | undefined {
  if (worker.status.state !== 'ready' || worker.warmup !== 'running') return 'its warm-up is over';
  if (failure !== null && generation.policy.warmup === 'required') {
    worker.warmup = 'failed';
    worker.warmupFailure = failure;
    return undefined;
  }
  worker.warmup = 'done';
  const message = `${nameOf(worker)} is warmed up${failure === null ? '' : ' in part'}: ${results}`;
  effects.push({ type: 'progress', kind: 'warm-up', message, ...where(worker) });
  return undefined;
}
