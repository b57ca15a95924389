/**
 * How long requests took, as counts in buckets each 5 % wider than the one before: any quantile is known to 5 %, and two histograms are added up by adding
 * counts. Workers count in them, the verdict compares them.
 */
const FIRST_MS = 0.1;
const GROWTH = 1.05;
const LOG_GROWTH = Math.log(GROWTH);
/** Beyond an hour all are one. */
const LONGEST_MS = 3_600_000;

/** Bucket 0 ends at 0.1 ms, bucket i at 0.1 ms × 1.05^i; the end belongs to the next one. */
export function bucketOf(ms: number): number {
  if (!(ms >= FIRST_MS)) return 0;
  return 1 + Math.floor(Math.log(Math.min(ms, LONGEST_MS) / FIRST_MS) / LOG_GROWTH);
}

export const BUCKET_COUNT = bucketOf(LONGEST_MS) + 1;

/** Whatever is in bucket `index` took less, in ms. */
export const endOfBucket = (index: number): number => FIRST_MS * GROWTH ** index;

/** Only buckets that have something: index and count in turn. */
export type SparseCounts = number[];
