import { describe, expect, test } from 'vitest';
import { nextTryMs } from '../../src/dashboard/pure/backoff.js';
import { LogTail } from '../../src/dashboard/pure/log-tail.js';
import { marksOf } from '../../src/dashboard/pure/marks.js';
import { laneOfColumn, PointHistory, seriesOf } from '../../src/dashboard/pure/series.js';
import { Sparks, sparkPoints } from '../../src/dashboard/pure/sparks.js';
import { minutesOf, summaryOf } from '../../src/dashboard/pure/summary.js';
import type { Point } from '../../src/shared/dashboard-protocol.js';
import { fakeApp, fakeEvent } from '../browser/fake-app.js';

const point = (second: number, what: Partial<Point> = {}): Point => ({
  at: second * 1_000,
  rps: 100,
  errorRate: 0,
  p50Ms: 4,
  p99Ms: 20,
  generations: [{ generation: 1, rps: 100 }],
  ...what,
});

describe('the history', () => {
  test('is ten minutes long, whatever comes', () => {
    const history = new PointHistory();
    for (let second = 1; second <= 700; second++) history.append(point(second));
    expect(history.window(Number.POSITIVE_INFINITY)).toHaveLength(600);
    expect(history.last!.at).toBe(700_000);
  });

  test('shows the span that is asked for', () => {
    const history = new PointHistory();
    for (let second = 1; second <= 100; second++) history.append(point(second));
    expect(history.window(10_000).map(({ at }) => at / 1_000)).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100]);
  });

  test('takes the same look once', () => {
    const history = new PointHistory();
    history.append(point(1));
    history.append(point(1));
    expect(history.window(60_000)).toHaveLength(1);
  });

  test("goes on where the master's clock was put back", () => {
    const history = new PointHistory();
    for (let second = 1; second <= 100; second++) history.append(point(second));
    for (const second of [40, 41, 42]) history.append(point(second));
    expect(history.window(5_000).map(({ at }) => at / 1_000)).toEqual([37, 38, 39, 40, 41, 42]);
  });

  test('of a new master continues what this page saw of the one before', () => {
    const history = new PointHistory();
    for (const second of [1, 2, 3]) history.append(point(second));
    history.replace([point(8), point(9)]);
    expect(history.window(60_000).map(({ at }) => at / 1_000)).toEqual([1, 2, 3, 8, 9]);
    history.replace([point(2), point(9)]);
    expect(history.window(60_000).map(({ at }) => at / 1_000)).toEqual([1, 2, 9]);
  });
});

describe('the columns of a chart', () => {
  test('stack the generations, each in its lane', () => {
    const generations = [
      { generation: 7, rps: 90 },
      { generation: 8, rps: 10 },
    ];
    const { stacked } = seriesOf([point(1, { generations })]);
    expect(stacked.map(([value]) => value)).toEqual([100, null, null, 10]);
    expect(stacked.map((_, column) => laneOfColumn(column))).toEqual([3, 2, 1, 0]);
  });

  test('break where nothing was seen for a while', () => {
    const { at, p50, stacked } = seriesOf([point(1), point(2), point(12)]);
    expect(at).toEqual([1, 2, 7, 12]);
    expect(p50).toEqual([4, 4, null, 4]);
    expect(stacked[2]).toEqual([100, 100, null, 100]);
  });

  test('have no line of errors where there are none', () => {
    expect(seriesOf([point(1), point(2, { errorRate: 0.1 })]).errors).toEqual([null, 10]);
  });
});

