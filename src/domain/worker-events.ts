/** What a worker says, does or suffers: one event applied to it. Pure. */
import { backoffMs } from './backoff.js';
import { noteCrash } from './crash-loop.js';
import {
  isActive,
  isConfirmed,
  isLeaving,
  isLive,
  isParked,
  liveIn,
  opensWhatItMust,
  rememberListeners,
  rolloutUnderWay,
  slotOf,
  stays,
  workersOf,
} from './fleet.js';
import { nameOf, where } from './names.js';
import { isComing } from './reconcile.js';
import { endRecyclingOf, isSubstitute, outgrown, recycleInVain } from './recycling.js';
import { abortRollout, isRipe } from './rollout.js';
import { isScaledUp, takeScaleBack } from './scaling.js';
import { noteCrashInSoak, rollBackFromSoak } from './soak.js';
import type { Context, Effect, Event, Fleet, Worker } from './types.js';
import { warmedUp } from './warm-up.js';

export type WorkerEvent = Extract<Event, { id: number }>;

/** Returns why the event was ignored, where it was. */
export function applyToWorker(
  fleet: Fleet,
  worker: Worker,
  event: WorkerEvent,
  context: Context,
  effects: Effect[],
): string | undefined {
  switch (event.type) {
    case 'forked':
      worker.pid = event.pid;
      effects.push({
        type: 'progress',
        kind: 'worker-started',
        message: `${nameOf(worker)} started (pid ${event.pid})`,
        ...where(worker),
      });
      return undefined;
    case 'hello':
      worker.helloAt = context.now;
      return undefined;
    case 'idle':
      worker.idleAt = context.now;
      return undefined;
    case 'listen-asked':
      worker.askingCount += 1;
      return undefined;
    case 'listen-failed':
      worker.askingCount = Math.max(0, worker.askingCount - 1);
      worker.listenFailure = event.what;
      return undefined;
    case 'listening':
      worker.askingCount = Math.max(0, worker.askingCount - 1);
      return listening(fleet, worker, event.key, event.label, context, effects);
    case 'closed':
      return closed(fleet, worker, event.key, context, effects);
    case 'ready-message':
      worker.readyMessage = true;
      return undefined;
    case 'activated':
      if (worker.status.state !== 'active') return 'it is leaving';
      worker.status = { ...worker.status, confirmBy: null };
      return undefined;
    case 'probe-passed':
      worker.probe = 'passed';
      return undefined;
    case 'probe-failed':
      worker.probeFailure = event.reason;
      return undefined;
    case 'smoke-passed':
      fleet.generations[worker.generation]!.smoke = 'passed';
      effects.push({
        type: 'progress',
        kind: 'smoke',
        message: `${nameOf(worker)} passed the smoke test`,
        ...where(worker),
      });
      return undefined;
    case 'smoke-failed':
      if (!isComing(fleet, worker) || fleet.rollout!.step === 'aborting') return 'its rollout is over';
      abortRollout(fleet, `${nameOf(worker)} failed the smoke test: ${event.reason}`, worker.id, context.now, effects);
      return undefined;
    case 'warmed-up':
      return warmedUp(worker, fleet.generations[worker.generation]!, event, effects);
    case 'unresponsive':
      return unresponsive(fleet, worker, context, effects);
    case 'leaving':
      return leaving(fleet, worker, context, effects);
    case 'outgrown':
      return outgrown(fleet, worker, event, context.now);
    case 'exited':
      exited(fleet, worker, event, context, effects);
      return undefined;
  }
}

function listening(
  fleet: Fleet,
  worker: Worker,
  key: string,
  label: string,
  context: Context,
  effects: Effect[],
): string | undefined {
  worker.listeners[key] = label;
  fleet.generations[worker.generation]!.listeners[key] = label;
  const rollout = fleet.rollout;
  if (!isComing(fleet, worker) || rollout!.from === null || rollout!.allowListeners) return undefined;
  const { listeners: serving, closedAgain } = fleet.generations[rollout!.from]!;
  if (key in serving || closedAgain.includes(key)) return undefined;
  const has = [...new Set(Object.values(serving))].join(', ') || 'nothing';
  abortRollout(
    fleet,
    `${nameOf(worker)} listens on ${label}, the serving release on ${has} (--allow-listeners accepts it)`,
    worker.id,
    context.now,
    effects,
  );
  return undefined;
}

