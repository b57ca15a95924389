/** What canary, promote and abort are refused with: who comes late, or too early, is told what has happened and what can be done now. */
import { describe, expect, test } from 'vitest';
import type { InterventionRefusal, Rollout } from '../../../src/domain/types.js';
import type { CommandContext } from '../../../src/master/commands/context.js';
import { refusedIntervention, refusedRollback, stopped, underWay } from '../../../src/master/commands/refusals.js';

const reload: Rollout = {
  id: 2,
  kind: 'reload',
  from: 1,
  to: 2,
  step: 'booting',
  startedAt: 0,
  outcome: null,
  reason: null,
  weight: null,
  wantedWeight: null,
} as Rollout;

const masterWith = (rollout: Partial<Rollout>): CommandContext =>
  ({
    appName: 'shop',
    supervisor: { state: { rollout: { ...reload, ...rollout }, scaling: null } },
  }) as unknown as CommandContext;

const refused = (why: InterventionRefusal, rollout: Partial<Rollout>) =>
  refusedIntervention(masterWith(rollout), 'promote', why);

test('a rollback after the one that a soak has begun is told what was gone back from, and why', () => {
  const back = { kind: 'rollback', from: 2, to: 1, outcome: 'succeeded', cause: 'p99 is 812 ms' } as const;
  const context = masterWith(back);
  context.supervisor.state.serving = 1;
  expect(refusedRollback(context, 'back-already', '3aa12f04 (for the sale)')).toMatchObject({
    message:
      'generation 1 of shop, release 3aa12f04 (for the sale), is what was gone back to already, from generation 2 (p99 is 812 ms)',
    exitStatus: 1,
  });
});

test('what a stop came upon is told how the app is started again, by its name: no folder has to be the right one', () => {
  expect(stopped('shop', 'reload')).toMatchObject({ hint: 'start it again with zdsup start shop', exitStatus: 1 });
});

describe('a promotion that comes too late', () => {
  test('is told why the rollout that was held is no longer there', () => {
    const reason = 'worker 0 of generation 2 was killed by SIGKILL';
    expect(refused('no-rollout', { step: 'done', outcome: 'failed', reason }).message).toBe(
      `no rollout of shop is under way: there is nothing to promote (the last one failed: ${reason})`,
    );
  });

  test('after a rollout that has succeeded says nothing about it', () => {
    expect(refused('no-rollout', { step: 'done', outcome: 'succeeded' }).message).toBe(
      'no rollout of shop is under way: there is nothing to promote',
    );
  });
});

test('a rollback with nothing to go back to names the releases, or the one command that makes one', () => {
  const hintWith = (hasStored: boolean) => refusedRollback(masterWith({}), 'nothing-before', null, hasStored).hint;
  expect(hintWith(true)).toMatch(/^zdsup releases shop lists what was deployed/);
  expect(hintWith(false)).toBe(
    'zdsup deploy shop stores the folder as a release and brings it in: from then on there is one to go back to',
  );
});

test('a promotion while the reload is still prepared names no generation, for there is none yet', () => {
  expect(refused('not-there-yet', { to: null, step: 'preparing', wantedWeight: 50 }).message).toBe(
    'the reload of shop is on its way to 50 % and not held there yet',
  );
});

describe('another command while a rollout is under way', () => {
  test.each([
    ['it can be given up', {}, 'wait for it: zdsup status shop; or give it up: zdsup abort shop'],
    ['it is given up already', { step: 'aborting' }, 'wait for it: zdsup status shop'],
    ['it is a first start', { from: null }, 'wait for it: zdsup status shop'],
  ] as const)('is told what can be done where %s', (_, rollout, hint) => {
    expect(underWay(masterWith(rollout))).toMatchObject({ hint });
  });

  test.each([
    [
      'another weight is told the command for it',
      40,
      'zdsup canary shop 40 gives it 40 %, zdsup promote shop brings it in, ',
    ],
    ['the same weight is told what goes on', 20, 'zdsup promote shop brings it in, '],
    ['no weight is told what goes on', undefined, 'zdsup promote shop brings it in, '],
  ])('where it is held, a reload with %s', (_, weight, hint) => {
    const held = masterWith({ step: 'canary', weight: 20, wantedWeight: 20, steps: [] });
    expect(underWay(held, weight).hint).toBe(`${hint}zdsup abort shop gives it up`);
  });

  test('before the last step of a canary it is told that promote goes on to the next one', () => {
    const steps = [20, 50].map((weight) => ({ weight, pauseMs: null }));
    const held = (stepIndex: number) =>
      underWay(masterWith({ step: 'canary', weight: 20, wantedWeight: 20, steps, stepIndex }));
    expect(held(0).hint).toContain('zdsup promote shop goes on to 50 % (--full brings it in), ');
    expect(held(1).hint).toContain('zdsup promote shop brings it in, ');
  });
});
