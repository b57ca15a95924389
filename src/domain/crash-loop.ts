/**
 * A crash loop: so many unsolicited exits of one slot within so long. It is marked and reported; tries go on at the capped
 * backoff for ever, because a database that is away for three minutes must not become an outage for the night. Pure.
 */
import { isConfirmed, slotOf } from './fleet.js';
import { nameOf, where } from './names.js';
import type { Effect, Generation, Worker } from './types.js';

/** A worker that had been let into its generation has crashed. @returns whether that made it a crash loop */
export function noteCrash(worker: Worker, generation: Generation, now: number, effects: Effect[]): boolean {
  const slot = slotOf(generation, worker.slot);
  const { count, windowMs } = generation.policy.crashLoop;
  slot.crashes = [...slot.crashes.filter((at) => at > now - windowMs), now].slice(-count);
  if (slot.looping || slot.crashes.length < count) return false;
  slot.looping = true;
  effects.push({
    type: 'progress',
    kind: 'crash-looping',
    message: `${nameOf(worker)} crash-loops: ${count} crashes within ${windowMs / 1000} s; it is tried again, at most every ${generation.policy.backoff.capMs / 1000} s`,
    ...where(worker),
  });
  return true;
}

/** When a worker in a looping slot will have served as long as a crash counts; null where it does not loop. */
export function crashLoopOverAt(worker: Worker, generation: Generation): number | null {
  if (!slotOf(generation, worker.slot).looping || worker.status.state !== 'active' || !isConfirmed(worker)) return null;
  return worker.status.readyAt + generation.policy.crashLoop.windowMs;
}

export function settleCrashLoop(worker: Worker, generation: Generation, now: number, effects: Effect[]): boolean {
  const overAt = crashLoopOverAt(worker, generation);
  if (overAt === null || now < overAt) return false;
  const slot = slotOf(generation, worker.slot);
  slot.looping = false;
  slot.crashes = [];
  effects.push({
    type: 'progress',
    kind: 'recovered',
    message: `${nameOf(worker)} crash-loops no more: it has served for ${generation.policy.crashLoop.windowMs / 1000} s`,
    ...where(worker),
  });
  return true;
}

export const isCrashLooping = (generation: Generation | undefined): boolean =>
  generation?.slots.some((slot) => generation.slotState[slot]?.looping) ?? false;
