/** What the verdict is about: what was observed of both generations, and what has been made of it so far. Pure data. */
import type { AnalysisConfig } from '../../shared/config.js';
import type { SparseCounts } from '../../shared/latency-buckets.js';
import type { Fortune } from './betting.js';
import type { Histogram } from './histogram.js';

/** `inconclusive`: too little is known to say either. */
export type Verdict = 'good' | 'bad' | 'inconclusive';

/** Of the workers of one generation, in one stretch of time. */
export interface Observed {
  /** Answered, or broken off by the app. */
  requests: number;
  /** Of them: answered with 5xx or broken off; crashed workers count as one each. */
  failed: number;
  /** How long they took, but for the first ones of a worker, which are slow in any release. */
  latency: SparseCounts;
  /** By worker: the longest time for which its event loop was held up, in ms. */
  heldUpMs: number[];
  crashes: number;
}

export interface Observation {
  canary: Observed;
  /** Of the stable generation, in the same stretch of time. */
  stable: Observed;
}

export type VerdictSettings = Omit<AnalysisConfig, 'inconclusive'>;

/** All that was observed of one generation. */
export interface Tally {
  requests: number;
  failed: number;
  crashes: number;
  latency: Histogram;
  heldUpMs: number;
}

/** Which quantiles of the stable generation's latency the canary is held against. */
export const QUANTILES = [0.5, 0.9, 0.99] as const;

/** A release is found out by one of these. */
export type Finding =
  | { by: 'errors' | 'loop'; chance: number }
  | { by: 'latency'; chance: number; slow: Slow }
  | { by: 'maxErrorRate' | 'maxP99' | 'maxRestarts' };

/** Requests beyond a quantile of the stable generation's, and of the canary beyond what is tolerated of it. */
export interface Slow {
  quantile: number;
  stableMs: number;
  canaryMs: number;
  stable: { count: number; hits: number };
  canary: { count: number; hits: number };
}

export interface VerdictState {
  /** `canary`: both serve. `soak`: the canary alone; the stable generation's tally of before is what it is held against. */
  readonly phase: 'canary' | 'soak';
  readonly canary: Tally;
  readonly stable: Tally;
  /** Observed since the last round of bets, which waits until both have answered something. */
  readonly pending: Observation | null;
  readonly bets: Bets;
  /** What it was found out by, with its words of then; it does not become good again. */
  readonly bad: string | null;
}

/** All bets that are on. */
export interface Bets {
  /** Against "its odds to fail are no higher than tolerated". */
  readonly errors: Fortune;
  /** Against "its share of failures is too small to matter". */
  readonly mattering: Fortune;
  /** By quantile: against "no more of its requests take longer". */
  readonly latency: readonly Fortune[];
  readonly slow: readonly Slow[];
  /** Against "its event loop is held up no longer". */
  readonly loop: Fortune;
}
