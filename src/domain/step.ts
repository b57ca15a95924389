/**
 * The core: one event in, the next fleet and the effects out. Total over the events; what is not expected is
 * `ignored` with a reason. The fleet handed in is never changed.
 */
import { backoffMs } from './backoff.js';
import {
  expectedListeners,
  isActive,
  isLive,
  opensWhatItMust,
  range,
  rememberListeners,
  rolloutUnderWay,
  slotOf,
  workersOf,
} from './fleet.js';
import { hurryDrains, isComing, nameOf, reconcile, where } from './reconcile.js';
import { abortRollout } from './rollout.js';
import type { Context, Effect, Event, Expected, Fleet, Policy, RolloutSource, StepResult, Worker } from './types.js';

export function step(before: Fleet, event: Event, context: Context): StepResult {
  const fleet = structuredClone(before);
  const effects: Effect[] = [];
  const ignored = apply(fleet, event, context, effects);
  reconcile(fleet, context, effects);
  startQueuedReload(fleet, context, effects);
  return ignored === undefined ? { fleet, effects } : { fleet, effects, ignored };
}

/** Returns why the event was ignored, where it was. */
function apply(fleet: Fleet, event: Event, context: Context, effects: Effect[]): string | undefined {
  if (fleet.ended) return 'the master is ending';
  switch (event.type) {
    case 'reload-requested':
      return requestReload(fleet, event.source, event.allowListeners, context, effects);
    case 'prepared':
      return prepared(fleet, event.rolloutId, event.policy, effects);
    case 'prepare-failed':
      if (fleet.rollout?.id !== event.rolloutId || fleet.rollout.step !== 'preparing') return 'that rollout is over';
      abortRollout(fleet, event.reason, null, context.now, effects);
      return undefined;
    case 'release-checked': {
      const generation = fleet.generations[event.generation];
      if (!generation) return 'that generation is gone';
      generation.modified = event.modified;
      generation.checked = true;
      return undefined;
    }
    case 'stop-requested':
      return requestStop(fleet, context, effects);
    case 'end-at-once':
      for (const worker of Object.values(fleet.workers)) effects.push({ type: 'kill', id: worker.id });
      fleet.ended = true;
      effects.push({ type: 'end', failed: true });
      return undefined;
    case 'timer':
      return undefined;
    case 'forked':
    case 'hello':
    case 'listen-asked':
    case 'listening':
    case 'listen-failed':
    case 'closed':
    case 'ready-message':
    case 'activated':
    case 'probe-passed':
    case 'probe-failed':
    case 'exited': {
      const worker = fleet.workers[event.id];
      if (!worker) return 'that worker is gone';
      return applyToWorker(fleet, worker, event, context, effects);
    }
  }
}

type WorkerEvent = Extract<Event, { id: number }>;

function applyToWorker(
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
    case 'listen-asked':
      worker.askingCount += 1;
      return undefined;
    case 'listen-failed':
      worker.askingCount = Math.max(0, worker.askingCount - 1);
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
    case 'exited':
      exited(fleet, worker, event, context, effects);
      return undefined;
  }
}

function requestReload(
  fleet: Fleet,
  source: RolloutSource,
  allowListeners: boolean,
  context: Context,
  effects: Effect[],
): string | undefined {
  if (fleet.stop) return 'the master is stopping';
  if (firstStartFailed(fleet)) return 'the first start has failed';
  if (rolloutUnderWay(fleet)) {
    if (source !== 'signal') return 'another rollout is under way';
    fleet.reloadQueued = true; // Several count as one.
    return undefined;
  }
  beginRollout(fleet, source, allowListeners, context, effects);
  return undefined;
}

function beginRollout(
  fleet: Fleet,
  source: RolloutSource,
  allowListeners: boolean,
  context: Context,
  effects: Effect[],
): void {
  const id = fleet.nextRolloutId++;
  const from = fleet.serving;
  fleet.rollout = {
    id,
    source,
    allowListeners,
    from,
    to: null,
    step: 'preparing',
    startedAt: context.now,
    fromSlots: from === null ? [] : [...fleet.generations[from]!.slots],
    outcome: null,
    reason: null,
    culprit: null,
    abortBy: null,
  };
  effects.push({ type: 'prepare', rolloutId: id });
}

