/**
 * Desired slots and observed workers in, effects out. Runs to a fixed point after every event.
 * One file decides who is forked, activated, retired and killed; the rollout only edits the desired slots.
 */

import { formatDuration } from '../shared/units.js';
import { stepOverAt } from './canary.js';
import { crashLoopOverAt, settleCrashLoop } from './crash-loop.js';
import {
  activeCount,
  allWorkers,
  drainingGenerations,
  fillsSlot,
  isActive,
  isConfirmed,
  isLive,
  liveIn,
  parkedIn,
  rememberListeners,
  rolloutUnderWay,
  slotOf,
  workersOf,
} from './fleet.js';
import { nameOf, where } from './names.js';
import { readyWithoutListenerAt, settleReadiness, whyNotReady } from './readiness.js';
import { advanceRecycling, isSubstitute, luckOf, noteFailedSubstitute, recyclingDueAt } from './recycling.js';
import { takeNextWay } from './rollback.js';
import { abortRollout, advanceRollout, isRipe, mayLeaveAfterAbort, roomOf } from './rollout.js';
import { settleRouting } from './routing.js';
import { advanceScaling, isScaledUp, takeScaleBack } from './scaling.js';
import { settleSoak } from './soak.js';
import type { Context, Effect, Fleet, Generation, RetireReason, Worker } from './types.js';
import { isLetGo, mayPark, park, settleWarm, unpark } from './warm.js';
import { beginWarmUps, isWarm, settleWarmUp, warmUpOverAt, whyNotWarm } from './warm-up.js';

export function reconcile(fleet: Fleet, context: Context, effects: Effect[]): void {
  const { now } = context;
  let again = true;
  while (again && !fleet.ended) {
    again = false;
    for (const worker of allWorkers(fleet)) again = settleWorker(fleet, worker, now, effects) || again;
    again = advanceRollout(fleet, now, effects) || again;
    again = takeNextWay(fleet, now, effects) || again; // Ahead of the soak, which would begin with the first one anew.
    again = advanceScaling(fleet, now, effects) || again;
    again = advanceRecycling(fleet, context, effects) || again;
    again = settleSoak(fleet, now, effects) || again;
    again = settleWarm(fleet, now, effects) || again;
    again = forkMissing(fleet, context, effects) || again;
    again = activateReady(fleet, now, effects) || again;
    again = beginWarmUps(fleet, effects) || again; // Not of those that have just been activated without.
    again = retireSurplus(fleet, now, effects) || again;
  }
  settleRouting(fleet, effects);
  dropGoneGenerations(fleet, effects);
  endStop(fleet, effects);
}

/** Deadlines and readiness of one worker. */
function settleWorker(fleet: Fleet, worker: Worker, now: number, effects: Effect[]): boolean {
  const generation = fleet.generations[worker.generation]!;
  switch (worker.status.state) {
    case 'starting':
      if (now >= worker.status.deadlineAt) {
        const seconds = generation.policy.readyDeadlineMs / 1000;
        const reason = `${nameOf(worker)} was not ready within ${seconds} s: ${whyNotReady(worker, generation)}`;
        failBeforeTraffic(fleet, worker, reason, now, effects);
        return true;
      }
      return settleReadiness(worker, generation, now, effects);
    case 'draining':
      if (now < worker.status.killAt) return false;
      worker.status = { state: 'killing', reason: worker.status.reason };
      effects.push({ type: 'kill', id: worker.id });
      return true;
    case 'active':
      if (settleActivation(fleet, worker, worker.status.confirmBy, now, effects)) return true;
      return settleCrashLoop(worker, generation, now, effects);
    case 'ready': {
      const failure = whyNotWarm(worker, generation, now);
      if (failure === null)
        return settleWarmUp(worker, generation, now, effects) || settleSmokeTest(fleet, worker, effects);
      failBeforeTraffic(fleet, worker, failure, now, effects);
      return true;
    }
    case 'killing':
    case 'parked':
      return false;
  }
}

/** What was to come of it is given up; a respawn is tried again. */
function failBeforeTraffic(fleet: Fleet, worker: Worker, reason: string, now: number, effects: Effect[]): void {
  worker.status = { state: 'killing', reason: 'not ready' };
  effects.push({ type: 'kill', id: worker.id });
  if (isComing(fleet, worker)) abortRollout(fleet, reason, worker.id, now, effects);
  else if (isScaledUp(fleet, worker)) takeScaleBack(fleet, reason, worker.id, effects);
  else if (isSubstitute(fleet, worker)) noteFailedSubstitute(fleet, reason);
  else effects.push({ type: 'progress', kind: 'worker-exited', message: reason, ...where(worker) });
}

