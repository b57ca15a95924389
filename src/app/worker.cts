/**
 * `zdsup/worker`: runs in the app, which may import it and need not. Says which worker this is, and when it drains. Outside zdsup all of it does nothing, so that
 * the app runs under plain node as before. CommonJS, for `import` and `require` alike.
 */
import type { Drain, DrainCallback } from '../shared/drain-registry.cjs';
import { drainRegistry } from '../shared/drain-registry.cjs';

export type { Drain, DrainCallback };

const { ZDSUP_SLOT, ZDSUP_RELEASE } = process.env;

/**
 * Stable number of this worker among those of its app, from 0; `null` outside zdsup. For a while of each reload the old and the new worker have the same one.
 */
export const slot: number | null = ZDSUP_SLOT === undefined ? null : Number(ZDSUP_SLOT);

/** Id of the release that this worker runs: of a deployed one as `zdsup releases` lists it. `null` outside zdsup. */
export const release: string | null = ZDSUP_RELEASE ?? null;

/**
 * Has `callback` called once, when this worker is about to leave: it accepts no more connections by then, what is in flight goes on, and no idle connection has been
 * moved or closed yet. That is so at a reload, a scale-down, a recycling and a stop, and where the master has died; not where the process crashes or ends by itself, and not
 * while it is parked (`keepWarm`), for it may serve again.
 *
 * The worker ends when its connections have gone **and** each promise that a callback has returned has settled, but no later than the drain deadline (`drainTimeout`). After that the app's own
 * `SIGTERM` handlers run. What a callback throws, or its promise is rejected with, is written to stderr and keeps nothing from going on.
 *
 * Callbacks run in the order in which they were handed in, none waits for another, and the same function twice is called once. One that is handed in during the drain is called at once.
 * In a worker thread or a child process of the app, and outside zdsup, none is ever called.
 *
 * @returns takes the callback back, where it has not been called yet
 * @throws TypeError where `callback` is no function
 */
export function onDrain(callback: DrainCallback): () => void {
  if (typeof callback !== 'function') throw new TypeError('onDrain: the callback is no function');
  const registry = drainRegistry();
  if (registry.call) registry.call(callback);
  else registry.waiting.add(callback);
  return () => void registry.waiting.delete(callback);
}
