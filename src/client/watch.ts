/** Runs in whoever watches. The feed of one master over its control socket: a snapshot each second, and steps as they come. */
import type { ControlResult, Progress } from '../shared/control-protocol.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { ask } from './control-client.js';

export interface WatchOptions {
  onProgress?: (progress: Progress) => void;
  /** Hangs up: it resolves with null then. */
  signal?: AbortSignal | undefined;
  /** Give up where the first sample has not come by then, in ms. @default none */
  answerWithinMs?: number;
}

/**
 * Resolves with a result where the master ends, or refuses: one of an older version knows no `watch` (ZDSUP_CONTROL_PROTOCOL).
 * @throws NobodyThere; ZdsupError ZDSUP_APP_UNRESPONSIVE, ZDSUP_CONTROL_PROTOCOL
 */
export async function watch(
  socketPath: string,
  onSample: (app: AppSnapshot) => void,
  { onProgress, signal, answerWithinMs }: WatchOptions = {},
): Promise<ControlResult | null> {
  return ask(
    socketPath,
    { command: 'watch' },
    {
      onSample,
      ...(onProgress ? { onProgress } : {}),
      ...(signal ? { signal } : {}),
      ...(answerWithinMs === undefined ? {} : { answerWithinMs }),
    },
  ).catch((error: Error) => {
    if (signal?.aborted) return null;
    throw error;
  });
}
