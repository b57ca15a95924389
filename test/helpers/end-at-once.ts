/** The second Ctrl-C, as a test presses it. */
import { expect } from 'vitest';
import { isAlive } from './cleanup.js';
import { until } from './until.js';
import type { Master } from './zdsup.js';

/** For a master that is stopping: presses on, until the first that comes a second after the others ends it and its workers at once. */
export async function interruptUntilEnded(master: Master): Promise<void> {
  await until('it has ended', () => {
    master.signal('SIGINT');
    return !isAlive(master.pid);
  });
  expect((await master.exited()).code).toBe(1);
  await until('its workers have gone', () => master.liveWorkerPids.length === 0);
}
