/** Runs in the master. `watch`: the feed, line by line, until the client hangs up or the master ends. */
import type { ControlResult } from '../../shared/control-protocol.js';
import type { Feed } from '../feed.js';
import type { Connection } from './context.js';

export async function watch(feed: Feed, ended: Promise<unknown>, { send, left }: Connection): Promise<ControlResult> {
  const stop = feed.subscribe((message) => send(message.type === 'sample' ? message : message.event));
  await Promise.race([ended, left]);
  stop();
  return { type: 'result', ok: true, exitStatus: 0, command: 'watch' };
}
