/**
 * The rollout: a script over the desired slots of two generations. It reads what is observed and edits `slots`;
 * forking, activating and retiring follow from them in reconcile.ts. Run again after every event: it keeps no steps of its own.
 */
import { advanceCanary, canaryCount } from './canary.js';
import { allWorkers, drainingGenerations, isConfirmed, isLive, parkedIn, range, workersOf } from './fleet.js';
import { plural } from './names.js';
import { beginSoak } from './soak.js';
import type { Effect, Fleet, Generation, Policy, Rollout, Worker } from './types.js';
import { settleWarmAfter } from './warm.js';
import { rememberReplaced } from './ways.js';

/** Waited its `minReady` out (an old generation serves meanwhile) or has served that long (a first start). */
export const isRipe = (worker: Worker, generation: Generation, now: number): boolean =>
  (worker.status.state === 'ready' || worker.status.state === 'active') &&
  now >= worker.status.readyAt + generation.policy.minReadyMs;

/** Moves the rollout one decision further. Returns true where something changed. */
export function advanceRollout(fleet: Fleet, now: number, effects: Effect[]): boolean {
  const rollout = fleet.rollout;
  if (!rollout || rollout.to === null) return false;
  switch (rollout.step) {
    case 'waiting':
      return leaveWaiting(fleet, rollout, effects);
    case 'emptying':
      return leaveEmptying(fleet, rollout, effects);
    case 'booting':
    case 'canary':
    case 'shifting': {
      const { to, wantedWeight } = rollout;
      if (wantedWeight !== null)
        return advanceCanary(fleet, rollout, fleet.generations[to]!, wantedWeight, now, effects);
      return shift(fleet, rollout, now, effects);
    }
    case 'aborting':
      return finishAbort(fleet, rollout, now, effects);
    case 'preparing':
    case 'done':
      return false;
  }
}

function leaveWaiting(fleet: Fleet, rollout: Rollout, effects: Effect[]): boolean {
  const target = fleet.generations[rollout.to as number]!;
  if (rollout.alone) {
    beginEmptying(fleet, rollout, target, effects);
    return true;
  }
  // The old generation will drain as well, so one place is kept for it; and so will the one that is parked.
  const drainingCount = drainingGenerations(fleet, [rollout.from, rollout.to]).length;
  const { warm } = fleet;
  if (warm && drainingCount + 1 >= target.policy.maxDraining) {
    fleet.warm = null;
    return true;
  }
  if (drainingCount >= target.policy.maxDraining) return false;
  rollout.step = 'booting';
  effects.push(startingWorkers(target, rollout.wantedWeight));
  return true;
}

/** No old worker is left beside a new one: the old ones end first, and connections wait in the kernel's queue. */
function beginEmptying(fleet: Fleet, rollout: Rollout, target: Generation, effects: Effect[]): void {
  rollout.step = 'emptying';
  fleet.warm = null;
  if (rollout.from !== null) fleet.generations[rollout.from]!.slots = [];
  effects.push({
    type: 'progress',
    kind: 'emptying',
    message: `generation ${target.number}: prepared; the old workers end first, new connections wait meanwhile`,
    generation: target.number,
  });
}

function leaveEmptying(fleet: Fleet, rollout: Rollout, effects: Effect[]): boolean {
  const target = fleet.generations[rollout.to as number]!;
  if (allWorkers(fleet).some((worker) => worker.generation !== target.number)) return false;
  rollout.step = 'booting';
  effects.push(startingWorkers(target, null));
  return true;
}

function startingWorkers({ number, policy }: Generation, weight: number | null): Effect {
  const count = weight === null ? policy.instances : canaryCount(policy, weight);
  const share = weight === null ? '' : ` for ${weight} % of the traffic`;
  return {
    type: 'progress',
    kind: 'prepared',
    message: `generation ${number}: starting ${count} ${plural(count, 'worker')}${share}`,
    generation: number,
  };
}

/**
 * A worker that retires gives its connections away within this long, mostly in less: a start would compete with it for the CPU, and clients
 * wait meanwhile (a process that boots takes a core for 120 ms or more). In ms.
 */
const GIVING_AWAY_MS = 100;

/** An old worker that retires has not gone yet. */
const isGiving = (fleet: Fleet, { from, nextStartAt }: Rollout, now: number): boolean =>
  now < nextStartAt && from !== null && workersOf(fleet, from).some(({ status }) => status.state === 'draining');

/** Live workers that both generations may have together. */
export function roomOf(rollout: Rollout, policy: Policy): number {
  const { alone, from, fromSlots, weight, wantedWeight } = rollout;
  const { instances, surge, atomic } = policy;
  if (alone) return instances;
  if (atomic || from === null) return fromSlots.length + instances;
  const room = Math.max(fromSlots.length, instances) + surge;
  // A canary stands beside all of the old ones.
  if (wantedWeight === null) return room;
  return Math.max(room, fromSlots.length + canaryCount(policy, Math.max(weight ?? 0, wantedWeight)));
}

