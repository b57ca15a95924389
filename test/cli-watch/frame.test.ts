/** What `status --watch` shows, from snapshots and a size alone. */
import { describe, expect, test } from 'vitest';
import type { Frame, Size, View } from '../../src/cli/watch/frame.js';
import { frame, LEAST } from '../../src/cli/watch/frame.js';
import { columnsOf } from '../../src/cli/watch/text.js';
import type { AppSnapshot, RolloutSnapshot } from '../../src/shared/snapshot.js';
import { app, appFigures, NO_RATES, NOW, past, worker, workerFigures } from '../helpers/snapshots.js';

const SMALL = { columns: 40, rows: 10 };
const USUAL = { columns: 80, rows: 24 };
const LARGE = { columns: 200, rows: 60 };

const REASON =
  "0 of 1,234 requests failed, of the stable generation's 0 of 23,456; p99 12 ms, the stable generation's 11 ms";

const rollout: RolloutSnapshot = {
  id: 2,
  from: 3,
  to: 4,
  step: 'canary',
  startedAt: past(60_000),
  outcome: null,
  reason: null,
  weight: 5,
  kind: 'reload',
  cause: null,
  canary: {
    step: 1,
    steps: 3,
    until: new Date(NOW + 42_000).toISOString(),
    verdict: { kind: 'good', reason: REASON },
  },
  release: { id: 'beef5678', path: '/srv/api-2' },
};

const rates = { requestsPerSecond: 812, errorRate: 0.002, p50Ms: 1.2, p99Ms: 12.4 };
const measured = (slot: number, generation = 3) =>
  worker({ slot, generation, pid: 4000 + slot, figures: workerFigures() });
const serving = (count: number) => Array.from({ length: count }, (_, slot) => measured(slot));

const plain = app({ figures: appFigures([{ generation: 3 }], { rates }), workers: serving(4) });
const canary = app({
  weights: { 3: 95, 4: 5 },
  rollout,
  figures: appFigures(
    [
      { generation: 3, workerCount: 4, rates },
      { generation: 4, workerCount: 1, rates: { ...rates, requestsPerSecond: 42 } },
    ],
    { rates },
  ),
  workers: [...serving(4), measured(0, 4)],
});
const sixtyFour = app({ figures: appFigures([{ generation: 3 }], { rates }), workers: serving(64) });
const crashLoop = app({
  state: 'crash-looping',
  workers: [
    worker(),
    worker({
      slot: 1,
      state: 'waiting',
      pid: null,
      startedAt: null,
      restarts: 9,
      respawnAt: new Date(NOW + 20_000).toISOString(),
    }),
  ],
});
const logTrouble = app({
  log: {
    files: ['/var/log/api'],
    droppedLines: 1_234,
    droppedBytes: 98_000,
    trouble: 'no space left on the disk',
    restarts: 0,
  },
});
const named = (name: string, one: AppSnapshot = plain): AppSnapshot => ({ ...one, name });
const stopped = app({ name: 'old', state: 'stopped', ended: { at: past(60_000), reason: null }, workers: [] });

const view = (...apps: AppSnapshot[]): View => ({ apps, happenings: [], note: null });

/** No line is too long, and there are not too many: whatever is shown. */
function drawn(what: View, size: Size): Frame & { all: string; rows: string[] } {
  const one = frame(what, size, NOW);
  const rows = [...one.lines, ...(one.footer === null ? [] : [one.footer])];
  expect(rows.length).toBeLessThanOrEqual(size.rows);
  expect(rows.filter((line) => columnsOf(line) > size.columns)).toEqual([]);
  return { ...one, rows, all: rows.join('\n') };
}

test('an app that serves is shown whole on 80×24, with its figures', () => {
  expect(drawn(view(plain), USUAL).rows).toEqual([
    'api  running  generation 3  up 3 h  master 100, zdsup 0.1.0',
    'traffic    812 req/s, p50 1.2 ms, p99 12 ms, errors 0.20 %',
    'release    abcd1234 /srv/api',
    'listening  http://0.0.0.0:3000',
    'master     cpu 0.4 %, 60.0 MB, loop 2 %, queue 0.3 ms',
    '',
    'slot   pid  state   req/s     p50     p99  errors   loop     cpu   memory',
    ...[0, 1, 2, 3].map(
      (slot) => `   ${slot}  400${slot}  active    150  2.0 ms   12 ms     0 %   31 %  12.3 %  52.5 MB`,
    ),
    'q quits',
  ]);
});