function closed(fleet: Fleet, worker: Worker, key: string, context: Context, effects: Effect[]): string | undefined {
  if (!(key in worker.listeners)) return 'it does not have that listener';
  // One that drains runs the app's own end: its successors keep the socket.
  if (isLeaving(worker) || worker.leaving) return 'it is leaving';
  const label = worker.listeners[key];
  delete worker.listeners[key];
  if (isParked(worker)) return undefined; // It is no way back any more.
  const generation = fleet.generations[worker.generation]!;
  if (!generation.closedAgain.includes(key)) generation.closedAgain.push(key);
  if (isComing(fleet, worker) && worker.status.state !== 'starting' && !opensWhatItMust(worker, generation)) {
    abortRollout(fleet, `${nameOf(worker)} has closed ${label} again`, worker.id, context.now, effects);
    return undefined;
  }
  if (workersOf(fleet, worker.generation).some((other) => isLive(other) && key in other.listeners)) return undefined;
  delete generation.listeners[key];
  effects.push({ type: 'close-listeners' });
  return undefined;
}

function exited(
  fleet: Fleet,
  worker: Worker,
  event: Extract<Event, { type: 'exited' }>,
  context: Context,
  effects: Effect[],
): void {
  const { now } = context;
  const { status } = worker;
  delete fleet.workers[worker.id];
  if (status.state === 'draining' || (status.state === 'killing' && status.reason !== 'not ready')) {
    const how = status.state === 'killing' ? ' (killed: it had not ended by its deadline)' : '';
    effects.push({
      type: 'progress',
      kind: 'worker-ended',
      message: `${nameOf(worker)} has ended${how}`,
      ...where(worker),
    });
    return;
  }
  if (status.state === 'parked') {
    effects.push({
      type: 'progress',
      kind: 'worker-exited',
      message: `${nameOf(worker)} has ended while it was parked`,
      ...where(worker),
    });
    return; // If it is needed, its slot is filled anew.
  }
  if (worker.leaving) {
    effects.push({
      type: 'progress',
      kind: 'worker-ended',
      message: `${nameOf(worker)} has ended ahead of its successor`,
      ...where(worker),
    });
    return; // Its slot was given up when it said so.
  }
  if (worker.unresponsive && liveIn(fleet, worker.generation, worker.slot)) {
    effects.push({
      type: 'progress',
      kind: 'worker-exited',
      message: `${nameOf(worker)}, which did not answer, has gone`,
      ...where(worker),
    });
    return; // Its replacement is there already.
  }
  const cause = event.error ?? (event.signal ? `was killed by ${event.signal}` : `exited with code ${event.code}`);
  const neverRan = event.error !== undefined && worker.pid === null;
  const moment =
    status.state === 'active' || neverRan
      ? ''
      : status.state === 'ready'
        ? `, ${now - status.readyAt} ms after it was ready`
        : ' before it was ready';
  const why = `${cause}${moment}${whyBeforeReady(worker, event.code)}`;
  vacate(fleet, worker, `${nameOf(worker)} ${why}${noteCrashInSoak(fleet, worker, now)}`, context, effects);
}

function whyBeforeReady(worker: Worker, code: number | null): string {
  if (worker.status.state !== 'starting') return '';
  if (worker.listenFailure !== null) return `: it could not listen on ${worker.listenFailure}`;
  const finished = code === 0 && Object.keys(worker.listeners).length === 0;
  return finished ? ': it never listened, and had nothing left to do' : '';
}

