/** What has been added up of one worker, one generation, or the app. Adds in place, for each delta of each worker comes by here; knows no time. */
import type { FiguresDelta, Totals } from '../../shared/figures.js';
import { RESPONSE_CLASSES } from '../../shared/figures.js';
import type { SparseCounts } from '../../shared/latency-buckets.js';
import { BUCKET_COUNT } from '../../shared/latency-buckets.js';

type Added = Pick<FiguresDelta, 'requests' | 'responses' | 'taken' | 'given' | 'latency' | 'latencySumMs'>;

export class Tally {
  private requests = 0;
  private readonly responses: number[] = RESPONSE_CLASSES.map(() => 0);
  private taken = 0;
  private given = 0;
  private readonly latency: number[] = Array.from({ length: BUCKET_COUNT }, () => 0);
  private latencySumMs = 0;

  add({ requests, responses, taken, given, latency, latencySumMs }: Added): void {
    this.requests += requests;
    for (const [index, count] of responses.entries()) this.responses[index]! += count;
    this.taken += taken;
    this.given += given;
    for (let at = 0; at + 1 < latency.length; at += 2) this.latency[latency[at]!]! += latency[at + 1]!;
    this.latencySumMs += latencySumMs;
  }

  /** Begun, and without an answer so far. */
  underWay(): number {
    return Math.max(0, this.requests - this.responses.reduce((sum, count) => sum + count, 0));
  }

  totals(): Totals {
    return {
      requests: this.requests,
      responses: Object.fromEntries(
        RESPONSE_CLASSES.map((name, index) => [name, this.responses[index]!]),
      ) as Totals['responses'],
      taken: this.taken,
      given: this.given,
      latency: sparse(this.latency),
      latencySumMs: this.latencySumMs,
    };
  }
}

function sparse(counts: readonly number[]): SparseCounts {
  const found: SparseCounts = [];
  for (const [bucket, count] of counts.entries()) if (count > 0) found.push(bucket, count);
  return found;
}