/** The first coming worker that is ready is tried before any of them takes traffic. */
function settleSmokeTest(fleet: Fleet, worker: Worker, effects: Effect[]): boolean {
  const generation = fleet.generations[worker.generation]!;
  if (generation.smoke !== 'due' || !isComing(fleet, worker)) return false;
  generation.smoke = 'running';
  const message = `generation ${generation.number}: the smoke test tries ${nameOf(worker)}`;
  effects.push({ type: 'smoke', id: worker.id }, { type: 'progress', kind: 'smoke', message, ...where(worker) });
  return true;
}

/** A new worker that was told to accept and never says that it does has failed. A respawn that hangs so is liveness's to find. */
function settleActivation(
  fleet: Fleet,
  worker: Worker,
  confirmBy: number | null,
  now: number,
  effects: Effect[],
): boolean {
  if (confirmBy === null || now < confirmBy) return false;
  const isNew = isComing(fleet, worker) || isScaledUp(fleet, worker) || isSubstitute(fleet, worker);
  if (!isNew) return false;
  const seconds = fleet.generations[worker.generation]!.policy.readyDeadlineMs / 1000;
  const reason = `${nameOf(worker)} was ready, then hung: it took no traffic within ${seconds} s`;
  failBeforeTraffic(fleet, worker, reason, now, effects);
  return true;
}

/** Generations that have desired slots without a worker, whose time has come. */
function forkMissing(fleet: Fleet, context: Context, effects: Effect[]): boolean {
  const { now } = context;
  let changed = false;
  for (const generation of Object.values(fleet.generations)) {
    if (
      fleet.rollout?.to === generation.number &&
      (fleet.rollout.step === 'waiting' || fleet.rollout.step === 'preparing' || fleet.rollout.step === 'emptying')
    )
      continue;
    for (const slot of generation.slots) {
      if (liveIn(fleet, generation.number, slot) || now < slotOf(generation, slot).respawnAt) continue;
      // One that is being killed for never getting ready still fills its slot until it is gone.
      if (
        workersOf(fleet, generation.number).some(
          (worker) => worker.slot === slot && worker.status.state === 'killing' && worker.status.reason === 'not ready',
        )
      )
        continue;
      const parked = parkedIn(fleet, generation.number, slot);
      if (parked) {
        if (waitsForOthers(fleet, generation, now)) continue;
        unpark(parked, generation, now, effects);
        changed = true;
        continue;
      }
      if (!hasRoomInAbort(fleet, generation)) continue;
      fork(fleet, generation, slot, context, effects);
      changed = true;
    }
  }
  return changed;
}

/** An abort brings the old generation back within the room that the rollout had: as each new worker leaves. */
function hasRoomInAbort(fleet: Fleet, generation: Generation): boolean {
  const { rollout } = fleet;
  if (rollout?.step !== 'aborting' || rollout.from !== generation.number || rollout.to === null) return true;
  if (rollout.alone) return workersOf(fleet, rollout.to).length === 0; // No overlap on the way back either.
  const cap = roomOf(rollout, fleet.generations[rollout.to]!.policy);
  return [...workersOf(fleet, rollout.from), ...workersOf(fleet, rollout.to)].filter(fillsSlot).length < cap;
}

function fork(fleet: Fleet, generation: Generation, slot: number, { now, random }: Context, effects: Effect[]): void {
  const id = fleet.nextWorkerId++;
  fleet.workers[id] = {
    id,
    slot,
    generation: generation.number,
    pid: null,
    forkedAt: now,
    helloAt: null,
    idleAt: null,
    status: { state: 'starting', deadlineAt: now + generation.policy.readyDeadlineMs },
    listeners: {},
    askingCount: 0,
    listenFailure: null,
    readyMessage: false,
    probe: 'none',
    probeFailure: null,
    warmup: generation.policy.warmup === 'none' ? 'none' : 'due',
    warmupFailure: null,
    served: false,
    unresponsive: false,
    leaving: false,
    luck: luckOf(id, random),
    due: null,
    recycling: false,
  };
  effects.push({ type: 'fork', id, slot, generation: generation.number });
}

function activateReady(fleet: Fleet, now: number, effects: Effect[]): boolean {
  let changed = false;
  for (const worker of allWorkers(fleet)) {
    const generation = fleet.generations[worker.generation]!;
    if (
      worker.status.state !== 'ready' ||
      worker.leaving ||
      !generation.slots.includes(worker.slot) ||
      !mayActivate(fleet, worker, generation, now)
    )
      continue;
    const confirmBy = now + generation.policy.readyDeadlineMs;
    worker.status = { state: 'active', readyAt: worker.status.readyAt, confirmBy };
    worker.served = true;
    const cold = isWarm(worker) ? '' : ' without a warm-up: nobody else does';
    if (worker.warmup !== 'none') worker.warmup = 'done';
    effects.push({ type: 'activate', id: worker.id });
    const active = workersOf(fleet, generation.number).filter((other) => isActive(other) && fillsSlot(other)).length;
    const wanted = wantedCount(fleet, generation);
    effects.push({
      type: 'progress',
      kind: 'worker-active',
      message: `${nameOf(worker)} takes traffic${cold} (${active} of ${wanted})`,
      activeCount: active,
      wantedCount: wanted,
      ...where(worker),
    });
    changed = true;
  }
  return changed;
}

