/** An idle process that answers at once, as fast as this host lets it: what a figure in milliseconds is to be read beside. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { killOwn } from '../cleanup.js';
import { onTestFinished } from '../side-by-side.js';

const EVERY_MS = 100;

export interface Echo {
  /** Round trips so far, in ms. */
  readonly roundTripsMs: number[];
  stop(): void;
}

export function startEcho(): Echo {
  const child = spawn(process.execPath, ['-e', "process.on('message', (message) => process.send(message))"], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const roundTripsMs: number[] = [];
  let asking = false;
  const timer = setInterval(async () => {
    if (asking || !child.connected) return;
    asking = true;
    const askedAt = performance.now();
    child.send('?');
    await once(child, 'message');
    roundTripsMs.push(performance.now() - askedAt);
    asking = false;
  }, EVERY_MS);
  const stop = (): void => {
    clearInterval(timer);
    if (child.exitCode === null && child.signalCode === null) killOwn(child.pid);
  };
  onTestFinished(stop);
  return { roundTripsMs, stop };
}

export const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
