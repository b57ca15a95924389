/** Rollouts and entries of the journal, as people see them. */
import { expect, test } from 'vitest';
import { renderHistory, renderRollout } from '../../src/cli/render/history.js';
import { eventLine, sentenceOf } from '../../src/cli/render/journal-entry.js';
import type { JournalEntry, NewEntry } from '../../src/shared/journal-entry.js';
import type { PastRollout } from '../../src/shared/rollout-history.js';
import { HOSTILE, steering } from '../helpers/hostile-text.js';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const at = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1_000).toISOString();
const entry = (secondsAgo: number, fields: NewEntry): JournalEntry => ({ at: at(secondsAgo), ...fields });

const BAD: PastRollout = {
  ...{ id: 12, kind: 'reload', source: 'signal', startedAt: at(90), from: 3, to: 4 },
  ...{ fromRelease: { id: 'aaaa1111', path: '/srv/a' }, toRelease: { id: 'bbbb2222', path: '/srv/b' } },
  outcome: 'failed',
  aborted: false,
  undoneBy: null,
  reason: '4.1 % of 512 requests failed, of the stable generation none;\n  by chance: less than 1 in 10,000',
  ...{ durationMs: 61_000, p99BeforeMs: 4.25, p99DuringMs: 38.6, peakRssBytes: 131 * 2 ** 20, stderr: ['Error: no'] },
  entries: [
    entry(90, { type: 'rollout-begun', rolloutId: 12, kind: 'reload', source: 'signal', from: 3, fromRelease: null }),
    entry(88, { type: 'rollout-step', rolloutId: 12, step: 'held', message: 'held at 5 %', weight: 5 }),
    entry(30, { type: 'verdict', rolloutId: 12, verdict: 'bad', reason: '4.1 % failed' }),
  ],
};
const UNDER_WAY: PastRollout = {
  ...BAD,
  ...{ id: 13, source: 'command', to: null, toRelease: null, outcome: null, reason: null, durationMs: null },
  ...{ p99BeforeMs: null, p99DuringMs: null, peakRssBytes: null, stderr: [], startedAt: at(2) },
};

test('the table has a line for each, the reason whole and on one line where there is no terminal', () => {
  expect(renderHistory('shop', [UNDER_WAY, BAD], NOW)).toBe(
    [
      'shop',
      'id  when            kind    release              outcome    took       p99             memory  reason',
      '13  2.0 s ago       reload  aaaa1111 → ?         under way  -          -                    -',
      '12  1 min 30 s ago  reload  aaaa1111 → bbbb2222  failed     1 min 1 s  4.3 ms → 39 ms  131 MB  4.1 % of 512 requests failed, of the stable generation none; | by chance: less than 1 in 10,000',
    ].join('\n'),
  );
});

test.for([140, 120, 100, 80, 60])(
  'in %i columns no line is longer, and id, outcome and reason are there',
  (columns) => {
    const lines = renderHistory('shop', [UNDER_WAY, BAD], NOW, columns).split('\n');
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(Math.max(columns, 72));
    expect(lines.at(-1)).toMatch(/^12 .*failed .*4\.1 /);
  },
);

test('one that a person has given up is no failure of its release, and reads otherwise', () => {
  const aborted: PastRollout = { ...BAD, aborted: true, reason: 'aborted by hand' };
  expect(renderHistory('shop', [aborted], NOW)).toMatch(/bbbb2222 +aborted .* aborted by hand$/);
  expect(renderRollout('shop', aborted)).toMatch(/outcome +aborted\n/);
});

test('one that was gone back from says by which, and that one says why', () => {
  const undone: PastRollout = { ...BAD, outcome: 'succeeded', reason: null, undoneBy: 13 };
  const back: PastRollout = { ...BAD, id: 13, kind: 'rollback', outcome: 'succeeded', reason: 'it crash-loops' };
  const [, , second, first] = renderHistory('shop', [back, undone], NOW).split('\n');
  expect(second).toMatch(/^13 .* rollback .* succeeded .* it crash-loops$/);
  expect(first).toMatch(/^12 .* succeeded, undone by 13 /);
  expect(renderRollout('shop', undone)).toContain('succeeded, undone by 13');
  expect(renderRollout('shop', back)).toMatch(/because +it crash-loops/);
});

test('without a rollout it says so', () => {
  expect(renderHistory('shop', [], NOW)).toBe('shop  no rollout is in its journal');
});

test('one rollout is told with all that is known, and its steps by the time since it began', () => {
  const text = renderRollout('shop', BAD);
  expect(text).toContain('  kind                 reload, by signal\n');
  expect(text).toContain('  to                   generation 4, release bbbb2222 (/srv/b)\n');
  expect(text).toContain('  p99 before → during  4.3 ms → 39 ms\n');
  expect(text).toContain('none; | by chance');
  expect(text).toContain('last words\n  Error: no\n');
  expect(text).toMatch(
    /steps\n {7}\+0 ms {2}begun: .*\n {6}\+2\.0 s {2}held at 5 %\n {6}\+1 min {2}verdict bad: 4\.1 % failed$/,
  );
  expect(renderRollout('shop', UNDER_WAY)).not.toMatch(/took|p99|memory|last words|reason/);
});

test.for<[NewEntry, string]>([
  [
    { type: 'master-started', masterPid: 7, version: '1.2.3', daemon: true },
    'master 7 started (zdsup 1.2.3, a daemon)',
  ],
  [{ type: 'master-ended', masterPid: 7, how: 'crashed', reason: 'no\nway' }, 'master 7 ended: crashed, no | way'],
  [{ type: 'event', kind: 'worker-exited', message: 'gone', skipped: 7 }, 'gone (and 7 such events before it)'],
  [{ type: 'gap', count: 3 }, '3 entries could not be written'],
])('%j is told as one line', ([fields, sentence]) => {
  expect(sentenceOf(entry(0, fields))).toBe(sentence);
  expect(eventLine('shop', entry(0, fields))).toMatch(/^\[2026-11-2\d \d\d:\d\d:\d\d\] shop: /);
});

test('nothing that an app has written steers the terminal', () => {
  const said: PastRollout = {
    ...BAD,
    reason: HOSTILE,
    stderr: [HOSTILE],
    entries: [entry(88, { type: 'rollout-step', rolloutId: 12, step: 'failed', message: HOSTILE })],
  };
  const shown = [
    renderHistory('shop', [said], NOW),
    renderRollout('shop', said),
    eventLine('shop', said.entries[0]!),
  ].join('\n');
  expect(steering(shown)).toEqual([]);
  expect(shown.match(/evil/g)).toHaveLength(5);
});
