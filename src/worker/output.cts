/**
 * Runs in the worker. Whoever reads stdout or stderr may end first (a closed terminal, a dead master): a write to it must
 * not take down an app that still drains. Done when a stream is first used: creating it costs start-up time.
 */
import { waitForWrites } from '../node-internals/stdio.cjs';

/** @param kept the log process reads both */
export function shieldOutput(kept: boolean): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const descriptor = Object.getOwnPropertyDescriptor(process, name);
    if (!descriptor?.get) continue;
    const get = descriptor.get;
    let shielded = false;
    Object.defineProperty(process, name, {
      ...descriptor,
      get() {
        const stream = get.call(process) as NodeJS.WriteStream;
        if (!shielded) {
          shielded = true;
          if (kept) waitForWrites(stream);
          stream.on('error', (error: NodeJS.ErrnoException) => {
            if (error.code !== 'EPIPE' && error.code !== 'EIO' && stream.listenerCount('error') === 1) throw error;
          });
        }
        return stream;
      },
    });
  }
}
