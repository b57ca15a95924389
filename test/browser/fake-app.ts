/** Snapshots of an app that never was: plausible figures that change with time, and the states that a page has to show. */
import type { LiveEvent, Point } from '../../src/shared/dashboard-protocol.js';
import type { GenerationFigures, Totals, WorkerFigures } from '../../src/shared/figures.js';
import type { AppSnapshot, RolloutSnapshot, WorkerSnapshot } from '../../src/shared/snapshot.js';
import { VERSION } from '../../src/shared/version.cjs';

export const totals = (requests: number): Totals => ({
  requests,
  responses: { '1xx': 0, '2xx': requests, '3xx': 0, '4xx': 0, '5xx': 0, aborted: 0 },
  taken: 0,
  given: 0,
  latency: [],
  latencySumMs: requests * 4,
});

/** Between 0 and 1, the same for the same. */
const wave = (at: number, seed: number): number =>
  0.5 + 0.28 * Math.sin(at / 21_000 + seed) + 0.22 * Math.sin(at / 5_300 + seed * 7);

export interface FakeGeneration {
  generation: number;
  release: string;
  workers: number;
  /** Of the requests, 0 to 1. */
  share: number;
  state?: WorkerSnapshot['state'];
  errorRate?: number;
}

export interface FakeState {
  at: number;
  name?: string;
  state?: AppSnapshot['state'];
  rps?: number;
  generations: FakeGeneration[];
  serving?: number;
  rollout?: RolloutSnapshot | null;
  more?: Partial<AppSnapshot>;
}

export function fakeApp({
  at,
  name = 'shop',
  state = 'running',
  rps = 2_400,
  generations,
  serving = generations[0]!.generation,
  rollout = null,
  more = {},
}: FakeState): AppSnapshot {
  const total = rps * (0.75 + 0.5 * wave(at, 1));
  const workers = generations.flatMap((one) =>
    Array.from({ length: one.workers }, (_, slot) => fakeWorker(one, slot, at, (total * one.share) / one.workers)),
  );
  const errorRate = generations.reduce((sum, one) => sum + one.share * (one.errorRate ?? 0), 0);
  const weights = rollout?.weight
    ? { [String(rollout.from)]: 100 - rollout.weight, [String(rollout.to)]: rollout.weight }
    : Object.fromEntries(generations.map((one) => [one.generation, Math.round(one.share * 100)]));
  return {
    name,
    state,
    masterPid: 4_711,
    version: VERSION,
    startedAt: new Date(at - 7_400_000).toISOString(),
    release: { id: generations[0]!.release, path: `/srv/${name}/releases/${generations[0]!.release}`, modified: false },
    generation: serving,
    listeners: [{ address: '0.0.0.0', port: 8080, protocol: 'http' }],
    weights,
    rollout,
    workers,
    figures: {
      at: new Date(at).toISOString(),
      totals: totals(18_234_112),
      rates: ratesOf(total, errorRate, at, 0),
      generations: generations.map((one) => fakeGeneration(one, total, at)),
      crashes: 0,
      master: {
        cpuPercent: 0.4,
        rssBytes: 61e6,
        heapUsedBytes: 14e6,
        loop: { utilization: 0.004, delayP50Ms: 0.1, delayP99Ms: 0.6 },
        queueDelayMs: 0.2,
      },
    },
    ...more,
  };
}

const ratesOf = (requestsPerSecond: number, errorRate: number, at: number, seed: number): WorkerFigures['rates'] => ({
  requestsPerSecond,
  errorRate,
  p50Ms: requestsPerSecond > 0 ? 3 + 1.5 * wave(at, seed + 2) : null,
  p99Ms: requestsPerSecond > 0 ? 14 + 12 * wave(at, seed + 3) : null,
});

const fakeGeneration = (
  { generation, release, workers, share, errorRate = 0 }: FakeGeneration,
  total: number,
  at: number,
): GenerationFigures => ({
  generation,
  release,
  workerCount: workers,
  totals: totals(Math.round(1_234_567 * share)),
  rates: ratesOf(total * share, errorRate, at, generation),
});

function fakeWorker(
  { generation, state = 'active', errorRate = 0 }: FakeGeneration,
  slot: number,
  at: number,
  rps: number,
): WorkerSnapshot {
  const busy = state === 'active' ? rps * (0.7 + 0.6 * wave(at, slot + generation)) : 0;
  return {
    slot,
    pid: 5_000 + generation * 100 + slot,
    generation,
    state,
    startedAt: new Date(at - 640_000 - slot * 1_700).toISOString(),
    restarts: 0,
    connections: Math.round(busy / 9),
    inFlight: Math.round(busy / 160),
    requests: Math.round(busy * 800),
    cpuPercent: state === 'active' ? 12 + busy / 14 : 1,
    rssBytes: 78e6 + slot * 2.1e6 + 6e6 * wave(at, slot),
    figures: {
      totals: totals(Math.round(busy * 800)),
      rates: ratesOf(busy, errorRate, at, slot),
      heapUsedBytes: 31e6,
      heapTotalBytes: 48e6,
      loop: { utilization: 0.1 + busy / 2_400, delayP50Ms: 0.3, delayP99Ms: 1.1 + 2 * wave(at, slot) },
    },
    ...(state === 'draining' ? { drain: { webSockets: 2, leftMs: 24_000 } } : {}),
  };
}

/** One a second, up to `to`. @param stateAt what was the case then */
export function fakeHistory(to: number, seconds: number, stateAt: (at: number) => FakeState): Point[] {
  return Array.from({ length: seconds }, (_, index) => {
    const at = to - (seconds - 1 - index) * 1_000;
    const { rates, generations } = fakeApp(stateAt(at)).figures!;
    return {
      at,
      rps: rates.requestsPerSecond,
      errorRate: rates.errorRate,
      p50Ms: rates.p50Ms,
      p99Ms: rates.p99Ms,
      generations: generations.map((one) => ({ generation: one.generation, rps: one.rates.requestsPerSecond })),
    };
  });
}

export const fakeEvent = (at: number, kind: LiveEvent['kind'], message: string, generation = 8): LiveEvent => ({
  at: new Date(at).toISOString(),
  kind,
  message,
  generation,
});

/** A canary that is held at a step of three, by a verdict that is still open. */
export const fakeCanary = (at: number, weight: number, what: Partial<RolloutSnapshot> = {}): RolloutSnapshot => ({
  id: 12,
  from: 7,
  to: 8,
  step: 'canary',
  startedAt: new Date(at - 130_000).toISOString(),
  outcome: null,
  reason: null,
  weight,
  kind: 'reload',
  cause: null,
  canary: {
    step: 2,
    steps: 3,
    until: new Date(at + 41_000).toISOString(),
    verdict: { kind: 'good', reason: '5xx 0.02 % and 0.02 %, p99 within 4 % of the old one, after 61,204 requests' },
  },
  release: { id: '20261126-120411', path: '/srv/shop/releases/20261126-120411' },
  ...what,
});
