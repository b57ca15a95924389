/** The verdict in single steps: its words, its limits, and what it does not say. */
import { describe, expect, test } from 'vitest';
import { beginJudging, beginSoak, judge, NOTHING } from '../../../src/domain/verdict/judge.js';
import type { Observed, VerdictSettings, VerdictState } from '../../../src/domain/verdict/types.js';
import { bucketOf } from '../../../src/shared/latency-buckets.js';
import { SETTINGS } from './traffic.js';

const served = (requests: number, failed = 0, ms?: number): Observed => ({
  ...NOTHING,
  requests,
  failed,
  latency: ms === undefined ? [] : [bucketOf(ms), requests],
});

/** Looks `times` times at the same. */
function look(
  [canary, stable]: [Observed, Observed],
  {
    times = 1,
    from = beginJudging(),
    ...settings
  }: Partial<VerdictSettings> & { times?: number; from?: VerdictState } = {},
): ReturnType<typeof judge> {
  let result = judge(from, { canary, stable }, { ...SETTINGS, ...settings });
  for (let time = 1; time < times; time++)
    result = judge(result.state, { canary, stable }, { ...SETTINGS, ...settings });
  return result;
}

describe('too little traffic is inconclusive', () => {
  test.for([
    ['none', 0, 0, 'too little traffic: 0 requests of at least 100 so far'],
    ['none of the canary', 0, 9_000, 'too little traffic: 0 requests of at least 100 so far'],
    ['one request of the canary', 1, 9_000, 'too little traffic: 1 request of at least 100 so far'],
    [
      'none of the stable generation',
      500,
      0,
      'too little to compare with: the stable generation has had 0 requests of at least 100',
    ],
  ] as const)('%s', ([, canary, stable, reason]) => {
    expect(look([served(canary), served(stable)])).toMatchObject({ verdict: 'inconclusive', reason });
  });

  test('also where all of it fails, as long as there is nothing to compare with and no limit', () => {
    expect(look([served(5, 5), served(0)], { times: 50 }).verdict).toBe('inconclusive');
  });
});

test('a hold of days without a request to the canary keeps little, and is judged when one comes', () => {
  const quiet = (workers: number, requests: number): Observed => ({
    ...served(requests),
    heldUpMs: Array.from({ length: workers }, () => 3),
  });
  const { state } = look([quiet(2, 0), quiet(8, 40)], { times: 5_000 });
  expect(state.pending!.stable.requests).toBe(200_000);
  const { canary, stable } = state.pending!;
  expect(canary.heldUpMs.length + stable.heldUpMs.length).toBeLessThan(1_100);
  expect(canary.heldUpMs.length / stable.heldUpMs.length, 'the same time of both').toBe(2 / 8);
  expect(look([quiet(2, 200), quiet(8, 40)], { from: state }).verdict).toBe('good');
});

test('a good one is told with its figures', () => {
  expect(look([served(612, 0, 12), served(11_500, 3, 11)])).toMatchObject({
    verdict: 'good',
    reason:
      "0 of 612 requests failed, of the stable generation's 0.03 % of 11,500; p99 12 ms, the stable generation's 11 ms",
  });
});

test('a bad one is told with its figures, and how far from chance they are', () => {
  const { verdict, reason, state } = look([served(128, 5), served(2_425)], { times: 4 });
  expect(verdict).toBe('bad');
  expect(reason).toMatch(
    /^3\.9 % of \d{3} requests failed, of the stable generation's 0 of \d,\d{3}; such a difference by chance: less than 1 in [125][0,]+$/,
  );
  expect(look([served(10_000), served(10_000)], { from: state })).toMatchObject({ verdict: 'bad', reason });
});

test('a slow one is told with the time that is compared', () => {
  const { verdict, reason } = look([served(50, 0, 40), served(950, 0, 10)], { times: 10 });
  expect(verdict).toBe('bad');
  expect(reason).toMatch(
    /^100 % of \d+ requests took more than 13 ms, of the stable generation's 0 % more than 10 ms, p99 39 ms, the stable generation's 10 ms; such/,
  );
});