/** Whoever was in its slot has gone, or is going: what was to come of it is given up, else the slot is filled again. */
function vacate(fleet: Fleet, worker: Worker, message: string, context: Context, effects: Effect[]): void {
  const { now, random } = context;
  const generation = fleet.generations[worker.generation]!;
  if (isSubstitute(fleet, worker)) {
    recycleInVain(fleet, message, worker.id, context, effects);
    return;
  }
  endRecyclingOf(fleet, worker, message, effects);
  if (isComing(fleet, worker)) {
    abortRollout(fleet, message, worker.id, now, effects);
    return;
  }
  if (isScaledUp(fleet, worker) && !(isConfirmed(worker) && isRipe(worker, generation, now))) {
    takeScaleBack(fleet, message, worker.id, effects);
    return;
  }
  const slot = slotOf(generation, worker.slot);
  if (isActive(worker)) rememberListeners(fleet, worker);
  slot.restarts += 1;
  slot.failures = now - worker.forkedAt >= generation.policy.backoff.resetAfterMs ? 1 : slot.failures + 1;
  const delayMs = backoffMs(generation.policy.backoff, slot.failures, random);
  slot.respawnAt = now + delayMs;
  generation.checked = false;
  effects.push({ type: 'check-release', generation: generation.number });
  const next = liveIn(fleet, worker.generation, worker.slot)
    ? '; its replacement is on the way'
    : generation.slots.includes(worker.slot)
      ? `; it is started again in ${delayMs} ms`
      : '';
  effects.push({ type: 'progress', kind: 'worker-exited', message: `${message}${next}`, ...where(worker) });
  if (noteCrash(worker, generation, now, effects) && generation.number === fleet.soak?.generation)
    rollBackFromSoak(fleet, `${nameOf(worker)} crash-loops`, now, effects);
}

/** Not gone yet, and not counted on: a restart and a stop wait for it, and its drain has a deadline. */
function leaving(fleet: Fleet, worker: Worker, context: Context, effects: Effect[]): string | undefined {
  if (isLeaving(worker)) return 'it is leaving';
  if (!stays(worker)) return 'it is being replaced';
  if (isParked(worker)) {
    worker.leaving = true; // It is no way back any more.
    return undefined;
  }
  const message = `${nameOf(worker)} has called cluster.worker.disconnect(): it serves until its successor does`;
  vacate(fleet, worker, message, context, effects);
  worker.leaving = true;
  return undefined;
}

/** Its slot is filled anew, and it is retired once its replacement serves. One at a time: a host that starves all would lose all. */
function unresponsive(fleet: Fleet, worker: Worker, context: Context, effects: Effect[]): string | undefined {
  if (!isActive(worker) && !isParked(worker)) return 'it is not active';
  if (!stays(worker)) return 'it is being replaced';
  if (isParked(worker)) {
    worker.unresponsive = true; // It is no way back any more.
    effects.push({
      type: 'progress',
      kind: 'unresponsive',
      message: `${nameOf(worker)}, which is parked, does not answer: its event loop is blocked; it leaves`,
      ...where(worker),
    });
    return undefined;
  }
  if (isComing(fleet, worker)) {
    if (fleet.rollout!.step === 'aborting') return 'it is given up';
    worker.unresponsive = true;
    abortRollout(
      fleet,
      `${nameOf(worker)} stopped answering: its event loop is blocked`,
      worker.id,
      context.now,
      effects,
    );
    return undefined;
  }
  if (rolloutUnderWay(fleet) && fleet.rollout!.step !== 'canary') return 'the rollout replaces it'; // A hold may last for days.
  if (!fleet.generations[worker.generation]!.slots.includes(worker.slot)) return 'it is surplus';
  const isReplaced = (other: Worker): boolean => other.unresponsive && isLive(other) && other.slot !== worker.slot;
  if (workersOf(fleet, worker.generation).some(isReplaced)) return 'another one is being replaced';
  rememberListeners(fleet, worker);
  worker.unresponsive = true;
  slotOf(fleet.generations[worker.generation]!, worker.slot).restarts += 1;
  effects.push({
    type: 'progress',
    kind: 'unresponsive',
    message: `${nameOf(worker)} does not answer: its event loop is blocked; it is replaced`,
    ...where(worker),
  });
  return undefined;
}
