/** Runs in the master. Many changes become one: acts once it has been quiet for a while, or at the latest after another while. */

/** An editor writes in several steps, a checkout hundreds of files: so long without a change, in ms, it is taken for finished. */
export const QUIET_MS = 200;
/** A file that is written all the time does not keep the others waiting for longer, in ms. */
export const LONGEST_MS = 5_000;

export interface Timers {
  now(): number;
  /** @returns cancels it */
  after(ms: number, act: () => void): () => void;
}

const realTimers: Timers = {
  now: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** @param act is told of all paths that came together, in their order, each once */
export function gathered(act: (paths: string[]) => void, timers: Timers = realTimers): (path: string) => void {
  const paths = new Set<string>();
  let latestAt = 0;
  let cancel: () => void = () => {};
  const finish = (): void => {
    const all = [...paths];
    paths.clear();
    act(all);
  };
  return (path) => {
    if (paths.size === 0) latestAt = timers.now() + LONGEST_MS;
    paths.add(path);
    cancel();
    cancel = timers.after(Math.max(0, Math.min(QUIET_MS, latestAt - timers.now())), finish);
  };
}
