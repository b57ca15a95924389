/** Runs in the master. The HTTP readiness check of one worker, as a Kubernetes probe. It reaches that very worker: see ask-worker.ts. */
import type { ReadyConfig } from '../shared/config.js';
import type { HttpTarget } from './ask-worker.js';
import { askWorker } from './ask-worker.js';

export interface Probe {
  stop(): void;
}

/**
 * Asks until `successes` answers in a row were 2xx or 3xx. Ends with `passed`; each failure is told; stops on `stop()`.
 * @param findTarget called for each attempt: the app may open the port it is asked on later. A string says why there is none
 */
export function startProbe(
  findTarget: () => HttpTarget | string,
  ready: ReadyConfig,
  on: { passed(): void; failed(reason: string): void },
): Probe {
  const asking = { timeoutMs: ready.timeoutMs, userAgent: 'zdsup-probe', whole: false };
  let stopped = false;
  let successes = 0;
  let timer: NodeJS.Timeout | undefined;

  const round = async (): Promise<void> => {
    const target = findTarget();
    const failure = typeof target === 'string' ? target : (await askWorker(target, asking)).failure;
    if (stopped) return;
    successes = failure === null ? successes + 1 : 0;
    if (failure !== null) on.failed(failure);
    if (successes >= ready.successes) on.passed();
    else timer = setTimeout(() => void round(), ready.periodMs);
  };
  timer = setTimeout(() => void round(), ready.initialDelayMs);
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
