/**
 * What workers and the master measure of themselves, as the snapshot carries it: in the terminal, on the dashboard and to Prometheus. Types alone.
 * There while figures are on: always where the config has `http`, else as long as somebody watches.
 */
import type { SparseCounts } from './latency-buckets.js';

/** By the first digit of the status; `aborted`: broken off before the answer was whole. */
export const RESPONSE_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', 'aborted'] as const;
export type ResponseClass = (typeof RESPONSE_CLASSES)[number];

/** They only grow, as long as what they are of exists. */
export interface Totals {
  /** That have begun. */
  requests: number;
  responses: Record<ResponseClass, number>;
  /** Open connections that came from another worker, and that went to one. */
  taken: number;
  given: number;
  /** How long the answers took (latency-buckets.ts), and all together, in ms. */
  latency: SparseCounts;
  latencySumMs: number;
}

/** What a worker tells the master: all that has come since it told last. */
export interface FiguresDelta {
  /** Begun. */
  requests: number;
  /** In the order of RESPONSE_CLASSES. */
  responses: number[];
  taken: number;
  given: number;
  /** How long the answers took that were whole, and all together, in ms. */
  latency: SparseCounts;
  latencySumMs: number;
  /** How its process is. Left out where the last look was a moment ago. */
  process?: { heapUsedBytes: number; heapTotalBytes: number; loop: LoopFigures };
}

/** Over the last seconds. */
export interface Rates {
  requestsPerSecond: number;
  /** Of the answers: 5xx, or broken off. 0 to 1. */
  errorRate: number;
  /** In ms; null where nobody was answered. */
  p50Ms: number | null;
  p99Ms: number | null;
}

/** An event loop, over the last interval: the share of time it was busy (0 to 1), and by how much it was late, in ms. */
export interface LoopFigures {
  utilization: number;
  delayP50Ms: number;
  delayP99Ms: number;
}

export interface WorkerFigures {
  totals: Totals;
  rates: Rates;
  /** 0 until it first tells, as a moment after it begins to serve; so the rest of its process. */
  heapUsedBytes: number;
  heapTotalBytes: number;
  loop: LoopFigures;
}

/** Of all its workers, those that have ended included. */
export interface GenerationFigures {
  generation: number;
  release: string;
  workerCount: number;
  totals: Totals;
  rates: Rates;
}

/** The process of the master itself. */
export interface MasterFigures {
  cpuPercent: number;
  rssBytes: number;
  heapUsedBytes: number;
  loop: LoopFigures;
  /** How long an event waited in the one queue, and was worked on, at most, over the last interval, in ms. */
  queueDelayMs: number;
}

export interface AppFigures {
  /** ISO 8601 instant of the last look. */
  at: string;
  /** Of all generations since the master began, or since figures are on. */
  totals: Totals;
  rates: Rates;
  /** Those that have workers, and some that had. */
  generations: GenerationFigures[];
  /** Workers that have ended unasked, since the master began. */
  crashes: number;
  master: MasterFigures;
}
