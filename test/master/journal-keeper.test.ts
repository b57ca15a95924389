/** What befalls an app becomes entries: rollouts whole, illness without pushing them out of the journal. */
import { expect, test } from 'vitest';
import { emptyFleet } from '../../src/domain/fleet.js';
import type { Fleet, Rollout } from '../../src/domain/types.js';
import { JournalKeeper } from '../../src/master/journal-keeper.js';
import { PeakMemory } from '../../src/master/peak-memory.js';
import type { Progress } from '../../src/shared/control-protocol.js';
import type { NewEntry } from '../../src/shared/journal-entry.js';

const ROLLOUT: Rollout = {
  ...{ id: 4, kind: 'reload', source: 'command', alone: false, allowListeners: false, from: 1, to: 2, step: 'booting' },
  ...{ weight: null, wantedWeight: null, startedAt: 1_000, fromSlots: [0], servedSlots: [0] },
  ...{ outcome: null, reason: null, culprit: null, nextStartAt: 0, abortBy: null },
  ...{ steps: [], stepIndex: 0, heldAt: 0, paused: false, verdict: null, noCanary: false, backTo: null, cause: null },
  ...{ ways: [], aborted: false },
};

function makeKeeper(): {
  keeper: JournalKeeper;
  entries: NewEntry[];
  world: { fleet: Fleet; now: number; releases: Map<number, { id: string; path: string }>; memory: PeakMemory };
} {
  const entries: NewEntry[] = [];
  const releases = new Map([
    [1, { id: 'old', path: '/srv/1' }],
    [2, { id: 'new', path: '/srv/2' }],
  ]);
  const memory = new PeakMemory(
    () => [1, 2],
    async () => 100,
  );
  const world = { fleet: { ...emptyFleet(), rollout: ROLLOUT }, now: 1_000, releases, memory };
  const keeper = new JournalKeeper({
    append: (entry) => entries.push(entry),
    state: () => world.fleet,
    now: () => world.now,
    releaseOf: (generation) => releases.get(generation),
    p99Of: () => ({ beforeMs: 3, duringMs: 4 }),
    memory,
  });
  return { keeper, entries, world };
}

const progress = (kind: Progress['kind'], more: Partial<Progress> = {}): Progress => ({
  ...{ type: 'progress', at: '', kind, message: `it is ${kind}` },
  ...more,
});

test('a rollout is told from its beginning to its end, with releases, latency and memory', async () => {
  const { keeper, entries, world } = makeKeeper();
  keeper.rolloutBegun(ROLLOUT);
  keeper.progress(progress('prepared', { generation: 2 }));
  keeper.progress(progress('worker-started', { generation: 2, slot: 0 }));
  await world.memory.look();
  world.now = 3_500;
  keeper.rolloutEnded({ rollout: { ...ROLLOUT, step: 'done', outcome: 'succeeded' }, error: null, stderr: ['last'] });
  expect(entries).toEqual([
    {
      ...{ type: 'rollout-begun', rolloutId: 4, kind: 'reload', source: 'command' },
      ...{ from: 1, fromRelease: { id: 'old', path: '/srv/1' } },
    },
    { type: 'rollout-step', rolloutId: 4, step: 'prepared', message: 'it is prepared', generation: 2 },
    {
      ...{ type: 'rollout-ended', rolloutId: 4, kind: 'reload', source: 'command', outcome: 'succeeded', reason: null },
      ...{ durationMs: 2_500, from: 1, to: 2, fromRelease: { id: 'old', path: '/srv/1' } },
      ...{ toRelease: { id: 'new', path: '/srv/2' }, p99BeforeMs: 3, p99DuringMs: 4, peakRssBytes: 200 },
      stderr: ['last'],
    },
  ]);
});

test('the release of a generation that was given up is known at the end still', () => {
  const { keeper, entries, world } = makeKeeper();
  keeper.rolloutBegun(ROLLOUT);
  keeper.progress(progress('worker-started', { generation: 2 }));
  world.releases.delete(2);
  keeper.rolloutEnded({ rollout: { ...ROLLOUT, outcome: 'failed' }, error: null, stderr: [] });
  expect(entries.at(-1)).toMatchObject({ outcome: 'failed', toRelease: { id: 'new' } });
});

test('that a person has given it up is told beside that it failed', () => {
  const { keeper, entries } = makeKeeper();
  for (const aborted of [false, true])
    keeper.rolloutEnded({ rollout: { ...ROLLOUT, outcome: 'failed', aborted }, error: null, stderr: [] });
  const [failed, givenUp] = entries;
  expect(failed).not.toHaveProperty('aborted');
  expect(givenUp).toMatchObject({ outcome: 'failed', aborted: true });
});

