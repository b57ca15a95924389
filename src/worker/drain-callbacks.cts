/**
 * Runs in the worker. Calls what the app has handed to `onDrain` (zdsup/worker), once, as the drain begins. The drain waits for what they return; their errors are
 * told and change nothing.
 */
import type { DrainCallback } from '../shared/drain-registry.cjs';
import { drainRegistry } from '../shared/drain-registry.cjs';

let underWay = 0;
let deadline: AbortController | null = null;
const called = new WeakSet<DrainCallback>();

/** So many have not settled. */
export const callbacksUnderWay = (): number => underWay;

/** @param deadlineMs until the drain deadline */
export function callDrainCallbacks(deadlineMs: number): void {
  const registry = drainRegistry();
  const call = (callback: DrainCallback): void => {
    if (called.has(callback)) return;
    called.add(callback);
    deadline ??= new AbortController(); // Late: most apps have no callback.
    const { signal } = deadline;
    underWay += 1;
    // Called in this very turn; async, so that what it throws is a rejection as any other.
    (async () => callback({ deadlineMs, signal }))().then(settled, (error: unknown) => {
      settled();
      told(error);
    });
  };
  registry.call = call;
  for (const callback of registry.waiting) call(callback);
  registry.waiting.clear();
}

/** May be called again: told once. */
export function endCallbacks(): void {
  if (deadline === null || deadline.signal.aborted) return;
  deadline.abort();
  if (underWay > 0)
    say(`${underWay} of its onDrain callbacks ${underWay === 1 ? 'has' : 'have'} not settled by the drain deadline`);
}

function settled(): void {
  underWay -= 1;
}

function told(error: unknown): void {
  const { inspect } = require('node:util') as typeof import('node:util'); // Late: most apps never need it.
  say(`an onDrain callback failed: ${inspect(error)}`);
}

const say = (message: string): void => void process.stderr.write(`zdsup: worker ${process.pid}: ${message}\n`);
