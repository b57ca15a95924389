/**
 * The core: one event in, the next fleet and the effects out. Total over the events; what is not expected is
 * `ignored` with a reason. The fleet handed in is never changed.
 */
import { beginCanary } from './canary.js';
import { changeUnderWay, emptySlot, expectedListeners, isLeaving, range, servingGeneration } from './fleet.js';
import { requestAbort, requestPause, requestPromotion, requestWeight } from './interventions.js';
import { beginRollout } from './new-rollout.js';
import { hurryDrains, reconcile } from './reconcile.js';
import { giveUpRecycling, lookedForRecycling, requestRecycle } from './recycling.js';
import { requestRollback } from './rollback.js';
import { abortRollout } from './rollout.js';
import { requestScale, takeScaleBack, withScale } from './scaling.js';
import { isOnTrial } from './soak.js';
import type { Context, Effect, Event, Expected, Fleet, Policy, StepResult } from './types.js';
import { judged, settleJudging } from './verdict.js';
import { isFallback } from './ways.js';
import { applyToWorker } from './worker-events.js';

export function step(before: Fleet, event: Event, context: Context): StepResult {
  const fleet = structuredClone(before);
  const effects: Effect[] = [];
  const ignored = apply(fleet, event, context, effects);
  reconcile(fleet, context, effects);
  startQueuedReload(fleet, context, effects);
  settleJudging(fleet, effects);
  return ignored === undefined ? { fleet, effects } : { fleet, effects, ignored };
}

