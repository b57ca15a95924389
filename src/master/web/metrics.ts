/**
 * Runs in the master. What Prometheus is told, as rows: each metric with its name, kind and help, and how its values come from the snapshot. Names and units by
 * Prometheus' conventions; labels bounded in number. Each is documented in docs/metrics.md. Pure.
 */
import type { AppFigures, Totals, WorkerFigures } from '../../shared/figures.js';
import { RESPONSE_CLASSES } from '../../shared/figures.js';
import { bucketOf, endOfBucket } from '../../shared/latency-buckets.js';
import type { AppSnapshot, WorkerSnapshot, WorkerStateName } from '../../shared/snapshot.js';
import type { Health } from './health.js';

/** What the room counts by itself. */
export interface WebCounts {
  rollouts: Record<'succeeded' | 'failed' | 'aborted', number>;
  recycled: number;
  /** Live sockets open. */
  clients: number;
  refused: Record<'host' | 'origin' | 'token' | 'rate' | 'slow' | 'full', number>;
}

export interface Scrape {
  app: AppSnapshot;
  health: Health;
  /** Of each generation that is known. */
  releases: ReadonlyMap<number, string>;
  counts: WebCounts;
}

export type Labels = Record<string, string | number>;
export interface Value {
  labels: Labels;
  value: number;
  /** Of a histogram: with its suffix. */
  metricName?: string;
}

export interface Metric {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  labels: readonly string[];
  values(scrape: Scrape): Value[];
}

const WORKER_STATES: WorkerStateName[] = ['starting', 'ready', 'active', 'parked', 'draining', 'killing', 'waiting'];

/** Near these, in seconds, a bucket of the 5 % ones ends: the ends are told as they are. */
const NEAR_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** The bucket whose end is nearest, and that end as it is told: in seconds, by four digits. */
export const LATENCY_ENDS = NEAR_SECONDS.map((seconds) => {
  const after = bucketOf(seconds * 1_000);
  const isNearer = seconds * 1_000 - endOfBucket(after - 1) < endOfBucket(after) - seconds * 1_000;
  const index = isNearer ? after - 1 : after;
  return { index, le: Number((endOfBucket(index) / 1_000).toPrecision(4)) };
});

const seconds = (ms: number): number => ms / 1_000;
const at = (iso: string): number => Date.parse(iso) / 1_000;

function metric(
  name: string,
  type: Metric['type'],
  help: string,
  labels: readonly string[],
  values: Metric['values'],
): Metric {
  return { name: `zdsup_${name}`, type, help, labels, values };
}

/** One value, of the app. */
function ofApp(
  name: string,
  type: Metric['type'],
  help: string,
  value: (scrape: Scrape) => number | null | undefined,
): Metric {
  return metric(name, type, help, ['app'], (scrape) => {
    const found = value(scrape);
    return found === null || found === undefined ? [] : [{ labels: { app: scrape.app.name }, value: found }];
  });
}

const withFigures = (scrape: Scrape, values: (figures: AppFigures) => Value[]): Value[] =>
  scrape.app.figures ? values(scrape.app.figures) : [];

/** For each generation that has figures. */
function ofGeneration(
  name: string,
  type: Metric['type'],
  help: string,
  labels: readonly string[],
  values: (totals: Totals, own: Labels) => Value[],
): Metric {
  return metric(name, type, help, ['app', 'generation', 'release', ...labels], (scrape) =>
    withFigures(scrape, ({ generations }) =>
      generations.flatMap(({ generation, release, totals }) =>
        values(totals, { app: scrape.app.name, generation, release }),
      ),
    ),
  );
}

/** For each live worker. */
function ofWorker(
  name: string,
  type: Metric['type'],
  help: string,
  value: (worker: WorkerSnapshot) => number | null | undefined,
): Metric {
  return metric(`worker_${name}`, type, help, ['app', 'generation', 'release', 'slot'], (scrape) =>
    oneForEachSlot(scrape.app.workers).flatMap((worker) => {
      const found = value(worker);
      return found === null || found === undefined ? [] : [{ labels: labelsOf(worker, scrape), value: found }];
    }),
  );
}

const ofWorkerFigures = (
  name: string,
  type: Metric['type'],
  help: string,
  value: (figures: WorkerFigures) => number,
): Metric => ofWorker(name, type, help, ({ figures }) => figures && value(figures));

const labelsOf = ({ generation, slot }: WorkerSnapshot, { app, releases }: Scrape): Labels => ({
  app: app.name,
  generation,
  release: releases.get(generation) ?? '',
  slot,
});

