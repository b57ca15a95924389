/** When a worker is ready: it has opened what it must, has said so where that is asked, and has passed its check. Pure. */
import { expectsNone, hasOpenedItsListeners, slotOf } from './fleet.js';
import { nameOf, where } from './names.js';
import type { Effect, Generation, Worker } from './types.js';

/**
 * At a first start nobody knows whether the app listens. Once its script is loaded it has this long to do so before it counts as one that
 * never listens, whatever `minReady` says, in ms.
 */
const QUIET_START_MS = 1_000;
/** One that computes from its start on is never idle, and counts as loaded after this long, in ms. */
const LOADED_WITHIN_MS = 10_000;

/** Returns true where it has become ready, or its check begins. */
export function settleReadiness(worker: Worker, generation: Generation, now: number, effects: Effect[]): boolean {
  const { check } = generation.policy;
  if (worker.askingCount > 0 || (check === 'message' && !worker.readyMessage)) return false;
  if (!hasOpenedItsListeners(worker, generation) && !(check === 'message' && expectsNone(worker, generation))) {
    const quietAt = readyWithoutListenerAt(worker, generation);
    if (quietAt === null || now < quietAt) return false;
  } else if (check === 'http' && worker.probe !== 'passed') {
    if (worker.probe === 'running') return false;
    worker.probe = 'running';
    effects.push({ type: 'probe', id: worker.id });
    return true;
  }
  worker.status = { state: 'ready', readyAt: now };
  effects.push({ type: 'progress', kind: 'worker-ready', message: `${nameOf(worker)} is ready`, ...where(worker) });
  return true;
}

/** When a worker that has opened nothing counts as ready: a queue worker. Null where a listener is due, or the check asks for one. */
export function readyWithoutListenerAt(worker: Worker, generation: Generation): number | null {
  if (worker.helloAt === null || generation.policy.check === 'http' || !expectsNone(worker, generation)) return null;
  const { minReadyMs } = generation.policy;
  const readyAt = worker.helloAt + minReadyMs;
  if (slotOf(generation, worker.slot).expected.kind !== 'any') return readyAt;
  return Math.max(readyAt, (worker.idleAt ?? worker.helloAt + LOADED_WITHIN_MS) + QUIET_START_MS);
}

export function whyNotReady(worker: Worker, generation: Generation): string {
  if (worker.helloAt === null) return 'it did not get as far as running the script';
  const { expected } = slotOf(generation, worker.slot);
  const open = Object.values(worker.listeners);
  if (generation.policy.check === 'message' && !worker.readyMessage)
    return "it never sent 'ready' (process.send('ready'))";
  if (!hasOpenedItsListeners(worker, generation)) {
    if (expected.kind === 'exactly' && open.length > 0)
      return `of the serving release's listeners it opened only ${open.join(', ')}`;
    return worker.listenFailure === null ? 'it never listened' : `it could not listen on ${worker.listenFailure}`;
  }
  return worker.probeFailure === null
    ? 'its readiness check never answered'
    : `its readiness check failed: ${worker.probeFailure}`;
}
