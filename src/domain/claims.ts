/** How long a worker may take to claim a connection that it is offered before it is passed over. Pure: the shell has the clock. */

/**
 * A worker that has not claimed an offer for this long is passed over for a while, in ms; on a host where claims take their time, four times
 * as long as they usually take.
 */
const CLAIM_MS = 250;
const USUAL_CLAIMS = 4;
/** How much the last claim counts in what is usual. */
const LAST_CLAIM = 0.1;

/** What a claim usually takes, after one more, in ms. */
export const usualAfter = (usualMs: number, lastMs: number): number => usualMs + LAST_CLAIM * (lastMs - usualMs);

/** In ms. */
export const patienceFor = (usualMs: number): number => Math.max(CLAIM_MS, USUAL_CLAIMS * usualMs);