/** Old and new overlap in a slot while one is recycled; a series has one value: of the one that serves, else the latest. */
export function oneForEachSlot(workers: readonly WorkerSnapshot[]): WorkerSnapshot[] {
  const chosen = new Map<string, WorkerSnapshot>();
  for (const worker of workers) {
    if (worker.pid === null) continue;
    const key = `${worker.generation} ${worker.slot}`;
    const other = chosen.get(key);
    if (!other || isRather(worker, other)) chosen.set(key, worker);
  }
  return [...chosen.values()];
}

function isRather(one: WorkerSnapshot, other: WorkerSnapshot): boolean {
  const serves = Number(one.state === 'active') - Number(other.state === 'active');
  return serves > 0 || (serves === 0 && (one.startedAt ?? '') > (other.startedAt ?? ''));
}

const byCode = (labels: Labels, totals: Totals): Value[] =>
  RESPONSE_CLASSES.map((code) => ({ labels: { ...labels, code }, value: totals.responses[code] }));

const byDirection = (labels: Labels, { given, taken }: Totals): Value[] => [
  { labels: { ...labels, direction: 'given' }, value: given },
  { labels: { ...labels, direction: 'taken' }, value: taken },
];

/** The 5 % buckets, added up to the ends that are told. */
function histogram(name: string, labels: Labels, { latency, latencySumMs }: Totals): Value[] {
  const bucket = (le: number | string, value: number): Value => ({
    ...{ labels: { ...labels, le }, value },
    metricName: `${name}_bucket`,
  });
  const upTo = (most: number): number => {
    let count = 0;
    for (let place = 0; place < latency.length; place += 2) if (latency[place]! <= most) count += latency[place + 1]!;
    return count;
  };
  const all = upTo(Number.POSITIVE_INFINITY);
  return [
    ...LATENCY_ENDS.map(({ index, le }) => bucket(le, upTo(index))),
    bucket('+Inf', all),
    { labels, value: seconds(latencySumMs), metricName: `${name}_sum` },
    { labels, value: all, metricName: `${name}_count` },
  ];
}

