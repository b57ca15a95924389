/** Runs in the master. Work that many may ask for at once is done for all of them together. */

/**
 * Runs `work` once at a time. Who asks while it runs gets what the next run comes to, and not this one's: that had begun before, and may have missed what
 * the asker has seen.
 */
export function coalesced<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  let next: Promise<T> | null = null;
  const run = (): Promise<T> => {
    next = null;
    const own = work().finally(() => {
      if (running === own) running = null;
    });
    running = own;
    return own;
  };
  return () => {
    if (next) return next;
    if (!running) return run();
    next = running.then(run, run);
    return next;
  };
}