/** Returns why the event was ignored, where it was. */
function apply(fleet: Fleet, event: Event, context: Context, effects: Effect[]): string | undefined {
  if (fleet.ended) return 'the master is ending';
  switch (event.type) {
    case 'rollout-requested':
      return requestRollout(fleet, event, context, effects);
    case 'scale-requested':
      return requestScale(fleet, event.count, effects);
    case 'recycle-requested':
      return requestRecycle(fleet, event.slot, effects);
    case 'weight-requested':
      return requestWeight(fleet, event.weight, effects);
    case 'promote-requested':
      return requestPromotion(fleet, event.full ?? false, effects);
    case 'pause-requested':
      return requestPause(fleet, effects);
    case 'rollback-requested':
      return requestRollback(fleet, event, context.now, effects);
    case 'verdict':
      return judged(fleet, event.rolloutId, event.verdict, context.now, effects);
    case 'abort-requested':
      return requestAbort(fleet, context.now, effects);
    case 'prepared':
      return prepared(fleet, event, effects);
    case 'prepare-failed':
      if (fleet.rollout?.id !== event.rolloutId || fleet.rollout.step !== 'preparing') return 'that rollout is over';
      abortRollout(fleet, event.reason, null, context.now, effects);
      return undefined;
    case 'release-checked': {
      const generation = fleet.generations[event.generation];
      if (!generation) return 'that generation is gone';
      generation.modified = event.modified;
      generation.checked = true;
      lookedForRecycling(fleet, generation, context.now, effects);
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
    case 'idle':
    case 'listen-asked':
    case 'listening':
    case 'listen-failed':
    case 'closed':
    case 'ready-message':
    case 'activated':
    case 'probe-passed':
    case 'probe-failed':
    case 'smoke-passed':
    case 'smoke-failed':
    case 'warmed-up':
    case 'unresponsive':
    case 'leaving':
    case 'outgrown':
    case 'exited': {
      const worker = fleet.workers[event.id];
      if (!worker) return 'that worker is gone';
      return applyToWorker(fleet, worker, event, context, effects);
    }
  }
}

type RolloutRequest = Extract<Event, { type: 'rollout-requested' }>;

function requestRollout(
  fleet: Fleet,
  request: RolloutRequest,
  context: Context,
  effects: Effect[],
): string | undefined {
  if (fleet.stop) return 'the master is stopping';
  if (firstStartFailed(fleet)) return 'the first start has failed';
  if (request.weight !== undefined && (request.kind === 'restart' || fleet.serving === null))
    return 'there is nothing to hold it beside';
  if (changeUnderWay(fleet)) {
    const queued = queuedBy(request);
    if (!queued) return fleet.scaling ? 'a scale is under way' : 'another rollout is under way';
    if (fleet.reloadQueued === null || queued.source === 'signal') fleet.reloadQueued = queued;
    return undefined;
  }
  begin(fleet, request, context, effects);
  return undefined;
}

function queuedBy({ source, cause }: RolloutRequest): Fleet['reloadQueued'] {
  if (source === 'watch') return { source, cause: cause ?? null };
  return source === 'signal' ? { source } : null;
}

function begin(
  fleet: Fleet,
  { kind, source, allowListeners, weight, noCanary, target, cause }: Omit<RolloutRequest, 'type'>,
  context: Context,
  effects: Effect[],
): void {
  const { id } = beginRollout(
    fleet,
    {
      ...{ kind, source, allowListeners, wantedWeight: weight ?? null, cause: cause ?? null },
      noCanary: noCanary ?? source === 'watch', // Whoever saves a file waits for what comes of it.
    },
    context.now,
    effects,
  );
  effects.push({ type: 'prepare', rolloutId: id, scaled: fleet.scaled, target: target ?? { kind: 'files' } });
}

const firstStartFailed = (fleet: Fleet): boolean => fleet.serving === null && fleet.rollout?.outcome === 'failed';

function startQueuedReload(fleet: Fleet, context: Context, effects: Effect[]): void {
  const queued = fleet.reloadQueued;
  if (queued === null || changeUnderWay(fleet) || fleet.ended || fleet.stop || firstStartFailed(fleet)) return;
  fleet.reloadQueued = null;
  const cause = queued.source === 'watch' ? (queued.cause ?? undefined) : undefined;
  begin(fleet, { kind: 'reload', source: queued.source, allowListeners: false, cause }, context, effects);
}

function prepared(
  fleet: Fleet,
  { rolloutId, policy: made, repeats = false }: Extract<Event, { type: 'prepared' }>,
  effects: Effect[],
): string | undefined {
  const rollout = fleet.rollout;
  if (!rollout || rollout.id !== rolloutId || rollout.step !== 'preparing') return 'that rollout is over';
  // The plan of a generation of before knows the scale of its own time.
  const policy = rollout.kind === 'rollback' ? withScale(fleet, made) : made;
  const number = fleet.nextGeneration++;
  const slotState = Object.fromEntries(
    range(policy.instances).map((slot) => [slot, emptySlot(expectationFor(fleet, slot, policy))]),
  );
  fleet.generations[number] = {
    number,
    policy,
    slots: [],
    slotState,
    listeners: {},
    closedAgain: [],
    smoke: policy.smoke ? 'due' : 'none',
    modified: false,
    checked: true,
    // What has proven itself has nothing to prove when it is brought in once more; what was replaced on trial has.
    good:
      (rollout.kind === 'rollback' && !isFallback(fleet, rollout)) ||
      (repeats && servingGeneration(fleet)?.good === true),
    repeats,
    alone: rollout.alone,
    recyclingPaused: false,
    lookAgainAt: 0,
  };
  rollout.to = number;
  beginCanary(rollout, policy);
  rollout.step = 'waiting';
  if (Object.values(fleet.workers).some(isLeaving))
    effects.push({ type: 'progress', kind: 'waiting', message: `generation ${number}: prepared`, generation: number });
  return undefined;
}

function expectationFor(fleet: Fleet, slot: number, policy: Policy): Expected {
  const { from, allowListeners } = fleet.rollout!;
  if (from === null) return { kind: allowListeners ? 'some' : 'any' };
  const expected = expectedListeners(fleet, from, slot);
  const none = expected.kind === 'exactly' && expected.keys.length === 0;
  return allowListeners && (!none || policy.check === 'http') ? { kind: 'some' } : expected;
}

function requestStop(fleet: Fleet, context: Context, effects: Effect[]): string | undefined {
  if (fleet.stop) return 'the master is stopping already';
  const policies = Object.values(fleet.generations).map((generation) => generation.policy.stopTimeoutMs);
  fleet.stop = { deadlineAt: context.now + Math.max(0, ...policies) };
  fleet.reloadQueued = null;
  effects.push({ type: 'progress', kind: 'stopping', message: 'stopping: workers finish what is in flight' });
  if (isOnTrial(fleet)) effects.push({ type: 'soak-stopped', generation: fleet.serving! });
  fleet.soak = null;
  fleet.warm = null;
  if (fleet.rollout?.step === 'canary') effects.push({ type: 'hold-stopped', rollout: { ...fleet.rollout } });
  hurryDrains(fleet, effects, context.now);
  effects.push({ type: 'close-listeners' }); // Clients are refused at once instead of waiting in a queue that nobody will serve.
  abortRollout(fleet, 'the app was stopped', null, context.now, effects);
  takeScaleBack(fleet, 'the app was stopped', null, effects);
  giveUpRecycling(fleet, 'the app was stopped', effects);
  for (const generation of Object.values(fleet.generations)) generation.slots = [];
  return undefined;
}
