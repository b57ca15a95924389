import { describe, expect, test } from 'vitest';
import type { ButtonName } from '../../src/dashboard/pure/orders.js';
import {
  BUTTONS,
  commandOf,
  scaleTo,
  titleOf,
  weightTo,
  wholeNumber,
  whyNot,
  wordsOf,
} from '../../src/dashboard/pure/orders.js';
import { headlineOf, nextOf, stepsOf, verdictOf } from '../../src/dashboard/pure/rollout-words.js';
import { generationsOf, splitOf } from '../../src/dashboard/pure/traffic.js';
import type { RolloutSnapshot, VerdictSnapshot } from '../../src/shared/snapshot.js';
import type { FakeState } from '../browser/fake-app.js';
import { fakeApp, fakeCanary } from '../browser/fake-app.js';

const at = Date.parse('2026-11-26T12:00:00Z');
const OLD = { generation: 7, release: 'old', workers: 4, share: 1 };
const NEW = { generation: 8, release: 'new', workers: 1, share: 0.05 };
const app = (what: Partial<FakeState> = {}) => fakeApp({ at, generations: [OLD], ...what });
const canary = (what: Partial<RolloutSnapshot> = {}) =>
  app({ generations: [{ ...OLD, share: 0.95 }, NEW], rollout: fakeCanary(at, 5, what) });
const possible = (one: ReturnType<typeof app>): ButtonName[] => BUTTONS.filter((name) => whyNot(name, one) === null);

describe('the buttons that make sense', () => {
  test('while an app serves: those that begin something', () => {
    expect(possible(app())).toEqual(['reload', 'scale', 'rollback']);
  });

  test('while a canary is held: those that move it', () => {
    expect(possible(canary())).toEqual(['rollback', 'canary', 'pause', 'promote', 'abort']);
  });

  test('of a canary that waits for a person, all but the pause', () => {
    const held = canary({ canary: { step: 2, steps: 3, until: null, verdict: null } });
    expect(possible(held)).toEqual(['rollback', 'canary', 'promote', 'abort']);
  });

  test('while new workers boot: the abort', () => {
    expect(possible(canary({ step: 'booting', weight: null }))).toEqual(['rollback', 'abort']);
  });

  test('while it is given up, and at the first start: none', () => {
    expect(possible(canary({ step: 'aborting', weight: null }))).toEqual([]);
    expect(possible(app({ state: 'starting' }))).toEqual([]);
    expect(possible(app({ state: 'stopping' }))).toEqual([]);
  });

  test('of a rollback under way: its abort alone', () => {
    expect(possible(canary({ kind: 'rollback', step: 'booting', weight: null }))).toEqual(['abort']);
  });

  test('where nothing was good before: no rollback', () => {
    expect(possible(app({ more: { noWayBack: true } }))).toEqual(['reload', 'scale']);
  });

  test('of a folder that was edited in place: no scale', () => {
    const release = { id: 'r', path: '/srv/shop', modified: true };
    expect(possible(app({ more: { release } }))).toEqual(['reload', 'rollback']);
  });

  test('in a crash loop: all that begins something', () => {
    expect(possible(app({ state: 'crash-looping' }))).toEqual(['reload', 'scale', 'rollback']);
  });
});

describe('a question', () => {
  test('is asked in whole words, also where the new generation has no number yet', () => {
    const preparing = canary({ step: 'preparing', to: null, weight: null, canary: undefined as never });
    for (const name of BUTTONS)
      for (const one of [preparing, canary(), app()])
        expect(`${titleOf(name, one)} ${wordsOf(name, one)}`, name).not.toMatch(/\?\?|\? %|null|undefined/);
    expect(titleOf('abort', preparing)).toBe('Abort the rollout?');
    expect(wordsOf('abort', preparing)).toBe(
      'Gives up the rollout. Generation 7 goes on serving everything. No request is lost.',
    );
    expect(titleOf('abort', canary())).toBe('Abort the rollout to generation 8?');
  });

  test('for a value takes another one than there is', () => {
    expect(scaleTo('6', app())).toEqual({ command: 'scale', to: '6' });
    expect(scaleTo('4', app())).toBe('it has 4 workers already');
    expect(scaleTo('0', app())).toBe('allowed is a whole number from 1 to 1,024');
    expect(weightTo('50', canary())).toEqual({ command: 'canary', weight: 50 });
    expect(weightTo('5', canary())).toBe('generation 8 gets 5 % already');
    expect(weightTo('', canary())).toBe('allowed is a whole number from 0 to 100');
  });
});

