/** What Prometheus is told: from the snapshot, by its conventions, and as docs/metrics.md has it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Scrape } from '../../../src/master/web/metrics.js';
import { LATENCY_ENDS, METRICS, oneForEachSlot } from '../../../src/master/web/metrics.js';
import { exposition } from '../../../src/master/web/prometheus.js';
import type { AppFigures, Totals, WorkerFigures } from '../../../src/shared/figures.js';
import { BUCKET_COUNT, bucketOf } from '../../../src/shared/latency-buckets.js';
import type { WorkerSnapshot } from '../../../src/shared/snapshot.js';
import { snapshotOf } from '../../helpers/web.js';

const PAGE = readFileSync(join(fileURLToPath(new URL('../../../', import.meta.url)), 'docs/metrics.md'), 'utf8');

const totals: Totals = {
  ...{ requests: 12, responses: { '1xx': 0, '2xx': 8, '3xx': 1, '4xx': 1, '5xx': 1, aborted: 1 }, taken: 3, given: 4 },
  latency: [0, 2, bucketOf(3), 4, bucketOf(700), 5, BUCKET_COUNT - 1, 1],
  latencySumMs: 7_250,
};
/** Of the app, those of generations that have gone included. */
const ofApp: Totals = {
  ...{ ...totals, requests: 77, taken: 30, given: 31 },
  responses: { '1xx': 1, '2xx': 41, '3xx': 11, '4xx': 9, '5xx': 8, aborted: 7 },
};
const rates = { requestsPerSecond: 5, errorRate: 0.1, p50Ms: 3, p99Ms: null };
const loop = { utilization: 0.25, delayP50Ms: 1, delayP99Ms: 20 };
const ofWorker: WorkerFigures = {
  ...{ totals: { ...totals, requests: 8 }, rates, heapUsedBytes: 10, heapTotalBytes: 20, loop },
};
const figures: AppFigures = {
  ...{ at: '2026-11-26T12:00:09.000Z', totals: ofApp, rates, crashes: 2 },
  generations: [{ generation: 1, release: 'a1b2"c\\', workerCount: 1, totals, rates }],
  master: {
    ...{ cpuPercent: 50, rssBytes: 30, heapUsedBytes: 5, queueDelayMs: 2 },
    loop: { utilization: 0.5, delayP50Ms: 3, delayP99Ms: 40 },
  },
};
const worker = (given: Partial<WorkerSnapshot> = {}): WorkerSnapshot => ({
  ...{ slot: 0, pid: 77, generation: 1, state: 'active', startedAt: '2026-11-26T12:00:00.000Z', restarts: 1 },
  ...{ connections: 4, inFlight: 1, requests: 12, cpuPercent: 25, rssBytes: 40, figures: ofWorker },
  ...given,
});
const log = { files: ['/shop.log'], droppedLines: 6, droppedBytes: 99, trouble: null, restarts: 0 };
const scrape = (workers = [worker()]): Scrape => ({
  app: snapshotOf({ workers, figures, log, weights: { 1: 75 } }),
  health: { ready: true, active: 1, wanted: 2, least: 1, reason: null },
  releases: new Map([[1, 'a1b2"c\\']]),
  counts: {
    ...{ rollouts: { succeeded: 3, failed: 2, aborted: 1 }, recycled: 4, clients: 5 },
    refused: { host: 1, origin: 2, token: 3, rate: 4, slow: 5, full: 6 },
  },
});

/** A sample's value, by its name and labels as they are written. */
const valuesIn = (text: string): Map<string, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

