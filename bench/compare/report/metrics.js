// Every figure that is reported: where it is found in a round, how those of several rounds become one, and how it is written. Pure.
import { median, sum } from './statistics.js';

/** `of` gives the figures of one round, null where the runner has none. */
export const metrics = [
  {
    key: 'perRequestCpu',
    title: 'CPU a request, new connection each',
    unit: 'µs',
    digits: 0,
    of: (r) => r.perRequest.cpuUsPerRequest,
  },
  {
    key: 'keepAliveCpu',
    title: 'CPU a request, keep-alive',
    unit: 'µs',
    digits: 1,
    of: (r) => r.keepAlive.cpuUsPerRequest,
  },
  {
    key: 'perRequestRate',
    title: 'requests a second, new connection each',
    unit: '',
    digits: 0,
    of: (r) => r.perRequest.perSecond,
  },
  {
    key: 'keepAliveRate',
    title: 'requests a second, keep-alive',
    unit: '',
    digits: 0,
    of: (r) => r.keepAlive.perSecond,
  },
  { key: 'steadyP50', title: 'latency p50, steady', unit: 'ms', digits: 2, of: (r) => r.latency.steady.p50 },
  { key: 'steadyP99', title: 'latency p99, steady', unit: 'ms', digits: 2, of: (r) => r.latency.steady.p99 },
  { key: 'steadyMax', title: 'latency max, steady', unit: 'ms', digits: 1, of: (r) => r.latency.steady.max },
  { key: 'reloadP50', title: 'latency p50, during a reload', unit: 'ms', digits: 2, of: (r) => r.latency.reload?.p50 },
  { key: 'reloadP99', title: 'latency p99, during a reload', unit: 'ms', digits: 2, of: (r) => r.latency.reload?.p99 },
  { key: 'reloadMax', title: 'latency max, during a reload', unit: 'ms', digits: 1, of: (r) => r.latency.reload?.max },
  { key: 'reloads', title: 'reloads under load', unit: '', digits: 0, combine: sum, of: (r) => r.losses?.reloads },
  { key: 'requests', title: 'requests meanwhile', unit: '', digits: 0, combine: sum, of: (r) => r.losses?.requests },
  {
    key: 'lost',
    title: '**requests lost** (hung ones included)',
    unit: '',
    digits: 0,
    combine: sum,
    of: (r) => r.losses?.lost,
  },
  { key: 'hung', title: 'requests that hang', unit: '', digits: 0, combine: sum, of: (r) => r.losses?.hung },
  {
    key: 'closed',
    title: 'keep-alive connections closed by the server',
    unit: '',
    digits: 0,
    combine: sum,
    of: (r) => r.losses?.closed,
  },
  {
    key: 'reloadMs',
    title: 'time of a reload',
    unit: 'ms',
    digits: 0,
    of: (r) => (r.losses === null ? null : median(r.losses.reloadMs)),
  },
  { key: 'evenness', title: 'evenness: busiest of 4 workers / mean', unit: '', digits: 2, of: (r) => r.evenness },
  { key: 'masterMemory', title: 'memory of the master, RSS', unit: 'MB', digits: 1, of: (r) => r.memory.master },
  { key: 'workerMemory', title: 'memory of a worker, RSS', unit: 'MB', digits: 1, of: (r) => r.memory.worker },
  { key: 'totalMemory', title: 'memory in all, private', unit: 'MB', digits: 1, of: (r) => r.memory.total },
];

/** One figure a metric, of all rounds of a runner: medians, and sums where something is counted. */
export function figuresOf(rounds) {
  return Object.fromEntries(
    metrics.map(({ key, of, combine = median }) => {
      const values = rounds.map(of).filter((value) => typeof value === 'number' && !Number.isNaN(value));
      return [key, values.length === 0 ? null : combine(values)];
    }),
  );
}

/** With thin separators between thousands, and a dash for what there is none of. */
export function written(value, { unit, digits }) {
  if (value === null || value === undefined) return '–';
  const figure = value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return unit === '' ? figure : `${figure} ${unit}`;
}
