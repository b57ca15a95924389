/** What a scale makes of what happened while it looked at the release. */
import { expect, test } from 'vitest';
import type { Fleet } from '../../../src/domain/types.js';
import type { CommandContext } from '../../../src/master/commands/context.js';
import { scale } from '../../../src/master/commands/scale.js';
import { Scene } from '../../domain/scene.js';

/** A master whose look at the release lasts as long as `meanwhile` takes; counts asked for are noted, and said to be reached. */
function masterOf(scene: Scene, meanwhile: () => void): { context: CommandContext; asked: number[] } {
  const asked: number[] = [];
  const supervisor = {
    get state(): Fleet {
      return scene.fleet;
    },
    request: ({ count }: { count: number }) => {
      asked.push(count);
      return Promise.resolve('it has that many workers');
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
