/**
 * Runs in the worker. Tells the master which sockets the app has closed, a moment later: an app that closes and listens again in one
 * breath finds its socket as it was, with the clients that wait there. Under plain node that breath has no gap either.
 */
import { afterAnswers } from './asks.cjs';
import { tell } from './channel.cjs';

const closed = new Set<string>();

export function tellClosed(key: string): void {
  if (closed.size === 0) setImmediate(() => afterAnswers(flush));
  closed.add(key);
}

/** The app has `key` again. */
export const keepOpen = (key: string): boolean => closed.delete(key);

function flush(): void {
  for (const key of closed) tell({ act: 'close', key });
  closed.clear();
}