test('promtool has nothing to say against it', async () => {
  const output = execFileSync('promtool', ['check', 'metrics'], {
    input: await exposition(scrape([worker(), worker({ slot: 1 }), worker({ slot: 1, state: 'draining' })])),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  expect(output).toBe('');
});

test('each value is that of the snapshot, in seconds, bytes and ratios, and there is no other', async () => {
  const values = valuesIn(await exposition(scrape([worker(), worker({ pid: null, state: 'waiting' })])));
  const generation = 'app="shop",generation="1",release="a1b2\\"c\\\\"';
  const slot = `${generation},slot="0"`;
  const at = Date.parse('2026-11-26T12:00:00Z') / 1_000;
  const of = (name: string, label: string, all: Record<string, number>): [string, number][] =>
    Object.entries(all).map(([key, value]) => [`${name},${label}="${key}"}`, value]);
  const expected: [string, number][] = [
    [`info{app="shop",version="0.1.0",node="${process.versions.node}"}`, 1],
    ['ready{app="shop"}', 1],
    ...of('workers{app="shop"', 'state', { starting: 0, ready: 0, active: 1, parked: 0, draining: 0, killing: 0 }),
    ['workers{app="shop",state="waiting"}', 1],
    ['workers_wanted{app="shop"}', 2],
    ['serving_generation{app="shop"}', 1],
    [`generation_weight_ratio{${generation}}`, 0.75],
    ['rollout_in_progress{app="shop"}', 0],
    ...of('rollouts_total{app="shop"', 'outcome', { succeeded: 3, failed: 2, aborted: 1 }),
    ['worker_crashes_total{app="shop"}', 2],
    ['workers_recycled_total{app="shop"}', 4],
    ...of('app_http_requests_total{app="shop"', 'code', ofApp.responses),
    ...of(`http_requests_total{${generation}`, 'code', totals.responses),
    [`http_request_duration_seconds_count{${generation}}`, 12],
    [`http_request_duration_seconds_sum{${generation}}`, 7.25],
    ...of('handovers_total{app="shop"', 'direction', { given: 31, taken: 30 }),
    [`worker_start_time_seconds{${slot}}`, at],
    [`worker_cpu_ratio{${slot}}`, 0.25],
    [`worker_resident_memory_bytes{${slot}}`, 40],
    [`worker_connections{${slot}}`, 4],
    [`worker_requests_in_flight{${slot}}`, 1],
    [`worker_restarts_total{${slot}}`, 1],
    [`worker_http_requests_total{${slot}}`, 8],
    [`worker_heap_used_bytes{${slot}}`, 10],
    [`worker_heap_size_bytes{${slot}}`, 20],
    [`worker_event_loop_utilization_ratio{${slot}}`, 0.25],
    [`worker_event_loop_delay_p50_seconds{${slot}}`, 0.001],
    [`worker_event_loop_delay_p99_seconds{${slot}}`, 0.02],
    ['master_start_time_seconds{app="shop"}', at],
    ['master_cpu_ratio{app="shop"}', 0.5],
    ['master_resident_memory_bytes{app="shop"}', 30],
    ['master_heap_used_bytes{app="shop"}', 5],
    ['master_event_loop_utilization_ratio{app="shop"}', 0.5],
    ['master_event_loop_delay_p99_seconds{app="shop"}', 0.04],
    ['master_queue_delay_seconds{app="shop"}', 0.002],
    ['log_dropped_lines_total{app="shop"}', 6],
    ['dashboard_clients{app="shop"}', 5],
    ...of('http_refused_total{app="shop"', 'reason', { host: 1, origin: 2, token: 3, rate: 4, slow: 5, full: 6 }),
  ];
  const told = [...values].filter(([name]) => !name.includes('_bucket{'));
  expect(Object.fromEntries(told)).toEqual(
    Object.fromEntries(expected.map(([name, value]) => [`zdsup_${name}`, value])),
  );
});

describe('the histogram', () => {
  test('adds the 5 % buckets up, to ends that lie within 2.5 % of round numbers', async () => {
    const text = await exposition(scrape());
    const buckets = [...text.matchAll(/_bucket\{.*le="([^"]+)"\} (\d+)/g)].map(([, le, count]) => [le, Number(count)]);
    expect(buckets).toHaveLength(LATENCY_ENDS.length + 1);
    expect(buckets[0]).toEqual(['0.0009906', 2]);
    expect(buckets.find(([le]) => le === '0.004956')).toEqual(['0.004956', 6]);
    expect(buckets.find(([le]) => le === '0.5107')).toEqual(['0.5107', 6]);
    expect(buckets.find(([le]) => le === '1.011')).toEqual(['1.011', 11]);
    expect(buckets.at(-2)).toEqual(['60.91', 11]);
    expect(buckets.at(-1)).toEqual(['+Inf', 12]);
  });

  test('has no request beyond an end that was shorter than it', () => {
    for (const { index, le } of LATENCY_ENDS) {
      expect(bucketOf(le * 1_000 * 0.999)).toBeLessThanOrEqual(index);
      expect(bucketOf(le * 1_000 * 1.001)).toBeGreaterThan(index);
    }
  });
});

test('a slot in which two workers overlap has one series: of the one that serves, else of the latest', () => {
  const old = worker({ pid: 1, state: 'draining', startedAt: '2026-11-26T11:00:00.000Z' });
  const serving = worker({ pid: 2, state: 'active', startedAt: '2026-11-26T11:30:00.000Z' });
  const coming = worker({ pid: 3, state: 'starting', startedAt: '2026-11-26T12:00:00.000Z' });
  const waiting = worker({ pid: null, slot: 4, state: 'waiting', startedAt: null });
  const other = worker({ pid: 5, generation: 2 });
  const pids = (...workers: WorkerSnapshot[]) => oneForEachSlot(workers).map(({ pid }) => pid);
  expect(pids(old, serving, coming, waiting, other)).toEqual([2, 5]);
  expect(pids(coming, old)).toEqual([3]);
  expect(pids(old, coming)).toEqual([3]);
});

test('while figures are not there yet, all else is', async () => {
  const { health, counts, releases } = scrape();
  const text = await exposition({ app: snapshotOf(), health, counts, releases });
  expect(text).toContain('zdsup_ready{app="shop"} 1\n');
  expect(text).not.toMatch(/NaN|undefined|null|http_requests_total/);
});

describe('docs/metrics.md', () => {
  const rows = [...PAGE.matchAll(/^\| `(zdsup_\w+)` \| (\w+) \| (.+?) \| (.+) \|$/gm)];

  test('has each metric, with its kind, labels and help, and no other', () => {
    expect(rows.map(([, name, type, labels, help]) => ({ name, type, labels, help }))).toEqual(
      METRICS.map(({ name, type, labels, help }) => ({
        ...{ name, type, help },
        labels: labels.map((label) => `\`${label}\``).join(', '),
      })),
    );
  });

  test('says what each label is, and names no metric that does not exist', async () => {
    const documented = [...PAGE.split('## What is in a label')[1]!.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)]
      .flatMap(([, names]) => names!.split(', ').map((name) => name.replaceAll('`', '')))
      .sort();
    expect(documented).toEqual([...new Set(METRICS.flatMap(({ labels }) => labels))].sort());
    const known = METRICS.map(({ name }) => name);
    for (const [name] of PAGE.matchAll(/zdsup_[a-z0-9_]+/g))
      expect(known, name).toContain(name.replace(/_bucket$/, ''));
  });

  test('and each value that is told has the labels of its metric', () => {
    for (const { name, labels, values } of METRICS)
      for (const value of values(scrape())) {
        const told = Object.keys(value.labels).sort();
        const without = (value.metricName?.endsWith('_bucket') ?? true) ? labels : labels.filter((one) => one !== 'le');
        expect(told, name).toEqual([...without].sort());
      }
  });
});