function shift(fleet: Fleet, rollout: Rollout, now: number, effects: Effect[]): boolean {
  const target = fleet.generations[rollout.to as number]!;
  const old = rollout.from === null ? null : fleet.generations[rollout.from]!;
  const { instances, surge, unavailable, atomic } = target.policy;
  const fromCount = rollout.fromSlots.length;
  const newActive = workersOf(fleet, target.number).filter(isConfirmed);
  let changed = false;

  const cap = roomOf(rollout, target.policy);
  for (const slot of range(instances)) {
    if (target.slots.includes(slot)) continue;
    // One that is parked needs neither room nor a boot.
    if (parkedIn(fleet, target.number, slot)) target.slots.push(slot);
    else if (target.slots.length + (old?.slots.length ?? 0) >= cap || isGiving(fleet, rollout, now)) break;
    else target.slots.push(slot);
    changed = true;
  }

  const complete = newActive.length === instances && newActive.every((worker) => isRipe(worker, target, now));
  if (old && !complete && !atomic) {
    // Capacity is given up ahead of the first proven worker only where there is no room for one otherwise.
    const hasRoom = surge > 0 || (target.slots.length > 0 && old.slots.length === fromCount);
    const allowance = hasRoom && newActive.length === 0 ? 0 : unavailable;
    const keep = Math.max(0, fromCount - allowance - newActive.length);
    while (old.slots.length > keep) {
      old.slots = old.slots.filter((slot) => slot !== nextToRetire(fleet, old, newActive));
      // Where capacity was given up for room, the next one is waited for.
      if (newActive.length > 0 && unavailable === 0) rollout.nextStartAt = now + GIVING_AWAY_MS;
      changed = true;
    }
  }
  if (newActive.length > 0 && rollout.step === 'booting') {
    rollout.step = 'shifting';
    changed = true;
  }
  if (complete) {
    promote(fleet, rollout, target, old, now, effects);
    changed = true;
  }
  return changed;
}

/** First a slot that serves nobody, then one whose successor serves, then the highest. */
function nextToRetire(fleet: Fleet, old: Generation, newActive: Worker[]): number {
  const serves = (slot: number): boolean =>
    workersOf(fleet, old.number).some((worker) => worker.slot === slot && isConfirmed(worker));
  const highestFirst = [...old.slots].sort((a, b) => b - a);
  return (
    highestFirst.find((slot) => !serves(slot)) ??
    highestFirst.find((slot) => newActive.some((worker) => worker.slot === slot)) ??
    highestFirst[0]!
  );
}

function promote(
  fleet: Fleet,
  rollout: Rollout,
  target: Generation,
  old: Generation | null,
  now: number,
  effects: Effect[],
): void {
  if (old) old.slots = [];
  settleWarmAfter(fleet, rollout, target, now);
  fleet.serving = target.number;
  const leavesLoop = rollout.kind === 'rollback' && old !== null && loops(old, rollout.fromSlots);
  rememberReplaced(fleet, rollout, target, old, leavesLoop);
  // Whoever edits the number in the config means that number from now on.
  if (fleet.scaled?.configured !== target.policy.configuredInstances) fleet.scaled = null;
  rollout.step = 'done';
  rollout.outcome = 'succeeded';
  rollout.ways = [];
  const workers = `${target.policy.instances} ${plural(target.policy.instances, 'worker')}`;
  const open = Object.keys(target.listeners).length > 0;
  effects.push({
    type: 'progress',
    kind: 'serving',
    message: `generation ${target.number} serves with ${workers}${open ? '' : ', listening on nothing'}`,
    generation: target.number,
  });
  // Before the end of the rollout, after which whoever has started a daemon hears no more.
  if (!open && rollout.source === 'start' && target.policy.check === 'listening')
    effects.push({
      type: 'progress',
      kind: 'warning',
      message:
        'it listens on nothing yet: --ready message or --ready /path has zdsup wait for it; an app that never listens serves as it is',
      generation: target.number,
    });
  effects.push({ type: 'rollout-ended', rollout: { ...rollout } });
  beginSoak(fleet, rollout, target, leavesLoop, now, effects);
}

/** Whoever flees from it is not to be led back to it, good as it was once. Its slots are given up one by one meanwhile. */
const loops = ({ slotState }: Generation, slots: number[]): boolean => slots.some((slot) => slotState[slot]?.looping);

