/**
 * The two claims that are bet against, of a share among the canary's requests: that its odds are not above those of the stable generation in the same moments, and
 * that it is not above a known share. Pure.
 *
 * Sources: blocks of two by two counts as rounds of a test under optional stopping: Turner, Ly, Grünwald, "Generic E-variables for exact sequential k-sample
 * tests", arXiv 2106.02693; strata with a share of their own: Turner, Grünwald, arXiv 2302.11401. Here each block is looked at given its sums (as Fisher's exact test;
 * the likelihood is Fisher's noncentral hypergeometric one), so that nothing has to be assumed about the stable generation's share, which may be another in
 * each block: a database that is away for a minute fails the requests of both. That canaries want such a test: Lindon, Sanden, Shirikian, "Rapid regression
 * detection in software deployments through sequential testing", arXiv 2205.14762.
 */
import type { Round } from './betting.js';

/** Requests, and of them those that did what is counted. */
export interface Sample {
  count: number;
  hits: number;
}

/** There is something to learn from it: both answered requests, and not all of them did the same. */
export function isTelling(canary: Sample, stable: Sample): boolean {
  const hits = canary.hits + stable.hits;
  return canary.count > 0 && stable.count > 0 && hits > 0 && hits < canary.count + stable.count;
}

/** Claim: the canary's odds are at most `oddsRatio` times the stable generation's. */
export function against(canary: Sample, stable: Sample, oddsRatio: number): Round {
  const atClaim = logGenerating(canary.count, stable.count, canary.hits + stable.hits, oddsRatio);
  return {
    hits: canary.hits,
    count: canary.count,
    logPrice: (ratio) =>
      logGenerating(canary.count, stable.count, canary.hits + stable.hits, oddsRatio * ratio) - atClaim,
  };
}

/** Claim: the canary's share is at most `share`. */
export function above(canary: Sample, share: number): Round {
  return {
    hits: canary.hits,
    count: canary.count,
    logPrice: (ratio) => canary.count * Math.log1p(share * (ratio - 1)),
  };
}

const BIG = 1e200;

/**
 * ln of the sum over y of C(ours, y) C(theirs, hits − y) ratio^y, up to a summand that does not depend on `ratio`: of all ways to spread the
 * hits over both.
 */
function logGenerating(ours: number, theirs: number, hits: number, ratio: number): number {
  const first = Math.max(0, hits - theirs);
  const last = Math.min(hits, ours);
  let term = 1;
  let sum = 1;
  let log = first * Math.log(ratio);
  for (let y = first; y < last; y++) {
    term *= (((ours - y) * (hits - y)) / ((y + 1) * (theirs - hits + y + 1))) * ratio;
    sum += term;
    if (sum < BIG) continue;
    term /= BIG;
    sum /= BIG;
    log += Math.log(BIG);
  }
  return log + Math.log(sum);
}

/**
 * The share that `sample` is from is not above this, but for a chance of `risk` (Chernoff's bound in its Kullback-Leibler form: valid for every count).
 */
export function upperBound({ count, hits }: Sample, risk: number): number {
  if (count === 0) return 1;
  const seen = hits / count;
  const room = Math.log(1 / risk) / count;
  let low = seen;
  let high = 1;
  for (let turn = 0; turn < 50; turn++) {
    const middle = (low + high) / 2;
    if (divergence(seen, middle) > room) high = middle;
    else low = middle;
  }
  return high;
}

/** Kullback-Leibler, of one coin from another. */
function divergence(p: number, q: number): number {
  const part = (a: number, b: number): number => (a === 0 ? 0 : a * Math.log(a / b));
  return part(p, q) + part(1 - p, 1 - q);
}
