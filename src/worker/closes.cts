/**
 * Runs in the worker. Tells the master which sockets the app has closed, a moment later: an app that closes and listens again in one
 * breath finds its socket as it was, with the clients that wait there. Under plain node that breath has no gap either. One that only looks
 * whether a port is free, before it has served anybody, gets more time for it.
 */
import { afterAnswers } from './asks.cjs';
import { tell } from './channel.cjs';

/** A fifth of what `minReady` is by default, in ms: a release that closes its port for good is found out before it serves. */
const LOOK_AROUND_MS = 200;

const closed = new Map<string, NodeJS.Timeout | NodeJS.Immediate>();

/** `served`: the app has accepted there, and has clients that would rather be refused than wait. */
export function tellClosed(key: string, served: boolean): void {
  keepOpen(key);
  const told = (): void =>
    afterAnswers(() => {
      if (closed.delete(key)) tell({ act: 'close', key });
    });
  closed.set(key, served ? setImmediate(told) : setTimeout(told, LOOK_AROUND_MS).unref());
}

/** The app has `key` again. */
export function keepOpen(key: string): void {
  const timer = closed.get(key);
  if (timer === undefined) return;
  closed.delete(key);
  clearTimeout(timer as NodeJS.Timeout);
  clearImmediate(timer as NodeJS.Immediate);
}