/** Gives up the coming generation: the desired state is the old one again. The first cause wins. */
export function abortRollout(
  fleet: Fleet,
  reason: string,
  culprit: number | null,
  now: number,
  effects: Effect[],
): void {
  const rollout = fleet.rollout;
  if (!rollout || rollout.step === 'done' || rollout.step === 'aborting') return;
  if (fleet.stop) rollout.ways = [];
  rollout.reason = reasonOf(fleet, rollout, reason);
  rollout.culprit = culprit;
  const old = rollout.from === null ? undefined : fleet.generations[rollout.from];
  if (old) old.slots = [...rollout.fromSlots];
  if (rollout.to !== null) fleet.generations[rollout.to]!.slots = [];
  rollout.abortBy = abortByOf(fleet, rollout, old, now);
  rollout.step = 'aborting';
  if (fleet.warm?.until === null) fleet.warm = null; // They serve again.
  // After a restart nothing of the old release runs any more: is it still what it was?
  if (rollout.alone && old && !fleet.stop) effects.push({ type: 'check-release', generation: old.number });
  effects.push({
    type: 'progress',
    kind: fleet.stop ? 'aborting' : 'failed',
    message: rollout.reason,
    ...(rollout.to === null ? {} : { generation: rollout.to }),
  });
  if (rollout.to === null) endFailed(fleet, rollout, effects);
}

/** By a person: it was not found bad, and no other way is tried in its place. */
export function abortByHand(fleet: Fleet, reason: string, now: number, effects: Effect[]): void {
  Object.assign(fleet.rollout!, { aborted: true, ways: [] });
  abortRollout(fleet, reason, null, now, effects);
}

/** A rollback says what could not be gone, and the automatic one that nobody goes on. */
function reasonOf(fleet: Fleet, { ways, to, from, backTo, source }: Rollout, reason: string): string {
  const isOver = ways.length === 0;
  if (isOver)
    return source === 'soak' && !fleet.stop
      ? `the automatic rollback of generation ${from} has failed: ${reason}`
      : reason;
  return `generation ${backTo} could not be ${to !== null && to === backTo ? 'woken' : 'gone back to'}: ${reason}`;
}

/**
 * What was down before the rollout is not waited for: out of a crash loop, the next try may follow at once. Nor is what crash-loops now where there is
 * another way back: it may never be whole again.
 */
function abortByOf(fleet: Fleet, rollout: Rollout, old: Generation | undefined, now: number): number {
  if (!old || (rollout.ways.length > 0 && loops(old, rollout.fromSlots))) return now;
  const respawns = rollout.servedSlots.map((slot) => old.slotState[slot]?.respawnAt ?? 0);
  const coming = rollout.alone && rollout.to !== null ? fleet.generations[rollout.to]!.policy : null;
  const drainMs = coming ? coming.drainTimeoutMs + coming.killTimeoutMs : 0;
  return Math.max(now, ...respawns) + drainMs + old.policy.readyDeadlineMs + old.policy.minReadyMs;
}

function finishAbort(fleet: Fleet, rollout: Rollout, now: number, effects: Effect[]): boolean {
  // A worker that has served drains on by itself; one that never did is gone before the command says so.
  const left = workersOf(fleet, rollout.to).filter((worker) => isLive(worker) || !worker.served);
  const old = rollout.from === null ? undefined : fleet.generations[rollout.from];
  const whole =
    !old ||
    (rollout.alone && old.modified) || // What starts again is not what it was: nobody can say when it is ready.
    rollout.servedSlots.every((slot) =>
      workersOf(fleet, old.number).some((worker) => worker.slot === slot && isConfirmed(worker)),
    );
  if (left.length > 0 || !(whole || now >= rollout.abortBy! || fleet.stop)) return false;
  endFailed(fleet, rollout, effects);
  return true;
}

function endFailed(fleet: Fleet, rollout: Rollout, effects: Effect[]): void {
  if (fleet.stop) rollout.ways = [];
  rollout.step = 'done';
  rollout.outcome = 'failed';
  effects.push({ type: 'rollout-ended', rollout: { ...rollout } });
  effects.push({ type: 'close-listeners' });
}

/** May this worker of an aborted generation leave now, without taking capacity below what the old one had? */
export function mayLeaveAfterAbort(fleet: Fleet, worker: Worker, rollout: Rollout, now: number): boolean {
  if (!isConfirmed(worker) || rollout.from === null || rollout.alone || fleet.stop) return true;
  if (rollout.abortBy !== null && now >= rollout.abortBy) return true;
  const allowed = [rollout.from, rollout.to!].map((number) => fleet.generations[number]!.policy.unavailable);
  const unavailable = Math.max(...allowed); // The room was the new policy's: judged by the old one alone, nobody might move.
  const active = allWorkers(fleet).filter(isConfirmed).length;
  return active - 1 >= rollout.servedSlots.length - unavailable;
}