test('an event loop that is held up again and again is bad', () => {
  const canary = { ...served(50), heldUpMs: [180] };
  const stable = { ...served(500), heldUpMs: [12, 8, 3] };
  expect(look([canary, stable], { times: 2 }).verdict).toBe('good');
  const { verdict, reason } = look([canary, stable], { times: 12 });
  expect(verdict).toBe('bad');
  expect(reason).toMatch(/^its event loop was held up for up to 180 ms, the stable generation's for up to 12 ms; such/);
});

test.for([
  ['one moment of many failures', [served(100, 40), served(1_900)]],
  ['one moment in which all took long', [served(100, 0, 900), served(1_900, 0, 10)]],
] as const)('%s does not convict', ([, [canary, stable]]) => {
  const before = look([served(100, 0, 10), served(1_900, 0, 10)], { times: 5 });
  const { state, verdict } = look([canary, stable], { from: before.state });
  expect(verdict).not.toBe('bad');
  expect(look([served(100, 0, 10), served(1_900, 0, 10)], { times: 200, from: state }).verdict).toBe('good');
});

test('a difference that may be one of chance is inconclusive: neither good nor bad', () => {
  const { verdict, reason } = look([served(200, 8), served(3_800)]);
  expect(verdict).toBe('inconclusive');
  expect(reason).toMatch(/^it may be worse: 4\.0 % of 200 requests failed, .*; by chance: /);
});

describe('a limit', () => {
  test.for([
    [
      'maxErrorRate',
      { maxErrorRate: 0.01 },
      served(200, 3),
      '1.5 % of 200 requests failed, more than maxErrorRate (1.0 %)',
    ],
    ['maxP99', { maxP99Ms: 500 }, served(200, 0, 800), 'p99 of 200 requests is 812 ms, more than maxP99 (500 ms)'],
    [
      'maxRestarts',
      { maxRestarts: 1 },
      { ...served(2, 2), crashes: 2 },
      '2 workers have crashed, more than maxRestarts (1)',
    ],
  ] as const)('%s is enough, also with nothing to compare with', ([, limit, canary, reason]) => {
    expect(look([canary, NOTHING], limit)).toMatchObject({ verdict: 'bad', reason });
  });

  test.for([
    ['maxErrorRate', { maxErrorRate: 0.01 }, served(99, 90)],
    ['maxErrorRate, that is just kept', { maxErrorRate: 0.015 }, served(200, 3)],
    ['maxP99', { maxP99Ms: 500 }, served(99, 0, 800)],
    ['maxRestarts', { maxRestarts: 1 }, { ...served(1, 1), crashes: 1 }],
  ] as const)('%s waits for enough of it', ([, limit, canary]) => {
    expect(look([canary, NOTHING], limit).verdict).not.toBe('bad');
  });
});

describe('in a soak', () => {
  test('the figures of before stand for the stable generation', () => {
    const { state: canary } = look([NOTHING, served(5_000, 5, 10)]);
    const state = beginSoak(canary);
    expect(look([served(500, 1, 10), NOTHING], { from: state })).toMatchObject({
      verdict: 'good',
      reason: expect.stringContaining("of the stable generation's 0.1 % of 5,000"),
    });
    expect(look([served(500, 20, 10), NOTHING], { from: state, times: 5 }).verdict).toBe('bad');
    expect(look([served(500, 0, 30), NOTHING], { from: state, times: 12 }).verdict).toBe('bad');
  });

  test('without any it is inconclusive, and the limits hold', () => {
    const state = beginSoak(beginJudging());
    expect(look([served(500, 20), NOTHING], { from: state })).toMatchObject({
      verdict: 'inconclusive',
      reason: 'too little to compare with: the stable generation had 0 requests of at least 100',
    });
    expect(look([served(500, 20), NOTHING], { from: state, maxErrorRate: 0.01 }).verdict).toBe('bad');
  });

  test('what was said against the canary before does not count again', () => {
    const { state } = look([served(200, 8), served(3_800)]);
    expect(look([served(1_000), NOTHING], { from: beginSoak(state) }).verdict).toBe('good');
  });
});