describe('the command that an order stands for', () => {
  test.for([
    [{ command: 'reload' }, 'zdsup reload shop'],
    [{ command: 'reload', weight: 5 }, 'zdsup reload shop --weight 5'],
    [{ command: 'reload', noCanary: true }, 'zdsup reload shop --no-canary'],
    [{ command: 'canary', weight: 50 }, 'zdsup canary shop 50'],
    [{ command: 'promote' }, 'zdsup promote shop'],
    [{ command: 'promote', full: true }, 'zdsup promote shop --full'],
    [{ command: 'rollback' }, 'zdsup rollback shop'],
    [{ command: 'scale', to: '6' }, 'zdsup scale shop 6'],
    [{ command: 'pause' }, 'zdsup pause shop'],
    [{ command: 'abort' }, 'zdsup abort shop'],
  ] as const)('%j is %s', ([order, command]) => {
    expect(commandOf('shop', order)).toBe(command);
  });

  test('takes whole numbers within bounds, and nothing else', () => {
    expect(['0', ' 7 ', '100'].map((text) => wholeNumber(text, 0, 100))).toEqual([0, 7, 100]);
    expect(['', '101', '-1', '1.5', '1e1', 'five'].map((text) => wholeNumber(text, 0, 100))).toEqual(
      new Array(6).fill(null),
    );
  });
});

describe('the split of the traffic', () => {
  test('is the weights while a canary is held, and says beside them what was measured', () => {
    const views = generationsOf(canary());
    expect(views.map(({ generation, role, weight }) => [generation, role, weight])).toEqual([
      [7, 'serving', 95],
      [8, 'candidate', 5],
    ]);
    expect(views.map(({ measured }) => Math.round(measured! * 100))).toEqual([95, 5]);
    expect(splitOf(views)).toEqual({
      by: 'weights',
      parts: [
        { generation: 7, percent: 95 },
        { generation: 8, percent: 5 },
      ],
    });
  });

  test('is what was measured where nobody is held back', () => {
    const draining = { ...OLD, generation: 6, share: 0.2, state: 'draining' as const };
    const views = generationsOf(app({ generations: [{ ...OLD, share: 0.8 }, draining] }));
    expect(views.map(({ generation, role }) => [generation, role])).toEqual([
      [6, 'draining'],
      [7, 'serving'],
    ]);
    const { by, parts } = splitOf(views);
    expect(by).toBe('measured');
    expect(parts.map(({ percent }) => Math.round(percent))).toEqual([20, 80]);
  });

  test('is what was measured, too, while the new workers of a rollout boot: no weight is held yet', () => {
    const views = generationsOf(canary({ step: 'booting', weight: null }));
    expect(views.map(({ weight }) => weight)).toEqual([null, null]);
    expect(splitOf(views).by).toBe('measured');
  });

  test('is by workers where nobody asks', () => {
    const { by, parts } = splitOf(generationsOf(app({ rps: 0 })));
    expect([by, parts]).toEqual(['workers', [{ generation: 7, percent: 100 }]]);
  });

  test("is nobody's while no worker is active, whatever was measured last", () => {
    for (const rps of [0, 2_400]) {
      const views = generationsOf(app({ rps, generations: [{ ...OLD, state: 'starting' }] }));
      expect(splitOf(views)).toEqual({ by: 'nobody', parts: [{ generation: 7, percent: 0 }] });
    }
  });

  test('has no part where no worker runs', () => {
    expect(splitOf(generationsOf(app({ generations: [{ ...OLD, workers: 0 }], serving: 7 }))).parts).toEqual([]);
  });
});

