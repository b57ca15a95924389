/** Whoever watches a running master: the samples of its feed. */
import { watch } from '../../src/client/watch.js';
import type { AppFigures } from '../../src/shared/figures.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { onTestFinished } from './side-by-side.js';
import { until } from './until.js';
import type { Master } from './zdsup.js';

export interface Watched {
  samples: AppSnapshot[];
  /** One that was begun from now on. */
  next(): Promise<AppSnapshot & { figures: AppFigures }>;
}

/** From the first sample on, until the test ends. */
export async function startWatching(master: Master, app: string): Promise<Watched> {
  const samples: AppSnapshot[] = [];
  const stop = new AbortController();
  const watching = watch(`${master.world.home}/run/${app}.sock`, (sample) => void samples.push(sample), {
    signal: stop.signal,
  });
  onTestFinished(async () => {
    stop.abort();
    await watching.catch(() => {}); // The master has ended first.
  });
  const reached = (count: number): Promise<number> =>
    until(
      `${count} samples`,
      () => samples.length,
      (seen) => seen >= count,
    );
  await reached(1);
  return {
    samples,
    async next() {
      const seen = samples.length;
      await reached(seen + 2); // The next one may be in the making.
      return samples[seen + 1] as AppSnapshot & { figures: AppFigures };
    },
  };
}
