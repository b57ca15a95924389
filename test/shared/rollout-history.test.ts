/** The rollouts that are made of a journal's entries. */
import { expect, test } from 'vitest';
import type { JournalEntry, NewEntry } from '../../src/shared/journal-entry.js';
import { rolloutsIn } from '../../src/shared/rollout-history.js';

const RELEASE = { id: 'aaaa', path: '/srv/a' };

const journal = (...entries: NewEntry[]): JournalEntry[] =>
  entries.map((entry, second) => ({ at: new Date(Date.UTC(2026, 10, 26, 2, 0, second)).toISOString(), ...entry }));

const master = (masterPid: number): NewEntry => ({ type: 'master-started', masterPid, version: '1', daemon: true });
const begun = (rolloutId: number, source = 'command'): NewEntry => ({
  ...{ type: 'rollout-begun', rolloutId, kind: 'reload', source, from: 1, fromRelease: RELEASE },
});
const ended = (rolloutId: number, outcome = 'succeeded'): NewEntry => ({
  ...{ type: 'rollout-ended', rolloutId, kind: 'reload', source: 'command', outcome, reason: null, durationMs: 1_000 },
  ...{ from: 1, to: 2, fromRelease: RELEASE, toRelease: { id: 'bbbb', path: '/srv/b' } },
  ...{ p99BeforeMs: 4, p99DuringMs: 5.5, peakRssBytes: 1e8, stderr: [] },
});
const step = (rolloutId: number): NewEntry => ({ type: 'rollout-step', rolloutId, step: 'held', message: 'held' });

test('the latest comes first, with what its end says and the entries that concern it', () => {
  const crash: NewEntry = { type: 'event', kind: 'worker-exited', message: 'gone', rolloutId: 2 };
  const other: NewEntry = { type: 'event', kind: 'scaled', message: '3 workers' };
  const rollouts = rolloutsIn(
    journal(master(7), begun(1), ended(1), begun(2), step(2), crash, other, ended(2, 'failed')),
    true,
  );
  expect(rollouts.map(({ id, outcome }) => [id, outcome])).toEqual([
    [2, 'failed'],
    [1, 'succeeded'],
  ]);
  expect(rollouts[0]!.entries.map(({ type }) => type)).toEqual([
    ...['rollout-begun', 'rollout-step', 'event', 'rollout-ended'],
  ]);
  expect(rollouts[0]).toMatchObject({ from: 1, to: 2, p99BeforeMs: 4, p99DuringMs: 5.5, toRelease: { id: 'bbbb' } });
});

test('one that a person has given up has failed as any other, and says so', () => {
  const givenUp = { ...ended(1, 'failed'), aborted: true } as NewEntry;
  const [second, first] = rolloutsIn(journal(master(7), begun(1), givenUp, begun(2), ended(2, 'failed')), true);
  expect(first).toMatchObject({ outcome: 'failed', aborted: true });
  expect(second).toMatchObject({ outcome: 'failed', aborted: false });
});

test('one without an end is under way while its master runs, and was interrupted where that does not', () => {
  const entries = journal(master(7), begun(1), step(1));
  expect(rolloutsIn(entries, true)[0]!.outcome).toBeNull();
  expect(rolloutsIn(entries, false)[0]).toMatchObject({
    ...{ outcome: 'interrupted', reason: 'its master was killed, or the host went down' },
  });
});

test('one whose master was killed was interrupted also when the next master runs', () => {
  const [second, first] = rolloutsIn(journal(master(7), begun(1), master(8), begun(2, 'start')), true);
  expect(first).toMatchObject({ id: 1, outcome: 'interrupted' });
  expect(second).toMatchObject({ id: 2, outcome: null, kind: 'start' });
});

test('an end at once interrupts, and says so', () => {
  const end: NewEntry = { type: 'master-ended', masterPid: 7, how: 'stopped', reason: 'ended at once' };
  expect(rolloutsIn(journal(master(7), begun(1), end), false)[0]).toMatchObject({
    ...{ outcome: 'interrupted', reason: 'its master ended before it did: ended at once' },
  });
});

test('a verdict that comes in the soak, after the end, is among its entries', () => {
  const verdict: NewEntry = { type: 'verdict', rolloutId: 1, verdict: 'bad', reason: '4 %' };
  expect(rolloutsIn(journal(master(7), begun(1), ended(1), verdict), true)[0]!.entries.at(-1)).toMatchObject(verdict);
});

test('one whose beginning has gone with the older file is shown by its end', () => {
  const [rollout] = rolloutsIn(journal(ended(9)), true);
  expect(rollout).toMatchObject({ id: 9, kind: 'reload', outcome: 'succeeded', startedAt: '2026-11-26T01:59:59.000Z' });
});

test('one that was gone back from names the rollout that did, and that one why', () => {
  const back: NewEntry = { ...begun(2, 'soak'), kind: 'rollback', cause: 'it crash-loops', from: 2 } as NewEntry;
  const backEnded: NewEntry = { ...ended(2), kind: 'rollback', source: 'soak', from: 2, to: 3 } as NewEntry;
  const [second, first] = rolloutsIn(journal(master(7), begun(1), ended(1), back, backEnded), true);
  expect(first).toMatchObject({ id: 1, outcome: 'succeeded', undoneBy: 2 });
  expect(second).toMatchObject({ id: 2, outcome: 'succeeded', undoneBy: null, reason: 'it crash-loops' });
  const [failed, kept] = rolloutsIn(
    journal(begun(1), ended(1), back, { ...backEnded, outcome: 'failed' } as NewEntry),
    true,
  );
  expect([failed!.undoneBy, kept!.undoneBy]).toEqual([null, null]);
});

test('a reload by hand to a release of the store is a deploy; to a folder, by a signal or back it is not', () => {
  const id = 'abcdef0123456789';
  const kindOf = (more: object): string => {
    const end = { ...ended(1), toRelease: { id: id.slice(0, 8), path: `/state/releases/shop/${id}/shop` }, ...more };
    return rolloutsIn(journal(master(7), begun(1), end as NewEntry), true)[0]!.kind;
  };
  expect(kindOf({})).toBe('deploy');
  expect(kindOf({ source: 'signal' })).toBe('reload');
  expect(kindOf({ kind: 'rollback' })).toBe('rollback');
  expect(kindOf({ toRelease: { id, path: '/srv/releases/current' } })).toBe('reload');
  expect(kindOf({ toRelease: null })).toBe('reload');
});
