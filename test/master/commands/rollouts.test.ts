/** What a rollback by hand says where the last good release cannot be gone back to. */
import { expect, test } from 'vitest';
import type { Rollout } from '../../../src/domain/types.js';
import type { CommandContext } from '../../../src/master/commands/context.js';
import type { RolloutEnd } from '../../../src/master/effects.js';

// As built: what it imports is CommonJS in TypeScript, which vitest does not read.
const built = new URL('../../../dist/master/commands/rollouts.js', import.meta.url).href;
const { failureOf, watchRollout } = (await import(built)) as typeof import('../../../src/master/commands/rollouts.js');

const BACK = { kind: 'rollback', from: 3, to: 4, backTo: 1, outcome: 'failed', reason: 'it is bad', ways: [] };

/** Generation 2 was replaced on trial by 3. */
const master = (between: { id: string } | null): CommandContext =>
  ({
    appName: 'shop',
    effects: { plans: new Map([[2, { deployed: between }]]), observers: new Set() },
    supervisor: { state: { fallback: 2, workers: {}, generations: {}, rollout: null } },
  }) as unknown as CommandContext;

const hintOf = (context: CommandContext, rollout: object): string | undefined => {
  const end = { rollout: { ...BACK, ...rollout } as unknown as Rollout, error: null, stderr: [] };
  const result = failureOf(
    context,
    end,
    watchRollout(context, 3, () => {}, 'rollback'),
  );
  return result.ok ? undefined : result.error.hint;
};

test('the hint names the release between, for the person to decide', () => {
  expect(hintOf(master({ id: 'b2b2b2b2' }), {})).toBe(
    'generation 3 goes on as before: see zdsup status shop; zdsup rollback shop --to b2b2b2b2 goes to the one between, which had not crashed when it was replaced',
  );
});

test.for([
  ['is a folder, which has no name to give', null, {}],
  ['is what could not be gone back to', { id: 'b2b2b2b2' }, { backTo: 2 }],
] as const)('it does not where that %s', ([, between, rollout]) => {
  expect(hintOf(master(between), rollout)).toBe('generation 3 goes on as before: see zdsup status shop');
});

test('whoever waits hears of the end along the last way, and not of the first that could not be gone', async () => {
  const context = master(null);
  const { ended } = watchRollout(context, 3, () => {}, 'rollback');
  const [observer] = context.effects.observers;
  for (const [to, ways] of [
    [1, [{ kind: 'boot' }]],
    [5, []],
  ] as const)
    observer!.rolloutEnded!({ rollout: { ...BACK, to, ways }, error: null, stderr: [] } as unknown as RolloutEnd);
  expect((await ended).rollout.to).toBe(5);
});
