/**
 * Runs in the planner. A config that computes for ever never hears that its master has gone: a thread beside it looks, and
 * ends the process. It holds nothing up and keeps nothing alive.
 */
import { Worker } from 'node:worker_threads';

/** How often it looks, in ms. */
const EVERY_MS = 500;

/** @param parent id of the master */
export function guardAgainstOrphanhood(parent: number): void {
  const look = `setInterval(() => process.ppid !== ${parent} && process.kill(process.pid, 'SIGKILL'), ${EVERY_MS})`;
  // Neither the config's arguments nor what it puts into NODE_OPTIONS is for this thread.
  new Worker(look, { eval: true, execArgv: [], env: {} }).on('error', () => {}).unref();
}
