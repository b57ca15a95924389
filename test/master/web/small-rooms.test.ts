/** The parts of the master's HTTP that need no port: health, the time line, what a page may say in a second, and work done for many at once. */
import { appendFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { emptyFleet } from '../../../src/domain/fleet.js';
import type { Fleet, WorkerStatus } from '../../../src/domain/types.js';
import { coalesced } from '../../../src/master/web/coalesced.js';
import { healthOf } from '../../../src/master/web/health.js';
import { Allowance, MESSAGES_AT_ONCE, MESSAGES_PER_SECOND } from '../../../src/master/web/live-client.js';
import { LogTail, MOST_BYTES, PAST_LINES } from '../../../src/master/web/log-tail.js';
import { Timeline } from '../../../src/master/web/timeline.js';
import type { Progress } from '../../../src/shared/control-protocol.js';
import { HISTORY_EVENTS, HISTORY_POINTS } from '../../../src/shared/dashboard-protocol.js';
import { temporaryFolder } from '../../helpers/cleanup.js';
import { onTestFinished } from '../../helpers/side-by-side.js';
import { until } from '../../helpers/until.js';
import { snapshotOf } from '../../helpers/web.js';

describe('health', () => {
  const fleetOf = (
    instances: number,
    states: (WorkerStatus['state'] | 'unresponsive')[],
    given: { unavailable?: number; stop?: boolean; serving?: number | null } = {},
  ): Fleet =>
    ({
      ...emptyFleet(),
      serving: given.serving === undefined ? 1 : given.serving,
      stop: given.stop ? { deadlineAt: 1 } : null,
      generations: { 1: { number: 1, policy: { instances, unavailable: given.unavailable ?? 0 } } },
      workers: Object.fromEntries(
        states.map((state, id) => [
          id,
          {
            ...{ id, slot: id, generation: 1, unresponsive: state === 'unresponsive' },
            status: { state: state === 'unresponsive' ? 'active' : state },
          },
        ]),
      ),
    }) as unknown as Fleet;

  test.for([
    [fleetOf(4, ['active', 'active', 'active', 'active']), true],
    [fleetOf(4, ['active', 'active', 'active']), true],
    [fleetOf(4, ['active', 'active', 'starting', 'draining']), true],
    [fleetOf(4, ['active', 'starting', 'ready', 'parked']), false],
    [fleetOf(4, ['active', 'active'], { stop: true }), false],
    [fleetOf(4, ['active', 'unresponsive', 'unresponsive']), false],
    [fleetOf(3, ['active']), false],
    [fleetOf(3, ['active', 'active']), true],
    [fleetOf(1, []), false],
    [fleetOf(1, ['active']), true],
    [fleetOf(4, ['active'], { unavailable: 3 }), true],
    [fleetOf(4, [], { unavailable: 4 }), false],
    [fleetOf(4, ['active', 'active'], { serving: null }), false],
  ] as const)('%# is ready: %s', ([fleet, ready]) => {
    const health = healthOf(fleet);
    expect(health.ready).toBe(ready);
    expect(health.reason === null).toBe(ready);
  });

  test('says how many there are and how many are enough', () => {
    expect(healthOf(fleetOf(4, ['active', 'starting']))).toMatchObject({
      ...{ active: 1, wanted: 4, least: 2, reason: '1 of 4 workers serve, 2 are enough' },
    });
  });
});

test('the time line keeps the last points and events, and no more', () => {
  const timeline = new Timeline();
  const rates = { requestsPerSecond: 5, errorRate: 0.1, p50Ms: 1, p99Ms: null };
  const generations = [
    { generation: 1, workerCount: 0, rates: { ...rates, requestsPerSecond: 0 } },
    { generation: 2, workerCount: 1, rates },
  ];
  for (let second = 0; second < HISTORY_POINTS + 50; second++)
    timeline.sample(
      snapshotOf({ figures: { at: new Date(second * 1_000).toISOString(), rates, generations } as never }),
    );
  timeline.sample(snapshotOf()); // Figures are not there yet.
  expect(timeline.points).toHaveLength(HISTORY_POINTS);
  expect(timeline.points.at(-1)).toEqual({
    ...{ at: (HISTORY_POINTS + 49) * 1_000, rps: 5, errorRate: 0.1, p50Ms: 1, p99Ms: null },
    generations: [{ generation: 2, rps: 5 }],
  });
  for (const second of [300, 301])
    timeline.sample(
      snapshotOf({ figures: { at: new Date(second * 1_000).toISOString(), rates, generations } as never }),
    );
  expect(
    timeline.points.slice(-3).map(({ at }) => at / 1_000),
    'the clock was put back',
  ).toEqual([299, 300, 301]);
  const progress: Progress = { type: 'progress', kind: 'held', at: 'now', message: 'x'.repeat(10_000), slot: 3 };
  for (let count = 0; count < HISTORY_EVENTS + 50; count++) timeline.event({ ...progress, generation: count });
  expect(timeline.events).toHaveLength(HISTORY_EVENTS);
  expect(timeline.events.at(-1)).toEqual({
    ...{ kind: 'held', at: 'now', message: 'x'.repeat(500), generation: HISTORY_EVENTS + 49 },
  });
});

test('a page may say so much at once, and then so much a second', () => {
  let now = 0;
  const allowance = new Allowance(() => now);
  const taken = (): number => {
    let count = 0;
    while (allowance.take()) count += 1;
    return count;
  };
  expect(taken()).toBe(MESSAGES_AT_ONCE);
  now += 1_000;
  expect(taken()).toBe(MESSAGES_PER_SECOND);
  now += 3_600_000;
  expect(taken()).toBe(MESSAGES_AT_ONCE);
});

test('who asks while work is under way gets what the next run comes to, all of them the same one', async () => {
  const runs: ((value: number) => void)[] = [];
  const work = coalesced(() => new Promise<number>((resolve) => runs.push(resolve)));
  const first = work();
  const later = [work(), work(), work()];
  expect(runs).toHaveLength(1);
  runs[0]!(1);
  expect(await first).toBe(1);
  await until('the next run', () => runs.length === 2);
  const last = work();
  runs[1]!(2);
  expect(await Promise.all(later)).toEqual([2, 2, 2]);
  await until('one more', () => runs.length === 3);
  runs[2]!(3);
  expect(await last).toBe(3);
  const failing = coalesced(() => Promise.reject(new Error('no')));
  await expect(Promise.allSettled([failing(), failing()])).resolves.toMatchObject([
    { status: 'rejected' },
    { status: 'rejected' },
  ]);
});

test('who asks without end has it run with a rest in between, and who asks then is told nothing older', async () => {
  const runs: { from: number; to: number }[] = [];
  const work = coalesced(async () => {
    const from = performance.now();
    await new Promise(setImmediate);
    runs.push({ from, to: performance.now() });
    return from;
  });
  for (let count = 0; count < 6; count++) {
    const askedAt = performance.now();
    expect(await work()).toBeGreaterThanOrEqual(askedAt);
  }
  const rests = runs.slice(1).map(({ from }, index) => from - runs[index]!.to);
  expect(Math.min(...rests)).toBeGreaterThanOrEqual(49); // A timer may be early by a part of a millisecond.
});

describe('the end of the log', () => {
  function tailOf(path: string) {
    const told: string[] = [];
    const tail = new LogTail(
      () => path,
      (lines) => told.push(...lines),
    );
    onTestFinished(() => tail.stop());
    return { told, tail };
  }

  test('is its last lines, then what is written, over a rotation too', async () => {
    const path = join(temporaryFolder(), 'shop.log');
    writeFileSync(path, Array.from({ length: 500 }, (_, index) => `line ${index}\n`).join(''));
    const { told, tail } = tailOf(path);
    tail.start();
    await until('the past', () => told.length > 0);
    expect(told).toHaveLength(PAST_LINES);
    expect(told.at(-1)).toBe('line 499');
    appendFileSync(path, 'half of ');
    appendFileSync(path, 'a line\nbefore\n');
    renameSync(path, `${path}.1`);
    writeFileSync(path, 'after\n');
    await until('what was written', () => told.includes('after'));
    expect(told.slice(PAST_LINES)).toEqual(['half of a line', 'before', 'after']);
    // Whoever comes later is told no more than that.
    expect(tail.recent).toHaveLength(PAST_LINES);
    expect(tail.recent.slice(-2)).toEqual(['before', 'after']);
  });

  test('of a flood is the last of it, in lines that are no longer than they may be', async () => {
    const path = join(temporaryFolder(), 'shop.log');
    writeFileSync(path, 'begun\n');
    const { told, tail } = tailOf(path);
    tail.start();
    await until('it looks', () => told.length > 0);
    appendFileSync(path, `first\nsecond\n${'x'.repeat(4 * MOST_BYTES)}\n${'y'.repeat(5_000)}\nlast\n`);
    await until('its end', () => told.includes('last'));
    expect(told.map((line) => line.length)).toEqual([5, 2_000, 4]);
  });

  test('is not that of a file which a link leads to', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'shadow'), 'secret\n');
    symlinkSync(join(folder, 'shadow'), join(folder, 'shop.log'));
    const { told, tail } = tailOf(join(folder, 'shop.log'));
    tail.start();
    writeFileSync(join(folder, 'new'), 'ours\n');
    setTimeout(() => renameSync(join(folder, 'new'), join(folder, 'shop.log')), 200); // It has looked by then.
    await until('the file', () => told.length > 0);
    expect(told).toEqual(['ours']);
  });
});