describe('a canary', () => {
  test('has its weight, both generations side by side, and its whole verdict on 80×24', () => {
    const { all, lines, footer } = drawn(view(canary), USUAL);
    expect(all).toContain('rollout    to generation 4: canary, generation 3 95 %, generation 4 5 %; zdsup');
    expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain(`canary step 1 of 3, 42 s left; good: ${REASON}`);
    expect(all).toContain('         3    95 %        4    812  1.2 ms   12 ms  0.20 %');
    expect(all).toContain('         4     5 %        1     42  1.2 ms   12 ms  0.20 %');
    expect(
      lines.filter((line) => / active /.test(line)),
      'all workers',
    ).toHaveLength(5);
    expect(footer).toBe('q quits');
  });

  test('on 40×10 has what matters first, and says what is left out', () => {
    const { lines, footer } = drawn(view(canary), SMALL);
    expect(lines[0]).toMatch(/^api {2}running/);
    expect(lines[1]).toMatch(/^traffic {4}812 req\/s/);
    expect(lines[2]).toMatch(/^rollout {4}to generation 4: canary/);
    expect(lines.join('\n')).toMatch(/^canary {5}step 1 of 3, 42 s left; good/m);
    expect(footer).toMatch(/^q quits; left out: 5 workers, 4 lines$/);
  });

  test('on 200×60 has all in one line each, and what has happened below', () => {
    const happenings = Array.from({ length: 80 }, (_, count) => ({
      app: 'api',
      at: past(80_000 - count * 1_000),
      message: `step ${count}`,
    }));
    const { all, rows } = drawn({ ...view(canary), happenings }, LARGE);
    expect(all).toContain(`good: ${REASON}`);
    expect(rows.at(-2), 'the last one').toMatch(/^\d\d:\d\d:\d\d {2}api: step 79$/);
    expect(rows).toHaveLength(60);
    expect(all).toMatch(/slot .* heap +cpu +memory/);
  });
});

describe('64 workers', () => {
  test('are all there where there is room', () => {
    const { lines, footer } = drawn(view(sixtyFour), { columns: 120, rows: 80 });
    expect(lines.filter((line) => / active /.test(line))).toHaveLength(64);
    expect(footer).toBe('q quits');
  });

  test('are counted where there is none', () => {
    const { lines, footer } = drawn(view(sixtyFour), USUAL);
    const shown = lines.filter((line) => /^ +\d+ .* active /.test(line)).length;
    expect(shown).toBeGreaterThan(10);
    expect(lines.at(-1)).toBe(`… ${64 - shown} more: ${64 - shown} active`);
    expect(footer).toContain(`left out: ${64 - shown} workers`);
    expect(lines.length, 'no row is given away').toBeGreaterThanOrEqual(22);
  });

  test('no line says that there is one more, where that one would take as much room', () => {
    for (let rows = 5; rows < 80; rows++)
      expect(drawn(view(sixtyFour), { columns: 80, rows }).all, `${rows} rows`).not.toContain('… 1 more');
  });

  test('those that something happens to are among those that are shown', () => {
    const workers = [...serving(64), measured(7, 4)];
    workers[60] = { ...workers[60]!, state: 'draining' };
    workers[61] = { ...workers[61]!, unresponsive: true };
    workers[62] = { ...workers[62]!, restarts: 4 };
    const { all, lines } = drawn(view({ ...sixtyFour, workers }), USUAL);
    for (const state of ['draining', 'blocked']) expect(all).toContain(state);
    expect(
      lines.filter((line) => /^ +7 +4 /.test(line)),
      'of the new generation',
    ).toHaveLength(1);
    expect(
      lines.filter((line) => /^ +62 +3 /.test(line)),
      'that was restarted',
    ).toHaveLength(1);
    expect(
      lines.findIndex((line) => line.includes('draining')),
      'in their order',
    ).toBeGreaterThan(lines.findIndex((line) => /^ +0 +3 /.test(line)));
  });
});

describe('several apps', () => {
  test('share the room fairly, with a gap between', () => {
    const { lines } = drawn(view(named('a', sixtyFour), named('b', sixtyFour), stopped), { columns: 100, rows: 40 });
    const more = lines.flatMap((line) => /^… (\d+) more/.exec(line)?.[1] ?? []).map(Number);
    expect(more).toHaveLength(2);
    expect(Math.abs(more[0]! - more[1]!)).toBeLessThanOrEqual(1);
    for (const name of ['b  running', 'old  stopped'])
      expect(lines[lines.findIndex((line) => line.startsWith(name)) - 1]).toBe('');
  });

  test('have a line each before one of them has more', () => {
    const apps = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => named(name));
    const { lines, footer } = drawn(view(...apps), SMALL);
    expect(lines.map((line) => line[0])).toEqual([...'abcdefghi']);
    expect(footer).toContain('left out: 36 workers');
  });

  test('that are more than lines: those that something happens to are there, in their order', () => {
    const apps = Array.from({ length: 30 }, (_, count) => named(`app${count + 10}`));
    apps[28] = named('app38', crashLoop);
    apps[3] = { ...named('app13'), rollout };
    const { lines, footer } = drawn(view(...apps), SMALL);
    expect(lines).toHaveLength(9);
    expect(lines[8]).toMatch(/^app38 {2}crash-looping/);
    expect(lines.map((line) => line.slice(0, 5))).toContain('app13');
    expect(footer).toContain('left out: 21 apps');
  });
});

