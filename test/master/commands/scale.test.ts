/** What a scale is told as: the core gives a kind, the command its code, exit status and words; and what happens while it looks at the release. */
import { describe, expect, test } from 'vitest';
import { emptyFleet } from '../../../src/domain/fleet.js';
import type { Fleet, ScaleRefusal } from '../../../src/domain/types.js';
import type { CommandContext } from '../../../src/master/commands/context.js';
import { whileItRuns } from '../../../src/master/commands/edited-in-place.js';
import { scale } from '../../../src/master/commands/scale.js';
import type { ControlResult } from '../../../src/shared/control-protocol.js';
import { ZdsupError } from '../../../src/shared/errors.js';
import { Scene } from '../../domain/scene.js';

/** `shop` with two workers, whose core answers as given. */
function answeredWith(ignored: ScaleRefusal | 'the master is ending', path = '/'): Promise<ControlResult | ZdsupError> {
  const state = { ...emptyFleet(), serving: 1, generations: { 1: { number: 1, slots: [0, 1] } } } as unknown as Fleet;
  const context = {
    appName: 'shop',
    supervisor: { state, request: async () => ignored },
    snapshot: async () => ({ release: { id: 'one', path } }),
    effects: { checkRelease: async () => {}, observers: new Set() },
    ended: new Promise(() => {}),
  } as unknown as CommandContext;
  return scale(context, '4', () => {}).catch((error: unknown) => {
    if (error instanceof ZdsupError) return error;
    throw error;
  });
}

describe('a scale that the core refuses', () => {
  test.each([
    ['stopping', 'ZDSUP_STOPPING', 4, 'shop is stopping'],
    ['nothing-serves', 'ZDSUP_ROLLOUT_UNDER_WAY', 4, 'under way'],
    ['scale-under-way', 'ZDSUP_ROLLOUT_UNDER_WAY', 4, 'under way'],
    ['rollout-under-way', 'ZDSUP_ROLLOUT_UNDER_WAY', 4, 'under way'],
    ['too-few-up', 'ZDSUP_SCALE_REFUSED', 1, 'one of the workers that would stay is not up'],
    ['release-modified', 'ZDSUP_RELEASE_CHANGED', 1, 'the folder of shop was edited in place'],
    ['the master is ending', 'ZDSUP_STOPPING', 1, 'the scale of shop was given up: the app was ended at once'],
  ] as const)('as %s is told as %s, with exit %i', async (kind, code, exitStatus, words) => {
    const refusal = await answeredWith(kind);
    expect(refusal).toMatchObject({ code, exitStatus });
    expect((refusal as ZdsupError).message).toContain(words);
  });
});

test('a folder that has gone is not to be brought in by a reload: the hint is what works', async () => {
  const putBack =
    'put it back; where the app has moved, zdsup stop shop, and zdsup start <script> in the folder where it is now';
  expect(await answeredWith('release-modified')).toMatchObject({ hint: 'bring it in first: zdsup reload shop' });
  expect(await answeredWith('release-modified', '/nowhere/shop')).toMatchObject({
    message: 'the folder of shop is not there any more: /nowhere/shop',
    hint: putBack,
  });
  // A reload takes no --cwd.
  const missing = { code: 'ZDSUP_CWD_MISSING', message: 'it is not there', hint: '--cwd', exitStatus: 2 } as const;
  expect(whileItRuns(missing, 'shop')).toEqual({ ...missing, hint: putBack });
  expect(whileItRuns({ ...missing, code: 'ZDSUP_ENV_FILE' }, 'shop').hint).toBe('--cwd');
});

test('a scale to the number that there is has nothing to do, and is done', async () => {
  expect(await answeredWith('same-count')).toMatchObject({ ok: true, exitStatus: 0, message: '4 workers already' });
});

/** A master whose look at the release lasts as long as `meanwhile` takes; counts asked for are noted, and said to be reached. */
function masterOf(scene: Scene, meanwhile: () => void): { context: CommandContext; asked: number[] } {
  const asked: number[] = [];
  const supervisor = {
    get state(): Fleet {
      return scene.fleet;
    },
    request: ({ count }: { count: number }) => {
      asked.push(count);
      return Promise.resolve('same-count');
    },
  };
  const effects = { observers: new Set(), checkRelease: () => Promise.resolve().then(meanwhile) };
  const context = { appName: 'crowd', supervisor, effects, ended: new Promise<boolean>(() => {}) };
  return { context: context as unknown as CommandContext, asked };
}

test('`+1` is one more than there are when the look at the release is over, not when it began', async () => {
  const scene = new Scene({ instances: 2 }).start();
  const { context, asked } = masterOf(scene, () => {
    scene.scale(4);
    scene.settle();
  });
  await scale(context, '+1', () => {});
  expect(asked).toEqual([5]);
});

test('a stop that comes during the look is the reason that is told', async () => {
  const scene = new Scene({ instances: 2 }).start();
  const { context, asked } = masterOf(scene, () => scene.send({ type: 'stop-requested' }));
  await expect(scale(context, '3', () => {})).rejects.toMatchObject({ code: 'ZDSUP_STOPPING', exitStatus: 4 });
  expect(asked).toEqual([]);
});
