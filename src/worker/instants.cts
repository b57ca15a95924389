/** Runs in the worker. When those tell who tell at the same time as all others on this host. */

// Kept from before the app runs: it may put others in their place.
const { now: wallMs } = Date;
const { trunc } = Math;

/**
 * @param everyMs how far the instants are apart
 * @returns the ms until the next one; a whole number to V8 as well, which computes with the time in doubles: at the first timer of a double it throws away what it has
 * compiled of all timers, and with it of all sockets
 */
export const untilNext = (everyMs: number): number => trunc(everyMs - (wallMs() % everyMs));
