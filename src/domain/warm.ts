/**
 * The generation that was replaced, kept warm: its workers are parked (alive, ready, without traffic), so that the way back needs no boot.
 * At most one is; it is let go after `keepWarm`, or where another takes its place. Pure.
 */
import {
  allWorkers,
  isConfirmed,
  isLive,
  isParked,
  opensWhatItMust,
  range,
  rememberListeners,
  rolloutUnderWay,
  stays,
  workersOf,
} from './fleet.js';
import { nameOf, where } from './names.js';
import { withScale } from './scaling.js';
import type { Effect, Fleet, Generation, Rollout, Worker } from './types.js';

/** The old generation of this rollout is to be kept: it is known to be good, and the new config wants it. */
export function keepsWarm(fleet: Fleet, rollout: Rollout): boolean {
  if (rollout.kind !== 'reload' || rollout.from === null || rollout.to === null || fleet.stop) return false;
  const [old, target] = [fleet.generations[rollout.from], fleet.generations[rollout.to]];
  return old?.good === true && target?.repeats === false && target.policy.keepWarmMs > 0;
}

/** Instead of being retired. */
export function mayPark(fleet: Fleet, worker: Worker): boolean {
  if (!isConfirmed(worker)) return false;
  const { rollout } = fleet;
  const leavesNow =
    rolloutUnderWay(fleet) &&
    rollout!.step !== 'aborting' &&
    rollout!.from === worker.generation &&
    keepsWarm(fleet, rollout!);
  return leavesNow || fleet.warm?.generation === worker.generation;
}

export function park(fleet: Fleet, worker: Worker, effects: Effect[]): void {
  const { status } = worker;
  if (status.state !== 'active') return;
  if (fleet.warm?.generation !== worker.generation) fleet.warm = { generation: worker.generation, until: null };
  rememberListeners(fleet, worker);
  worker.status = { state: 'parked', readyAt: status.readyAt };
  effects.push({ type: 'park', id: worker.id });
  effects.push({
    type: 'progress',
    kind: 'worker-parked',
    message: `${nameOf(worker)} is parked: alive, without new traffic`,
    ...where(worker),
  });
}

/** It takes traffic again, without a boot. */
export function unpark(worker: Worker, { policy }: Generation, now: number, effects: Effect[]): void {
  const { status } = worker;
  if (status.state !== 'parked') return;
  worker.status = { state: 'active', readyAt: status.readyAt, confirmBy: now + policy.readyDeadlineMs };
  effects.push({ type: 'activate', id: worker.id });
  effects.push({
    type: 'progress',
    kind: 'worker-active',
    message: `${nameOf(worker)} takes traffic again: it was parked`,
    ...where(worker),
  });
}

/** Its time begins with the promotion; without one, whoever was parked before leaves. */
export function settleWarmAfter(fleet: Fleet, rollout: Rollout, target: Generation, now: number): void {
  const until = now + target.policy.keepWarmMs;
  if (keepsWarm(fleet, rollout)) fleet.warm = { generation: rollout.from!, until };
  else if (
    fleet.warm &&
    rollout.kind === 'reload' &&
    target.policy.keepWarmMs > 0 &&
    fleet.warm.generation === fleet.lastGood
  )
    fleet.warm.until = until; // What this one has replaced was still on trial: the way back leads past it.
  else fleet.warm = null;
}

/** Its app has closed what it listened on, has asked to be replaced, or does not answer any more. */
const isNoWayBack = (worker: Worker, generation: Generation): boolean =>
  !stays(worker) || !opensWhatItMust(worker, generation);

/** Nobody holds it any more. */
export function isLetGo(fleet: Fleet, worker: Worker): boolean {
  if (!isParked(worker)) return false;
  if (fleet.stop || isNoWayBack(worker, fleet.generations[worker.generation]!)) return true;
  const { rollout } = fleet;
  const comesBack = rolloutUnderWay(fleet) && rollout!.step !== 'aborting' && rollout!.to === worker.generation;
  const goesBack = rolloutUnderWay(fleet) && rollout!.from === worker.generation; // An abort brings it back.
  return !comesBack && !goesBack && fleet.warm?.generation !== worker.generation;
}

export function settleWarm(fleet: Fleet, now: number, effects: Effect[]): boolean {
  const { warm } = fleet;
  if (!warm) return false;
  const isOver = warm.until !== null && now >= warm.until;
  // Who serves still is about to be parked: at the promotion of one worker, or of all at once, nobody is yet.
  const isHeld = workersOf(fleet, warm.generation).some((worker) => isParked(worker) || isLive(worker));
  const isEmpty = warm.until !== null && !isHeld;
  if (!isOver && !isEmpty) return false;
  fleet.warm = null;
  if (isOver)
    effects.push({
      type: 'progress',
      kind: 'unparked',
      message: `generation ${warm.generation} was kept warm for its time, and leaves`,
      generation: warm.generation,
    });
  return true;
}

/** So many workers a rollback to the parked generation would have to boot: those that have gone meanwhile, or came with a scale. */
export function bootsToWake(fleet: Fleet): number {
  const generation = fleet.generations[fleet.warm?.generation ?? -1];
  if (!generation) return 0;
  const kept = workersOf(fleet, generation.number).filter(
    (worker) => (isParked(worker) || isLive(worker)) && !isNoWayBack(worker, generation),
  );
  const { instances } = withScale(fleet, generation.policy);
  return range(instances).filter((slot) => !kept.some((worker) => worker.slot === slot)).length;
}

/** The generation that a rollback goes to without a boot; null where none is parked whole enough to serve. */
export const warmGeneration = (fleet: Fleet): Generation | null =>
  fleet.warm && allWorkers(fleet).some((worker) => worker.generation === fleet.warm!.generation && isParked(worker))
    ? (fleet.generations[fleet.warm.generation] ?? null)
    : null;
