/** Many changes become one, by a clock that the test sets. */
import { expect, test } from 'vitest';
import { gathered, LONGEST_MS, QUIET_MS } from '../../src/master/gathered.js';

function scene() {
  let now = 0;
  let due: { at: number; act: () => void } | null = null;
  const acts: { at: number; paths: string[] }[] = [];
  const changed = gathered((paths) => acts.push({ at: now, paths }), {
    now: () => now,
    after: (ms, act) => {
      const mine = { at: now + ms, act };
      due = mine;
      return () => {
        if (due === mine) due = null;
      };
    },
  });
  const until = (at: number): void => {
    while (due && due.at <= at) {
      now = due.at;
      const { act } = due;
      due = null;
      act();
    }
    now = at;
  };
  return { acts, changed, until };
}

test('what comes together is told once it has been quiet, each path once', () => {
  const { acts, changed, until } = scene();
  for (const [at, path] of [
    [0, 'a'],
    [100, 'b'],
    [250, 'a'],
    [1_000, 'c'],
  ] as const) {
    until(at);
    changed(path);
  }
  until(2_000);
  expect(acts).toEqual([
    { at: 250 + QUIET_MS, paths: ['a', 'b'] },
    { at: 1_000 + QUIET_MS, paths: ['c'] },
  ]);
});

test('a file that is written all the time keeps nobody waiting for ever', () => {
  const { acts, changed, until } = scene();
  for (let at = 0; at < LONGEST_MS * 2; at += QUIET_MS / 2) {
    until(at);
    changed('a');
  }
  expect(acts[0]).toEqual({ at: LONGEST_MS, paths: ['a'] });
});