const firstStartFailed = (fleet: Fleet): boolean => fleet.serving === null && fleet.rollout?.outcome === 'failed';

function startQueuedReload(fleet: Fleet, context: Context, effects: Effect[]): void {
  if (!fleet.reloadQueued || rolloutUnderWay(fleet) || fleet.ended || fleet.stop || firstStartFailed(fleet)) return;
  fleet.reloadQueued = false;
  beginRollout(fleet, 'signal', false, context, effects);
}

function prepared(fleet: Fleet, rolloutId: number, policy: Policy, effects: Effect[]): string | undefined {
  const rollout = fleet.rollout;
  if (!rollout || rollout.id !== rolloutId || rollout.step !== 'preparing') return 'that rollout is over';
  const number = fleet.nextGeneration++;
  const slotState = Object.fromEntries(
    range(policy.instances).map((slot) => [
      slot,
      { restarts: 0, failures: 0, respawnAt: 0, expected: expectationFor(fleet, slot, policy) },
    ]),
  );
  fleet.generations[number] = { number, policy, slots: [], slotState, listeners: {}, modified: false, checked: true };
  rollout.to = number;
  rollout.step = 'waiting';
  if (Object.values(fleet.workers).some((worker) => !isLive(worker)))
    effects.push({ type: 'progress', kind: 'waiting', message: `generation ${number}: prepared`, generation: number });
  return undefined;
}

function expectationFor(fleet: Fleet, slot: number, policy: Policy): Expected {
  const { from, allowListeners } = fleet.rollout!;
  if (from === null) return { kind: 'any' };
  const expected = expectedListeners(fleet, from, slot);
  const none = expected.kind === 'exactly' && expected.keys.length === 0;
  return allowListeners && (!none || policy.check === 'http') ? { kind: 'some' } : expected;
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
  const serving = fleet.generations[rollout!.from]!.listeners;
  if (key in serving) return undefined;
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
  if (!isLive(worker)) return 'it is leaving';
  const label = worker.listeners[key];
  delete worker.listeners[key];
  const generation = fleet.generations[worker.generation]!;
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
  const { now, random } = context;
  const generation = fleet.generations[worker.generation]!;
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
  const cause = event.error ?? (event.signal ? `was killed by ${event.signal}` : `exited with code ${event.code}`);
  const moment =
    status.state === 'active'
      ? ''
      : status.state === 'ready'
        ? `, ${now - status.readyAt} ms after it was ready`
        : ' before it was ready';
  const finished = event.code === 0 && status.state === 'starting' && Object.keys(worker.listeners).length === 0;
  const message = `${nameOf(worker)} ${cause}${moment}${finished ? ': it never listened, and had nothing left to do' : ''}`;
  if (rolloutUnderWay(fleet) && fleet.rollout!.to === worker.generation) {
    abortRollout(fleet, message, worker.id, now, effects);
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
  const next = generation.slots.includes(worker.slot) ? `; it is started again in ${delayMs} ms` : '';
  effects.push({ type: 'progress', kind: 'worker-exited', message: `${message}${next}`, ...where(worker) });
}

function requestStop(fleet: Fleet, context: Context, effects: Effect[]): string | undefined {
  if (fleet.stop) return 'the master is stopping already';
  const policies = Object.values(fleet.generations).map((generation) => generation.policy.stopTimeoutMs);
  fleet.stop = { deadlineAt: context.now + Math.max(0, ...policies) };
  fleet.reloadQueued = false;
  effects.push({ type: 'progress', kind: 'stopping', message: 'stopping: workers finish what is in flight' });
  hurryDrains(fleet, effects, context.now);
  effects.push({ type: 'close-listeners' }); // Clients are refused at once instead of waiting in a queue that nobody will serve.
  abortRollout(fleet, 'the app was stopped', null, context.now, effects);
  for (const generation of Object.values(fleet.generations)) generation.slots = [];
  return undefined;
}
