/** How long requests took, added up. Pure. */
import type { SparseCounts } from '../../shared/latency-buckets.js';
import { BUCKET_COUNT, endOfBucket } from '../../shared/latency-buckets.js';
import type { Sample } from './samples.js';

export interface Histogram {
  readonly count: number;
  /** By bucket. */
  readonly counts: readonly number[];
}

export const EMPTY: Histogram = { count: 0, counts: Array.from({ length: BUCKET_COUNT }, () => 0) };

export function add(histogram: Histogram, sparse: SparseCounts): Histogram {
  if (sparse.length === 0) return histogram;
  const counts = [...histogram.counts];
  let { count } = histogram;
  for (let at = 0; at + 1 < sparse.length; at += 2) {
    const [bucket, more] = [sparse[at]!, sparse[at + 1]!];
    counts[bucket] = (counts[bucket] ?? 0) + more;
    count += more;
  }
  return { count, counts };
}

export function merge(one: SparseCounts, other: SparseCounts): SparseCounts {
  if (one.length === 0) return other;
  if (other.length === 0) return one;
  const counts = new Map<number, number>();
  for (const sparse of [one, other])
    for (let at = 0; at + 1 < sparse.length; at += 2)
      counts.set(sparse[at]!, (counts.get(sparse[at]!) ?? 0) + sparse[at + 1]!);
  return [...counts].flat();
}

/** The bucket of the quantile; -1 where there is nothing. */
export function quantileBucket({ count, counts }: Histogram, quantile: number): number {
  if (count === 0) return -1;
  const rank = Math.ceil(count * quantile);
  let seen = 0;
  return counts.findIndex((one) => {
    seen += one;
    return seen >= rank;
  });
}

/** Null where there is nothing; known to 2.5 % either way. In ms. */
export function quantile(histogram: Histogram, share: number): number | null {
  const bucket = quantileBucket(histogram, share);
  return bucket < 0 ? null : endOfBucket(bucket - 0.5);
}

/** Those in buckets after `bucket`. */
export function beyond(sparse: SparseCounts, bucket: number): Sample {
  let count = 0;
  let hits = 0;
  for (let at = 0; at + 1 < sparse.length; at += 2) {
    count += sparse[at + 1]!;
    if (sparse[at]! > bucket) hits += sparse[at + 1]!;
  }
  return { count, hits };
}