test('a hold has its weight; a crash meanwhile is told beside it', () => {
  const { keeper, entries, world } = makeKeeper();
  keeper.rolloutBegun(ROLLOUT);
  world.fleet = { ...world.fleet, rollout: { ...ROLLOUT, step: 'canary', weight: 5, wantedWeight: 5 } };
  keeper.progress(progress('held', { generation: 2 }));
  keeper.progress(progress('worker-exited', { generation: 1, slot: 0 }));
  expect(entries.slice(1)).toMatchObject([
    { type: 'rollout-step', step: 'held', weight: 5 },
    { type: 'event', kind: 'worker-exited', rolloutId: 4, generation: 1, slot: 0 },
  ]);
});

test('the end of one rollout is told as its own, also where the next has begun in the same decision', () => {
  const { keeper, entries, world } = makeKeeper();
  keeper.rolloutBegun(ROLLOUT);
  world.fleet = { ...world.fleet, rollout: { ...ROLLOUT, id: 5 } };
  keeper.progress(progress('serving', { generation: 2 }));
  expect(entries.at(-1)).toMatchObject({ type: 'rollout-step', step: 'serving', rolloutId: 4 });
});

test('a verdict is written when it changes, however often its figures do', () => {
  const { keeper, entries } = makeKeeper();
  for (const [verdict, reason] of [
    ['inconclusive', '3 requests'],
    ['inconclusive', '4 requests'],
    ['good', '900 requests'],
    ['bad', '4 %'],
    ['bad', '5 %'],
  ] as const)
    keeper.verdict({ rolloutId: 4, verdict, reason });
  expect(entries.map((entry) => entry.type === 'verdict' && entry.reason)).toEqual([
    '3 requests',
    '900 requests',
    '4 %',
  ]);
});

test('an app that crashes for ever is told of 50 times, then 10 times an hour, with how many were left out', () => {
  const { keeper, entries, world } = makeKeeper();
  const crash = (): void => keeper.progress(progress('worker-exited', { generation: 1, slot: 0 }));
  for (let time = 0; time < 1_000; time++) crash();
  expect(entries).toHaveLength(50);
  world.now += 6 * 60_000;
  crash();
  crash();
  expect(entries).toHaveLength(51);
  expect(entries.at(-1)).toMatchObject({ skipped: 950 });
  keeper.progress(progress('stopping'));
  expect(entries.at(-1), 'what does not repeat is told at all times').toMatchObject({ kind: 'stopping' });
  world.now += 24 * 60 * 60_000;
  for (let time = 0; time < 1_000; time++) crash();
  expect(entries).toHaveLength(52 + 50);
});

test('workers that are recycled are noted, and push no crash out', () => {
  const { keeper, entries } = makeKeeper();
  for (let time = 0; time < 1_000; time++) keeper.progress(progress('recycled'));
  keeper.progress(progress('recycling'));
  expect(entries).toHaveLength(50);
  keeper.progress(progress('worker-exited'));
  expect(entries.at(-1)).toMatchObject({ type: 'event', kind: 'worker-exited' });
  expect(entries.at(-1)).not.toHaveProperty('skipped');
});

test('what every worker goes through is left to the log', () => {
  const { keeper, entries } = makeKeeper();
  keeper.rolloutBegun(ROLLOUT);
  for (const kind of [
    'worker-started',
    'worker-ready',
    'worker-active',
    'worker-retired',
    'worker-ended',
    'drained',
  ] as const)
    keeper.progress(progress(kind, { generation: 2 }));
  expect(entries).toHaveLength(1);
});

test('whatever an app throws, an entry stays small', () => {
  const { keeper, entries } = makeKeeper();
  keeper.rolloutBegun(ROLLOUT);
  const long = 'x'.repeat(1_000_000);
  keeper.progress(progress('failed', { message: long }));
  const stderr = Array.from({ length: 500 }, () => long);
  keeper.rolloutEnded({ rollout: { ...ROLLOUT, outcome: 'failed', reason: long }, error: null, stderr });
  expect(JSON.stringify(entries).length).toBeLessThan(20_000);
});

test('a scale is told with its end, and why it was taken back', () => {
  const { keeper, entries } = makeKeeper();
  keeper.progress(progress('scaling', { message: 'from 1 to 2 workers', generation: 1 }));
  keeper.progress(progress('failed', { message: 'worker 1 exited', generation: 1 }));
  keeper.scaleEnded({ id: 1, reason: 'worker 1 exited', stderr: [] });
  expect(entries).toMatchObject([
    { type: 'event', kind: 'scaling', message: 'from 1 to 2 workers' },
    { type: 'event', kind: 'scale-failed', message: 'taken back: worker 1 exited' },
  ]);
});
