/** An app as its master tells of it, with what a test cares for. */
import type { AppFigures, GenerationFigures, Rates, Totals, WorkerFigures } from '../../src/shared/figures.js';
import type { AppSnapshot, WorkerSnapshot } from '../../src/shared/snapshot.js';

export const NOW = Date.parse('2026-01-01T12:00:00.000Z');
export const past = (ms: number): string => new Date(NOW - ms).toISOString();

export const worker = (changes: Partial<WorkerSnapshot> = {}): WorkerSnapshot => ({
  slot: 0,
  pid: 4242,
  generation: 3,
  state: 'active',
  startedAt: past(65_000),
  restarts: 0,
  connections: 12,
  inFlight: 3,
  requests: 1234,
  cpuPercent: 12.34,
  rssBytes: 52.5 * 2 ** 20,
  ...changes,
});

export const app = (changes: Partial<AppSnapshot> = {}): AppSnapshot => ({
  name: 'api',
  state: 'running',
  masterPid: 100,
  version: '0.1.0',
  startedAt: past(3 * 3_600_000),
  release: { id: 'abcd1234', path: '/srv/api', modified: false },
  generation: 3,
  listeners: [{ address: '0.0.0.0', port: 3000, protocol: 'http' }],
  weights: { '3': 100 },
  rollout: null,
  workers: [worker()],
  ...changes,
});

export const NO_RATES: Rates = { requestsPerSecond: 0, errorRate: 0, p50Ms: null, p99Ms: null };

const NO_TOTALS: Totals = {
  requests: 0,
  responses: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, aborted: 0 },
  taken: 0,
  given: 0,
  latency: [],
  latencySumMs: 0,
};

export const workerFigures = (changes: Partial<WorkerFigures> = {}): WorkerFigures => ({
  totals: NO_TOTALS,
  rates: { requestsPerSecond: 150, errorRate: 0, p50Ms: 2, p99Ms: 12 },
  heapUsedBytes: 40 * 2 ** 20,
  heapTotalBytes: 60 * 2 ** 20,
  loop: { utilization: 0.31, delayP50Ms: 0.1, delayP99Ms: 1.5 },
  ...changes,
});

export const appFigures = (
  generations: Partial<GenerationFigures>[],
  changes: Partial<AppFigures> = {},
): AppFigures => ({
  at: '2026-01-01T12:00:00.000Z',
  totals: NO_TOTALS,
  rates: NO_RATES,
  generations: generations.map((one) => ({
    generation: 1,
    release: 'abcd1234',
    workerCount: 1,
    totals: NO_TOTALS,
    rates: NO_RATES,
    ...one,
  })),
  crashes: 0,
  master: {
    cpuPercent: 0.4,
    rssBytes: 60 * 2 ** 20,
    heapUsedBytes: 20 * 2 ** 20,
    loop: { utilization: 0.02, delayP50Ms: 0, delayP99Ms: 0.2 },
    queueDelayMs: 0.3,
  },
  ...changes,
});