describe('the marks of the time line', () => {
  const at = 1_000_000;
  test('are the turns of a rollout, not the steps of its workers', () => {
    const marks = marksOf(
      [
        fakeEvent(at, 'prepared', 'generation 8: starting 1 worker for 5 % of the traffic'),
        fakeEvent(at + 2_000, 'worker-ready', 'worker 0 of generation 8 is ready'),
        fakeEvent(at + 5_000, 'held', 'generation 8 gets 5 % of the traffic with 1 worker; held there'),
        fakeEvent(at + 60_000, 'serving', 'generation 8 serves with 4 workers'),
      ],
      at,
      at + 70_000,
      1_000,
    );
    expect(marks.map(({ label, tone }) => [label, tone])).toEqual([
      ['begins', 'plain'],
      ['5 %', 'plain'],
      ['serves', 'good'],
    ]);
  });

  test('of several slots that crash one after another are one', () => {
    const marks = marksOf(
      [0, 900, 6_000, 70_000].map((after) => fakeEvent(at + after, 'crash-looping', '')),
      at,
      at + 300_000,
      1_500,
    );
    expect(marks.map((mark) => mark.at - at)).toEqual([0, 70_000]);
  });

  test('lie within the time that is shown, and of two at one place the later one stays', () => {
    const marks = marksOf(
      [
        fakeEvent(at - 1, 'prepared', ''),
        fakeEvent(at + 10, 'aborting', ''),
        fakeEvent(at + 200, 'failed', ''),
        fakeEvent(at + 90_000, 'serving', ''),
      ],
      at,
      at + 70_000,
      1_000,
    );
    expect(marks).toEqual([{ at: at + 200, label: 'failed', tone: 'bad' }]);
  });
});

describe('the charts in words', () => {
  test('say what is, what was least and most', () => {
    const { throughput, latency } = summaryOf([point(1), point(2, { rps: 300, p99Ms: 80 }), point(3)], 5);
    expect(throughput).toBe(
      'Requests a second over the last 5 minutes: 100 now, 100 at least, 300 at most, 0 % errors now',
    );
    expect(latency).toBe('Latency over the last 5 minutes: p50 4.0 ms and p99 20 ms now, p99 80 ms at most');
  });

  test('by the minute weigh errors by the requests they are of', () => {
    const minutes = minutesOf([
      point(0, { rps: 300, errorRate: 0 }),
      point(1, { rps: 100, errorRate: 1, p99Ms: null, p50Ms: null }),
      point(60, { p99Ms: null, p50Ms: null, rps: 0 }),
    ]);
    expect(minutes).toEqual([
      { at: 0, rps: 200, errorRate: 0.25, p50Ms: 4, p99Ms: 20 },
      { at: 60_000, rps: 0, errorRate: 0, p50Ms: null, p99Ms: null },
    ]);
  });
});

describe('the last minute of a worker', () => {
  const app = (pidAdd = 0) => {
    const one = fakeApp({ at: 1_000, generations: [{ generation: 1, release: 'r', workers: 2, share: 1 }] });
    for (const worker of one.workers) worker.pid! += pidAdd;
    return one.workers;
  };

  test('is forgotten with its process: the next one in its slot begins anew', () => {
    const sparks = new Sparks();
    for (let second = 0; second < 70; second++) sparks.take(app());
    expect(sparks.of(app()[0]!)!.cpu).toHaveLength(60);
    sparks.take(app(1_000));
    expect(sparks.of(app()[0]!)).toBeUndefined();
    expect(sparks.of(app(1_000)[0]!)!.cpu).toHaveLength(1);
  });

  test('ends at the right edge, the highest of all at the top', () => {
    expect(sparkPoints([0, 5, 10], 10, 59, 12)).toBe('57,11 58,6 59,1');
    expect(sparkPoints([0, 0], 0, 59, 12)).toBe('58,11 59,11');
    expect(sparkPoints([], 10, 59, 12)).toBe('');
  });
});

describe('the tail of the log', () => {
  test('keeps the last 500 lines, and knows which are new', () => {
    const tail = new LogTail();
    tail.append(Array.from({ length: 400 }, (_, index) => `line ${index}`));
    expect(tail.since(398)).toEqual(['line 398', 'line 399']);
    tail.append(Array.from({ length: 600 }, (_, index) => `more ${index}`));
    expect(tail.lines).toHaveLength(500);
    expect(tail.since(0)).toHaveLength(500);
    expect(tail.since(tail.count)).toEqual([]);
  });
});

describe('the pause before the next try', () => {
  test('doubles up to ten seconds, and differs from page to page', () => {
    expect([0, 1, 2, 5, 1_000].map((failures) => nextTryMs(failures, 0))).toEqual([500, 1_000, 2_000, 10_000, 10_000]);
    expect(nextTryMs(5, 1)).toBe(7_000);
  });
});
