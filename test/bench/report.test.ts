/** The pure parts of bench/compare: what is computed, judged and drawn from measurements. */
import { expect, test } from 'vitest';
import { parseAnswer } from '../../bench/compare/load/connection.js';
import { parseStat } from '../../bench/compare/processes.js';
import { chart } from '../../bench/compare/report/chart.js';
import { checkLimits, verdict } from '../../bench/compare/report/limits.js';
import { figuresOf, metrics } from '../../bench/compare/report/metrics.js';
import { busiestOverMean, median, percentiles } from '../../bench/compare/report/statistics.js';
import { markdown } from '../../bench/compare/report/table.js';
import { LOAD } from '../../bench/compare/round.js';

const latency = { p50: 1, p99: 2, max: 3, count: 100 };
const round = (cpu: number, lost: number) => ({
  memory: { master: 50, worker: 40, total: 130 },
  keepAlive: { perSecond: 20_000, cpuUsPerRequest: cpu },
  perRequest: { perSecond: 5_000, cpuUsPerRequest: cpu * 3 },
  latency: { steady: latency, reload: { ...latency, p99: 3, lost: 0 } },
  losses: { reloads: 2, requests: 1_000, lost, hung: 0, closed: 0, reloadMs: [900, 1_100], reasons: {} },
  evenness: 1.1,
});
/** As of plain node: no reload, one process, one worker. */
const bare = {
  ...round(30, 0),
  memory: { master: null, worker: null, total: 40 },
  latency: { steady: latency, reload: null },
  losses: null,
  evenness: null,
};
const measured = (id: string, title: string, rounds: unknown[]) => ({
  ...{ id, title, version: null, node: 'v20.19.0', processes: 'some', reloadedBy: null, rounds },
  figures: figuresOf(rounds),
});
const result = (own: unknown[]) => {
  const runners = [measured('zdsup', 'zdsup', own), measured('node', 'plain <node>', [bare])];
  return {
    ...{ date: '2026-01-01', machine: { cpus: 2, model: 'a CPU', kernel: '6.1' }, rounds: own.length, reloads: 2 },
    ...{ load: LOAD, runners },
    limits: checkLimits(Object.fromEntries(runners.map(({ id, figures }) => [id, figures]))),
  };
};

test('medians, nearest-rank percentiles, and a worker without work counts in the mean', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentiles(hundred)).toEqual({ p50: 50, p99: 99, max: 100, count: 100 });
  expect(busiestOverMean([30, 10], 4)).toBe(3);
});

test('rounds become one figure: the median of what is measured, the sum of what is counted, null where there is none', () => {
  const figures = figuresOf([round(30, 1), round(50, 0), round(31, 2)]);
  expect(figures).toMatchObject({ keepAliveCpu: 31, lost: 3, reloads: 6, reloadMs: 1_000 });
  expect(figuresOf([bare])).toMatchObject({ lost: null, reloadP99: null, evenness: null, totalMemory: 40 });
});

test('a limit is held up to its value, exceeded beyond, and not measured where a runner was left out', () => {
  const within = (cpu: number) =>
    checkLimits({ 'zdsup-1': { keepAliveCpu: cpu }, node: { keepAliveCpu: 100 } }).map(({ within }) => within);
  const only = (value: boolean) =>
    checkLimits({}).map(({ what }) => (what.includes('keep-alive request') ? value : null));
  expect(within(105)).toEqual(only(true));
  expect(within(106)).toEqual(only(false));
  expect(verdict(checkLimits({}))).toBe('within all limits that were measured (8 were not)');
});

test('the verdict names each limit that is exceeded, a single lost request among them', () => {
  const checked = result([round(30, 1)]).limits;
  expect(verdict(checked)).toBe('NOT WITHIN THE LIMITS: requests lost by zdsup');
  expect(verdict(checked.map((one) => ({ ...one, within: true })))).toBe('within all limits');
});

test('the page has a row for each metric and limit, and a dash where there is no figure', () => {
  const page = markdown(result([round(30, 0), round(32, 0)]));
  expect(page).toContain('| CPU a request, keep-alive | 31.0 µs | 30.0 µs |');
  expect(page).toContain('| **requests lost** (hung ones included) | 0 | – |');
  expect(page).toContain('| CPU of a request on a new connection, zdsup / plain node | 1.03 | 1.25 | held |');
  for (const { title } of metrics) expect(page).toContain(`| ${title} |`);
});

test('the chart has both colour schemes, a bar in proportion for each figure, and escapes what it is given', () => {
  const svg: string = chart(result([round(60, 0)]));
  expect(svg).toContain('@media (prefers-color-scheme: dark)');
  expect(svg).not.toMatch(/NaN|undefined|null|Infinity/);
  expect(svg).toContain('plain &lt;node&gt;');
  const panel = svg
    .split('<g ')
    .slice(1)
    .find((part) => part.includes('CPU a request, keep-alive'))!;
  const [own, other] = [...panel.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  expect(own! / other!).toBeCloseTo(2, 1);
  // Every tag that is opened is closed.
  const open: string[] = [];
  for (const [, closing, name, alone] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g))
    if (closing) expect(open.pop()).toBe(name);
    else if (!alone) open.push(name!);
  expect(open).toEqual([]);
});

test('an answer counts when it is whole, and says who gave it and whether it is the last', () => {
  const head = 'HTTP/1.1 200 OK\r\nx-worker: 12.0\r\nConnection: close\r\nContent-Length: 5\r\n\r\n';
  expect(parseAnswer(`${head}hell`)).toBeNull();
  expect(parseAnswer(head.slice(0, -2))).toBeNull();
  expect(parseAnswer(`${head}hello`)).toEqual({ worker: '12.0', last: true });
  expect(parseAnswer(`${head.replace('close', 'keep-alive')}hello`)).toEqual({ worker: '12.0', last: false });
});

test('CPU of a process is that of itself and of the children it has reaped, whatever its name', () => {
  const line = `7 (a) b (c) S 3 ${'0 '.repeat(9)}11 12 13 14 20 0\n`;
  expect(parseStat(line)).toEqual({ parent: 3, ownUs: 230_000, reapedUs: 270_000 });
  expect(parseStat('')).toBeNull();
});
