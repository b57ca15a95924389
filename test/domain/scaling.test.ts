/** A scale edits the serving generation's slots; what a new worker gets wrong takes it back. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/domain/types.js';
import { Scene } from './scene.js';

const ends = (scene: Scene): (string | null)[] =>
  scene.effects.flatMap((effect: Effect) => (effect.type === 'scale-ended' ? [effect.reason] : []));

describe('a scale-up', () => {
  test('ends once the new workers serve and have stayed up', () => {
    const scene = new Scene().start();
    expect(scene.scale(4)).toBeUndefined();
    scene.boot();
    expect(ends(scene)).toEqual([]);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1', '1/2', '1/3']);
    expect(ends(scene)).toEqual([null]);
  });

  test('is taken back where a new worker crashes before it has stayed up', () => {
    const scene = new Scene().start();
    scene.scale(4);
    scene.boot();
    scene.crash(scene.worker(1, 3));
    scene.settle();
    expect(ends(scene)).toEqual(['worker 3 of generation 1 exited with code 1, 0 ms after it was ready']);
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    expect(scene.fleet.scaled).toBeNull();
  });

  test('is taken back where a new worker is never ready', () => {
    const scene = new Scene().start();
    scene.ports = (slot) => (slot < 2 ? ['tcp:3000'] : []);
    scene.scale(3);
    scene.settle();
    expect(ends(scene)).toEqual(['worker 2 of generation 1 was not ready within 60 s: it never listened']);
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('is refused where the folder was edited in place', () => {
    const scene = new Scene().start();
    scene.send({ type: 'release-checked', generation: 1, modified: true });
    expect(scene.scale(3)).toBe('release-modified');
    expect(scene.scale(1)).toBeUndefined();
  });
});

describe('a scale-down', () => {
  test('retires the highest slots, and ends when their workers have gone', () => {
    const scene = new Scene({ instances: 3 }).start();
    scene.scale(1);
    expect(scene.slots('draining')).toEqual(['1/1', '1/2']);
    expect(ends(scene)).toEqual([]);
    scene.settle();
    expect(ends(scene)).toEqual([null]);
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('is refused while a worker that would stay is down', () => {
    const scene = new Scene().start();
    scene.crash(scene.worker(1, 0));
    expect(scene.scale(1)).toBe('too-few-up');
  });
});

describe('the number of a scale', () => {
  test('outlives a reload, and gives way to an edit of the number in the config', () => {
    const scene = new Scene().start();
    scene.scale(4);
    scene.settle();
    scene.reload();
    scene.settle();
    expect(scene.slots('active')).toHaveLength(4);
    scene.policy = { ...scene.policy, instances: 3, configuredInstances: 3 };
    scene.reload();
    scene.settle();
    expect(scene.slots('active')).toHaveLength(3);
    expect(scene.fleet.scaled).toBeNull();
  });

  test('is kept where the reload that would have brought another one fails', () => {
    const scene = new Scene().start();
    scene.scale(4);
    scene.settle();
    scene.policy = { ...scene.policy, instances: 3, configuredInstances: 3 };
    scene.reload();
    scene.boot();
    scene.crash(scene.worker(2, 0));
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1', '1/2', '1/3']);
    expect(scene.fleet.scaled).toEqual({ count: 4, configured: 2 });
  });
});

describe('one change at a time', () => {
  test('a reload command is refused during a scale, a HUP waits for its end', () => {
    const scene = new Scene().start();
    scene.scale(3);
    expect(scene.reload()).toBe('a scale is under way');
    expect(scene.reload('signal')).toBeUndefined();
    expect(scene.fleet.reloadQueued).toEqual({ source: 'signal' });
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
  });

  test('a scale is refused during a rollout and during another scale', () => {
    const scene = new Scene().start();
    scene.reload();
    expect(scene.scale(3)).toBe('rollout-under-way');
    scene.settle();
    scene.scale(3);
    expect(scene.scale(4)).toBe('scale-under-way');
  });

  test('a stop comes over a scale', () => {
    const scene = new Scene().start();
    scene.scale(3);
    scene.send({ type: 'stop-requested' });
    expect(ends(scene)).toEqual(['the app was stopped']);
    expect(scene.scale(4)).toBe('stopping');
    scene.settle();
    expect(scene.fleet.ended).toBe(true);
  });
});