describe('the rollout in words', () => {
  test('has its steps, the one under way with how far it is', () => {
    expect(stepsOf(canary()).map(({ label, state, note }) => [label, state, note])).toEqual([
      ['Prepare', 'done', null],
      ['Boot', 'done', null],
      ['Canary', 'now', '5 %, step 2 of 3'],
      ['Shift', 'ahead', null],
      ['Trial', 'ahead', null],
    ]);
    const booting = canary({ step: 'booting', weight: null });
    expect(stepsOf(booting).find(({ state }) => state === 'now')).toEqual({
      label: 'Boot',
      state: 'now',
      note: '1 of 1 active',
    });
  });

  test('of a canary that was promoted keeps the step that it has done', () => {
    const shifting = canary({ step: 'shifting', weight: null, canary: undefined as never });
    const labels = (held: number | null) => stepsOf(shifting, held).map(({ label, state }) => `${label} ${state}`);
    expect(labels(8)).toEqual(['Prepare done', 'Boot done', 'Canary done', 'Shift now', 'Trial ahead']);
    expect(labels(7), 'of another one').toEqual(['Prepare done', 'Boot done', 'Shift now', 'Trial ahead']);
  });

  test('of a restart, the old workers go first', () => {
    const restart = canary({ kind: 'restart', step: 'emptying', weight: null, canary: undefined as never });
    expect(
      stepsOf(restart)
        .map(({ label, state }) => [label, state])
        .slice(0, 3),
    ).toEqual([
      ['Prepare', 'done'],
      ['Empty', 'now'],
      ['Boot', 'ahead'],
    ]);
  });

  test('says its verdict with the reason, and what comes next', () => {
    const held = canary();
    expect(verdictOf(held)).toMatchObject({ tone: 'good', head: 'Good' });
    expect(verdictOf(held)!.text).toContain('after 61,204 requests');
    expect(nextOf(held, at)).toBe('Step ends in 41 s.');
    expect(nextOf(canary({ canary: { step: 1, steps: 2, until: null, verdict: null } }), at)).toContain(
      'until you promote',
    );
  });

  test('of a canary by hand says its verdict too', () => {
    const { canary: _, ...byHand } = fakeCanary(at, 5);
    const held = (verdict: VerdictSnapshot | null) => app({ generations: [OLD, NEW], rollout: { ...byHand, verdict } });
    expect(verdictOf(held(null))).toMatchObject({ head: 'None yet' });
    const reason = "p99 80 ms (at least), the stable generation's 22 ms";
    expect(verdictOf(held({ kind: 'bad', reason }))).toEqual({ tone: 'bad', head: 'Bad', text: reason });
  });

  test('that has ended says what came of it and why, and has no steps', () => {
    const failed = app({
      rollout: fakeCanary(at, 5, {
        step: 'done',
        outcome: 'failed',
        reason: 'p99 is 3 times the old one',
        weight: null,
      }),
    });
    expect(headlineOf(failed)).toEqual({
      tone: 'bad',
      head: 'Failed',
      text: 'Reload from generation 7 to 8: p99 is 3 times the old one',
    });
    expect(stepsOf(failed)).toEqual([]);
    expect(headlineOf(app({ rollout: { ...failed.rollout!, aborted: true } })).head).toBe('Aborted');
    expect(headlineOf(app()).head).toBe('No rollout yet');
  });

  test('whose generation is on trial says for how long, and what would roll it back', () => {
    const soak = { generation: 8, until: new Date(at + 12_000).toISOString(), judged: true, goesBack: true };
    const trial = app({
      rollout: fakeCanary(at, 100, { step: 'done', outcome: 'succeeded', weight: null }),
      more: { soak },
    });
    expect(stepsOf(trial).at(-1)).toEqual({ label: 'Trial', state: 'now', note: null });
    expect(nextOf(trial, at)).toBe(
      'Generation 8 is on trial for 12 s more: a crash loop or a bad verdict rolls it back.',
    );
  });
});