/** Of one that is held at a weight, those that it needs. */
const wantedCount = ({ rollout }: Fleet, { number, slots, policy }: Generation): number =>
  rollout?.to === number && rollout.wantedWeight !== null ? slots.length : policy.instances;

function mayActivate(fleet: Fleet, worker: Worker, generation: Generation, now: number): boolean {
  if (isComing(fleet, worker)) {
    if (generation.smoke === 'due' || generation.smoke === 'running') return false;
    if (!isWarm(worker)) return false;
    // Nobody serves meanwhile: waiting would help no one.
    if (fleet.rollout!.from === null || fleet.rollout!.alone) return true;
    if (!isRipe(worker, generation, now)) return false;
    if (!generation.policy.atomic) return true;
    // All of them, or all that a weight needs.
    return generation.slots.every((slot) => isRipeIn(fleet, generation, slot, now));
  }
  // A respawn: with nobody else serving, every further instant is an outage, unless the code is not what was proven.
  return (
    (isRipe(worker, generation, now) && isWarm(worker)) ||
    (activeCount(fleet) === 0 && generation.checked && !generation.modified)
  );
}

/** On the way back by one switch: of those that are parked none serves before the ones that have to boot do. */
function waitsForOthers(fleet: Fleet, generation: Generation, now: number): boolean {
  const { rollout } = fleet;
  if (!generation.policy.atomic || rollout?.to !== generation.number || rollout.from === null || rollout.alone)
    return false;
  if (rollout.step === 'aborting' || rollout.step === 'done') return false;
  return !generation.slots.every((slot) => isRipeIn(fleet, generation, slot, now));
}

function isRipeIn(fleet: Fleet, generation: Generation, slot: number, now: number): boolean {
  if (parkedIn(fleet, generation.number, slot)) return true;
  const worker = liveIn(fleet, generation.number, slot);
  return worker !== undefined && isRipe(worker, generation, now) && isWarm(worker);
}

function retireSurplus(fleet: Fleet, now: number, effects: Effect[]): boolean {
  for (const worker of allWorkers(fleet)) {
    const generation = fleet.generations[worker.generation]!;
    if (isLetGo(fleet, worker)) {
      retire(fleet, worker, generation, fleet.stop ? 'stop' : 'replaced', now, effects);
      return true;
    }
    if (!isLive(worker)) continue;
    if (generation.slots.includes(worker.slot)) {
      // One that leaves before it has served helps nobody by waiting.
      if (fillsSlot(worker) || !(isReplaced(fleet, worker) || (worker.leaving && !isActive(worker)))) continue;
      retire(fleet, worker, generation, whyReplaced(worker), now, effects);
      return true;
    }
    const rollout = fleet.rollout;
    const coming = isComing(fleet, worker);
    if (coming && !mayLeaveAfterAbort(fleet, worker, rollout!, now)) continue;
    if (mayPark(fleet, worker)) {
      park(fleet, worker, effects);
      return true;
    }
    const reason = fleet.stop
      ? 'stop'
      : coming
        ? rollout!.step === 'aborting'
          ? 'abort'
          : 'surplus' // A smaller weight.
        : generation.slots.length > 0 && isServing(fleet, worker)
          ? 'surplus'
          : 'replaced';
    retire(fleet, worker, generation, reason, now, effects);
    return true; // One at a time: the next one is judged by what is left.
  }
  return false;
}

const isServing = (fleet: Fleet, worker: Worker): boolean =>
  !rolloutUnderWay(fleet) && worker.generation === fleet.serving;

const whyReplaced = ({ unresponsive, recycling }: Worker): RetireReason =>
  unresponsive ? 'unresponsive' : recycling ? 'recycled' : 'replaced';

/** The worker that takes its place serves. */
function isReplaced(fleet: Fleet, { generation, slot }: Worker): boolean {
  const replacement = liveIn(fleet, generation, slot);
  return replacement !== undefined && isConfirmed(replacement);
}

