/** What the shell keeps of a rollout, and no longer than it lasts. */
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Event, Fleet, Rollout } from '../../src/domain/types.js';
import type { Plan } from '../../src/master/plan.js';

// As built: what it imports is CommonJS in TypeScript, which vitest does not read.
const built = (path: string): string => new URL(`../../dist/${path}`, import.meta.url).href;
const { Effects } = (await import(built('master/effects.js'))) as typeof import('../../src/master/effects.js');
type Options = ConstructorParameters<typeof Effects>[0];

test.for(['made', 'refused'])('a plan that is %s after its rollout was given up is nobody’s', async (how) => {
  const posted: Event[] = [];
  let settle = (): void => {};
  const effects = new Effects({
    appName: 'shop',
    listeners: {},
    logger: { info() {}, warn() {}, error() {} },
    output: 'plain',
    makePlan: () =>
      new Promise((resolve, reject) => {
        settle = () => (how === 'made' ? resolve({ warnings: [] } as unknown as Plan) : reject(new Error('no config')));
      }),
    post: (event: Event) => void posted.push(event),
    ended() {},
  } as unknown as Options);
  effects.perform({ type: 'prepare', rolloutId: 3, scaled: null, target: { kind: 'files' } }, {} as Fleet);
  effects.perform({ type: 'rollout-ended', rollout: { id: 3, culprit: null } as Rollout }, {} as Fleet);
  settle();
  await setImmediate();
  expect(posted).toEqual([]);
});
