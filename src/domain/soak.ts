/**
 * The time on trial after a promotion: a crash loop or a bad verdict in it rolls back by itself. A generation that comes through without a
 * crash is good, and what a later rollback goes back to. A rollout that fails leaves it on trial. Pure.
 */
import { isCrashLooping } from './crash-loop.js';
import { isConfirmed, rolloutUnderWay, servingGeneration, workersOf } from './fleet.js';
import { beginRollback } from './rollback.js';
import { takeScaleBack } from './scaling.js';
import type { Effect, Fleet, Generation, Rollout, Soak, Worker } from './types.js';
import { waysOutOfSoak } from './ways.js';

/**
 * At the promotion. What went back to a good one is not tried again; a later start is to run it, and not what it has replaced.
 * @param leavesLoop what it has replaced crash-loops, and was left for that
 */
export function beginSoak(
  fleet: Fleet,
  rollout: Rollout,
  target: Generation,
  leavesLoop: boolean,
  now: number,
  effects: Effect[],
): void {
  fleet.soak = null;
  if (target.good || rollout.from === null || target.policy.soakMs === 0) {
    become(target, leavesLoop, effects);
    return;
  }
  fleet.soak = {
    rolloutId: rollout.id,
    generation: target.number,
    from: rollout.from,
    until: now + target.policy.soakMs,
    isJudged: target.policy.canary !== null && rollout.heldAt > 0, // It had a weight at some time.
    crashes: [],
  };
}

/**
 * A worker of the generation that serves has crashed: what crashes while it serves has not served. Its time begins anew, and the crashes of
 * all its slots count together: with many workers each of them may crash too seldom for a loop of its own.
 * @returns what of it is to be told
 */
export function noteCrashInSoak(fleet: Fleet, worker: Worker, now: number): string {
  const { soak } = fleet;
  if (!soak || !worker.served || worker.generation !== soak.generation || waysOutOfSoak(fleet).length === 0) return '';
  const generation = fleet.generations[worker.generation]!;
  const { crashLoop, soakMs } = generation.policy;
  soak.crashes = [...soak.crashes.filter((at) => at > now - crashLoop.windowMs), now].slice(-crashLoop.count);
  soak.until = now + soakMs;
  return hasCrashedTooOften(soak, generation) ? '' : `: its soak of ${soakMs / 1000} s begins anew`;
}

const hasCrashedTooOften = ({ crashes }: Soak, { policy }: Generation): boolean =>
  crashes.length >= policy.crashLoop.count;

/** Once its time is over, also beside a canary that is held for days. One that is down at that moment, all of it or a worker, is not good yet. */
export function settleSoak(fleet: Fleet, now: number, effects: Effect[]): boolean {
  const { soak } = fleet;
  const generation = servingGeneration(fleet);
  if (!soak || !generation) return false;
  if (soak.generation !== generation.number || fleet.stop) {
    fleet.soak = null;
    return true;
  }
  if (isCrashLooping(generation)) {
    if (rolloutUnderWay(fleet)) return false;
    // Of a loop that began during a rollout, which has failed since.
    rollBackFromSoak(fleet, 'it crash-loops', now, effects);
    return true;
  }
  const isOver = now >= soak.until;
  if (!isOver && hasCrashedTooOften(soak, generation)) {
    if (rolloutUnderWay(fleet)) return false; // Once that has failed, unless it has served its time without a crash by then.
    const { count, windowMs } = generation.policy.crashLoop;
    rollBackFromSoak(
      fleet,
      `${count} ${count === 1 ? 'crash' : 'crashes'} within ${windowMs / 1000} s of its soak`,
      now,
      effects,
    );
    return true;
  }
  if (!isOver || !isWhole(fleet, generation) || isBeingLeft(fleet)) return false;
  fleet.soak = null;
  become(generation, false, effects);
  effects.push({
    type: 'progress',
    kind: 'soaked',
    message: `generation ${generation.number} has served for ${generation.policy.soakMs / 1000} s since its ${soak.crashes.length > 0 ? 'last crash' : 'promotion'}: it is good`,
    generation: generation.number,
  });
  return true;
}

/** It serves before it has proven itself, and nothing speaks against it. */
export function isOnTrial(fleet: Fleet): boolean {
  const generation = servingGeneration(fleet);
  const { soak } = fleet;
  if (soak === null || !generation || soak.generation !== generation.number) return false;
  return !isCrashLooping(generation) && !hasCrashedTooOften(soak, generation);
}

/** Nobody goes back to what was on trial when it was left: its time does not run out meanwhile. */
const isBeingLeft = (fleet: Fleet): boolean => rolloutUnderWay(fleet) && fleet.rollout!.kind === 'rollback';

const isWhole = (fleet: Fleet, { number, slots }: Generation): boolean =>
  slots.every((slot) => workersOf(fleet, number).some((worker) => worker.slot === slot && isConfirmed(worker)));

function become(generation: Generation, leavesLoop: boolean, effects: Effect[]): void {
  generation.good = true;
  effects.push({ type: 'good', generation: generation.number, leavesLoop });
}

/** Something has gone wrong in the soak: back, where there is a way. */
export function rollBackFromSoak(fleet: Fleet, reason: string, now: number, effects: Effect[]): void {
  const { soak } = fleet;
  const bad = servingGeneration(fleet);
  if (!soak || !bad || fleet.stop || bad.number !== soak.generation || rolloutUnderWay(fleet)) return;
  fleet.soak = null; // Also where no way can be gone: none is tried again and again.
  const ways = waysOutOfSoak(fleet);
  if (ways.length === 0) {
    effects.push({
      type: 'progress',
      kind: 'warning',
      message: `generation ${bad.number} is on trial and has failed (${reason}), but nothing that was good before is known: it goes on serving`,
      generation: bad.number,
    });
    return;
  }
  effects.push({
    type: 'progress',
    kind: 'rolling-back',
    message: `generation ${bad.number} has failed in its soak: ${reason}; rolling back`,
    generation: bad.number,
  });
  takeScaleBack(fleet, `generation ${bad.number} has failed in its soak: ${reason}`, null, effects);
  beginRollback(fleet, ways, 'soak', reason, now, effects);
}