test('a crash loop shows the slot that waits, and when it is tried again', () => {
  for (const size of [SMALL, USUAL]) {
    const { all } = drawn(view(crashLoop), size);
    expect(all).toContain('crash-looping');
    expect(all).toContain('waiting, again in 20 s');
  }
});

describe('an app that does not run', () => {
  const reason = 'the master was killed by SIGKILL while generation 3 was serving, and two workers went with it';
  const crashed = (name: string) =>
    app({ name, state: 'crashed', ended: { at: past(60_000), reason }, workers: [], figures: undefined as never });

  test('says why, and what brings it back, on as many lines as that takes', () => {
    for (const name of ['api', `n${'a'.repeat(62)}`]) {
      const { lines } = drawn(view(crashed(name)), USUAL);
      expect(lines[0]).toMatch(new RegExp(`^${name}  crashed`));
      expect(lines.join(' ').replaceAll(/ +/g, ' ')).toBe(
        `${name} crashed 1 min ago: ${reason} zdsup start ${name} brings it back`,
      );
      expect(lines.slice(1).every((line) => line.startsWith(' '.repeat(11)))).toBe(true);
    }
  });

  test('has one line where others need the room', () => {
    const apps = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map(crashed);
    expect(drawn(view(...apps), SMALL).lines.map((line) => line[0])).toEqual([...'abcdefghi']);
  });
});

test('of figures none is cut: columns are left out first, down to the smallest terminal', () => {
  const draining = canary.workers.map((one, slot) => (slot === 1 ? { ...one, state: 'draining' as const } : one));
  for (const one of [plain, canary, { ...canary, workers: draining }, { ...plain, figures: undefined as never }])
    for (let columns = LEAST.columns; columns <= 80; columns++) {
      const { lines } = drawn(view(one), { columns, rows: 40 });
      const table = lines.filter((line) => /^ *(generation|slot|\d+) {2}/.test(line));
      expect(table.length).toBeGreaterThanOrEqual(one.workers.length + 1);
      expect(
        table.filter((line) => line.includes('…')),
        `${columns} columns`,
      ).toEqual([]);
    }
});

test('trouble with the log is told, also on 40×10', () => {
  expect(drawn(view(logTrouble), USUAL).all).toContain(
    'log        cannot be written: no space left on the disk; 1,234 lines',
  );
  expect(drawn(view(logTrouble), SMALL).all).toContain('log        cannot be written: no space');
});

test('where nothing runs it says so', () => {
  expect(drawn(view(), USUAL).lines).toEqual(['no app is running; start one with zdsup start <script>']);
});

test('what is wrong with the watching is said beside what was seen last', () => {
  expect(drawn({ ...view(plain), note: 'api is not running any more' }, USUAL).footer).toBe(
    'q quits; api is not running any more',
  );
});

test('a terminal that is too small gets the size that it would take', () => {
  const { lines, footer } = drawn(view(plain), { columns: 20, rows: 4 });
  expect(lines.join(' ')).toBe('20×4 is too small: 30×5 is the least; q quits');
  expect(footer).toBeNull();
  for (const size of [{ columns: 1, rows: 1 }, { columns: 8, rows: 2 }, LEAST]) drawn(view(canary), size);
});

test('on no size are there too many lines, or too long ones', () => {
  const apps = [named('a', canary), named('b', sixtyFour), named('c', crashLoop), named('d', logTrouble), stopped];
  const happenings = [{ app: 'a', at: past(0), message: 'x'.repeat(300) }];
  const idle = named('e', app({ figures: appFigures([], { rates: NO_RATES }), workers: [] }));
  for (let columns = 30; columns < 250; columns += 50)
    for (let rows = 5; rows < 120; rows += 7) {
      const { lines } = drawn({ apps: [...apps, idle], happenings, note: null }, { columns, rows });
      expect(lines.length, `${columns}×${rows}`).toBeGreaterThan(0);
    }
});
