/** Runs in the master. Work that many may ask for at once is done for all of them together. */

/** Between the end of one run and the beginning of the next, in ms: who asks without end does not keep the master from all else. */
const APART_MS = 50;

/**
 * Runs `work` once at a time, and not at once again. Who asks while it runs, or in between, gets what the next run comes to, and not the last one's: that had
 * begun before, and may have missed what the asker has seen.
 */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | null = null;
  let rested: Promise<unknown> | null = null;
  const run = (): Promise<T> => {
    next = null;
    const own = work();
    const rest = own.then(apart, apart).then(() => {
      if (rested === rest) rested = null;
    });
    rested = rest;
    return own;
  };
  return () => {
    if (next !== null) return next;
    if (rested === null) return run();
    next = rested.then(run);
    return next;
  };
}

const apart = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, APART_MS));