export const METRICS: readonly Metric[] = [
  metric('info', 'gauge', 'The running master, always 1.', ['app', 'version', 'node'], ({ app }) => [
    { labels: { app: app.name, version: app.version, node: process.versions.node }, value: 1 },
  ]),
  ofApp('ready', 'gauge', 'Whether enough workers serve, as /readyz says it: 1 or 0.', ({ health }) =>
    Number(health.ready),
  ),
  metric('workers', 'gauge', 'Workers by their state.', ['app', 'state'], ({ app }) =>
    WORKER_STATES.map((state) => ({
      labels: { app: app.name, state },
      value: app.workers.filter((worker) => worker.state === state).length,
    })),
  ),
  ofApp('workers_wanted', 'gauge', 'Workers that the serving generation should have.', ({ health }) => health.wanted),
  ofApp('serving_generation', 'gauge', 'Number of the generation that serves.', ({ app }) => app.generation),
  metric(
    'generation_weight_ratio',
    'gauge',
    'Share of the new connections that a generation gets, 0 to 1.',
    ['app', 'generation', 'release'],
    ({ app, releases }) =>
      Object.entries(app.weights).map(([generation, percent]) => ({
        labels: { app: app.name, generation, release: releases.get(Number(generation)) ?? '' },
        value: percent / 100,
      })),
  ),
  ofApp('rollout_in_progress', 'gauge', 'Whether a rollout is under way: 1 or 0.', ({ app }) =>
    Number(app.rollout !== null && app.rollout.outcome === null),
  ),
  metric('rollouts_total', 'counter', 'Rollouts that have ended, by how.', ['app', 'outcome'], ({ app, counts }) =>
    Object.entries(counts.rollouts).map(([outcome, value]) => ({ labels: { app: app.name, outcome }, value })),
  ),
  ofApp('worker_crashes_total', 'counter', 'Workers that have ended unasked.', ({ app }) => app.figures?.crashes),
  ofApp(
    'workers_recycled_total',
    'counter',
    'Workers that were replaced while they served.',
    ({ counts }) => counts.recycled,
  ),

  metric(
    'app_http_requests_total',
    'counter',
    'Requests that have ended, of all generations, by the class of the answer.',
    ['app', 'code'],
    (scrape) => withFigures(scrape, ({ totals }) => byCode({ app: scrape.app.name }, totals)),
  ),
  ofGeneration(
    'http_requests_total',
    'counter',
    'Requests that have ended, by the class of the answer.',
    ['code'],
    (totals, labels) => byCode(labels, totals),
  ),
  ofGeneration(
    'http_request_duration_seconds',
    'histogram',
    'How long requests took, from their head to the end of their answer.',
    ['le'],
    (totals, labels) => histogram('zdsup_http_request_duration_seconds', labels, totals),
  ),
  metric(
    'handovers_total',
    'counter',
    'Open connections that workers gave to others, and took from others.',
    ['app', 'direction'],
    (scrape) => withFigures(scrape, ({ totals }) => byDirection({ app: scrape.app.name }, totals)),
  ),

  ofWorker('start_time_seconds', 'gauge', 'When the worker was started, in seconds since 1970.', ({ startedAt }) =>
    startedAt === null ? null : at(startedAt),
  ),
  ofWorker('cpu_ratio', 'gauge', 'Share of one core that the worker took lately.', ({ cpuPercent }) =>
    cpuPercent === null ? null : cpuPercent / 100,
  ),
  ofWorker('resident_memory_bytes', 'gauge', 'Memory of the worker.', ({ rssBytes }) => rssBytes),
  ofWorker('connections', 'gauge', 'Open connections.', ({ connections }) => connections),
  ofWorker('requests_in_flight', 'gauge', 'Requests that are being answered.', ({ inFlight }) => inFlight),
  ofWorker(
    'restarts_total',
    'counter',
    'Workers of this slot and generation that have ended unasked.',
    (worker) => worker.restarts,
  ),
  ofWorkerFigures('http_requests_total', 'counter', 'Requests that have begun.', ({ totals }) => totals.requests),
  ofWorkerFigures('heap_used_bytes', 'gauge', 'JavaScript heap in use.', ({ heapUsedBytes }) => heapUsedBytes),
  ofWorkerFigures('heap_size_bytes', 'gauge', 'JavaScript heap that is allocated.', (own) => own.heapTotalBytes),
  ofWorkerFigures(
    'event_loop_utilization_ratio',
    'gauge',
    'Share of the last second in which the event loop was busy.',
    ({ loop }) => loop.utilization,
  ),
  ofWorkerFigures('event_loop_delay_p50_seconds', 'gauge', 'How late the event loop was, median.', ({ loop }) =>
    seconds(loop.delayP50Ms),
  ),
  ofWorkerFigures('event_loop_delay_p99_seconds', 'gauge', 'How late the event loop was, p99.', ({ loop }) =>
    seconds(loop.delayP99Ms),
  ),

  ofApp('master_start_time_seconds', 'gauge', 'When the master was started, in seconds since 1970.', ({ app }) =>
    at(app.startedAt),
  ),
  ofApp('master_cpu_ratio', 'gauge', 'Share of one core that the master took lately.', ({ app }) =>
    app.figures ? app.figures.master.cpuPercent / 100 : null,
  ),
  ofApp('master_resident_memory_bytes', 'gauge', 'Memory of the master.', ({ app }) => app.figures?.master.rssBytes),
  ofApp(
    'master_heap_used_bytes',
    'gauge',
    'JavaScript heap of the master.',
    ({ app }) => app.figures?.master.heapUsedBytes,
  ),
  ofApp(
    'master_event_loop_utilization_ratio',
    'gauge',
    "Share of the last second in which the master's event loop was busy.",
    ({ app }) => app.figures?.master.loop.utilization,
  ),
  ofApp('master_event_loop_delay_p99_seconds', 'gauge', "How late the master's event loop was, p99.", ({ app }) =>
    app.figures ? seconds(app.figures.master.loop.delayP99Ms) : null,
  ),
  ofApp(
    'master_queue_delay_seconds',
    'gauge',
    "Longest wait and work of an event in the master's queue, over the last second.",
    ({ app }) => (app.figures ? seconds(app.figures.master.queueDelayMs) : null),
  ),
  ofApp(
    'log_dropped_lines_total',
    'counter',
    'Lines that found no room in the log files.',
    ({ app }) => app.log?.droppedLines,
  ),
  ofApp('dashboard_clients', 'gauge', 'Pages that are open on the live socket.', ({ counts }) => counts.clients),
  metric(
    'http_refused_total',
    'counter',
    "Requests to the master's own HTTP that were refused, by why.",
    ['app', 'reason'],
    ({ app, counts }) =>
      Object.entries(counts.refused).map(([reason, value]) => ({ labels: { app: app.name, reason }, value })),
  ),
];