function retire(
  fleet: Fleet,
  worker: Worker,
  generation: Generation,
  reason: RetireReason,
  now: number,
  effects: Effect[],
): void {
  if (isActive(worker)) rememberListeners(fleet, worker);
  const { drainTimeoutMs, killTimeoutMs } = generation.policy;
  const served = worker.served;
  let deadlineAt = now + (served ? drainTimeoutMs : 0);
  let killAt = deadlineAt + killTimeoutMs;
  if (fleet.stop) {
    killAt = Math.min(killAt, fleet.stop.deadlineAt);
    deadlineAt = Math.min(deadlineAt, Math.max(now, killAt - killTimeoutMs));
  }
  worker.status = { state: 'draining', reason, deadlineAt, killAt };
  effects.push({ type: 'retire', id: worker.id, deadlineMs: deadlineAt - now, closeIdle: reason === 'stop' });
  effects.push({
    type: 'progress',
    kind: 'worker-retired',
    message: served ? `${nameOf(worker)} drains (up to ${drainTime(deadlineAt - now)})` : `${nameOf(worker)} is ended`,
    ...where(worker),
  });
}

/** Whole seconds, but what is shorter as it is: who has meant seconds and written ms sees it here. */
const drainTime = (ms: number): string => (ms < 1_000 ? formatDuration(ms) : `${Math.ceil(ms / 1_000)} s`);

/** It drains sooner where a stop comes upon it. */
export function hurryDrains(fleet: Fleet, effects: Effect[], now: number): void {
  if (!fleet.stop) return;
  for (const worker of allWorkers(fleet)) {
    if (worker.status.state !== 'draining') continue;
    const { killTimeoutMs } = fleet.generations[worker.generation]!.policy;
    const killAt = Math.min(worker.status.killAt, fleet.stop.deadlineAt);
    const deadlineAt = Math.min(worker.status.deadlineAt, Math.max(now, killAt - killTimeoutMs));
    worker.status = { ...worker.status, killAt, deadlineAt };
    effects.push({ type: 'retire', id: worker.id, deadlineMs: deadlineAt - now, closeIdle: true });
  }
}

function dropGoneGenerations(fleet: Fleet, effects: Effect[]): void {
  for (const generation of Object.values(fleet.generations)) {
    if (generation.slots.length > 0 || workersOf(fleet, generation.number).length > 0) continue;
    if (generation.number === fleet.serving || (rolloutUnderWay(fleet) && fleet.rollout!.to === generation.number))
      continue;
    delete fleet.generations[generation.number];
    effects.push({ type: 'generation-gone', generation: generation.number }, { type: 'close-listeners' });
    if (drainingGenerations(fleet, [fleet.serving, fleet.rollout?.to ?? null]).length === 0)
      effects.push({
        type: 'progress',
        kind: 'drained',
        message: `generation ${generation.number} is gone`,
        generation: generation.number,
      });
  }
}

function endStop(fleet: Fleet, effects: Effect[]): void {
  if (fleet.ended || allWorkers(fleet).length > 0) return;
  const failedStart = fleet.serving === null && fleet.rollout?.outcome === 'failed';
  if (!fleet.stop && !failedStart) return;
  fleet.ended = true;
  effects.push({ type: 'end', failed: !fleet.stop });
}

/** The next instant at which time alone changes something; null where nothing waits for it. */
export function nextWakeAt(fleet: Fleet, now: number): number | null {
  const instants: number[] = [];
  for (const worker of allWorkers(fleet)) {
    const generation = fleet.generations[worker.generation]!;
    const { status } = worker;
    if (status.state === 'starting')
      instants.push(status.deadlineAt, readyWithoutListenerAt(worker, generation) ?? status.deadlineAt);
    if (status.state === 'ready' || status.state === 'active')
      instants.push(status.readyAt + generation.policy.minReadyMs);
    if (status.state === 'active' && status.confirmBy !== null) instants.push(status.confirmBy);
    const coldAt = warmUpOverAt(worker, generation);
    if (coldAt !== null) instants.push(coldAt);
    const quietAt = crashLoopOverAt(worker, generation);
    if (quietAt !== null) instants.push(quietAt);
    if (status.state === 'draining') instants.push(status.killAt);
  }
  for (const generation of Object.values(fleet.generations))
    for (const slot of generation.slots)
      if (!liveIn(fleet, generation.number, slot)) instants.push(slotOf(generation, slot).respawnAt);
  instants.push(...recyclingDueAt(fleet));
  if (fleet.soak) instants.push(fleet.soak.until);
  if (fleet.warm?.until) instants.push(fleet.warm.until);
  const overAt = fleet.rollout && stepOverAt(fleet.rollout);
  if (overAt) instants.push(overAt);
  if (fleet.rollout?.step === 'shifting') instants.push(fleet.rollout.nextStartAt);
  if (fleet.rollout?.step === 'aborting' && fleet.rollout.abortBy !== null) instants.push(fleet.rollout.abortBy);
  const ahead = instants.filter((at) => at > now);
  return ahead.length === 0 ? null : Math.min(...ahead);
}

/** Of the generation that a rollout under way brings in. */
export const isComing = (fleet: Fleet, worker: Worker): boolean =>
  rolloutUnderWay(fleet) && fleet.rollout!.to === worker.generation;
