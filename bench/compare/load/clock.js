// One clock for the processes of the benchmark, and how long a client waits.

/** Milliseconds since the epoch, with fractions: the same in every process of this machine. */
export const now = () => performance.timeOrigin + performance.now();

/** A request that has no answer after this long is hung. */
export const HUNG_MS = 5_000;
