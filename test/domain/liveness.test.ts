/** A worker that does not answer any more, and one that crashes again and again. */
import { describe, expect, test } from 'vitest';
import { isCrashLooping } from '../../src/domain/crash-loop.js';
import { Scene } from './scene.js';

describe('a worker whose event loop is blocked', () => {
  test('is retired only once its replacement serves', () => {
    const scene = new Scene().start();
    scene.block(scene.worker(1, 0));
    expect(scene.slots('starting')).toEqual(['1/0']);
    scene.boot();
    expect(scene.slots('draining')).toEqual([]);
    scene.advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/0']);
    expect(scene.slots('active')).toEqual(['1/1', '1/0']);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/1', '1/0']);
  });

  test('is replaced at once where nobody else answers', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.block(scene.worker(1, 0));
    scene.boot();
    expect(scene.slots('draining')).toEqual(['1/0']);
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('waits where another one is being replaced: a host that starves all of them would lose all of them', () => {
    const scene = new Scene().start();
    scene.block(scene.worker(1, 0));
    expect(scene.block(scene.worker(1, 1))).toBe('another one is being replaced');
  });

  test('is replaced again where its replacement hangs as well', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.block(scene.worker(1, 0));
    for (const process of scene.processes.values()) if (process.id === 2) scene.send(scene.next(process)!);
    scene.boot();
    expect(scene.block(scene.worker(1, 0, 'active'))).toBeUndefined();
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('counts as a failure of the release while it is being brought in', () => {
    const scene = new Scene({ minReadyMs: 0 }).start();
    scene.policy = { ...scene.policy, minReadyMs: 5_000 };
    scene.reload();
    scene.boot().advance(5_000);
    scene.block(scene.worker(2, 0));
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      outcome: 'failed',
      reason: 'worker 0 of generation 2 stopped answering: its event loop is blocked',
    });
    expect(scene.slots('active').sort()).toEqual(['1/0', '1/1']);
  });

  test('that exits before its replacement serves is not started twice', () => {
    const scene = new Scene({ instances: 1 }).start();
    const blocked = scene.worker(1, 0);
    scene.block(blocked);
    scene.send({ type: 'exited', id: blocked.id, code: null, signal: 'SIGKILL' });
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0']);
    expect(scene.processes.size).toBe(1);
  });
});

describe('a crash loop', () => {
  const crashing = (): Scene => {
    const scene = new Scene({ instances: 1, crashLoop: { count: 3, windowMs: 60_000 } }).start();
    for (let crashes = 0; crashes < 3; crashes++) {
      scene.crash(scene.worker(1, 0, 'active'));
      scene.send(scene.answer()!);
      while (scene.slots('active').length === 0) scene.goOn();
    }
    return scene;
  };

  test('is marked and told once, and tries go on', () => {
    const scene = crashing();
    expect(isCrashLooping(scene.fleet.generations[1])).toBe(true);
    scene.crash(scene.worker(1, 0, 'active'));
    expect(scene.told('crash-looping')).toEqual([
      'worker 0 of generation 1 crash-loops: 3 crashes within 60 s; it is tried again, at most every 30 s',
    ]);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('is over once the worker has served for as long as a crash counts', () => {
    const scene = crashing();
    scene.settle();
    expect(isCrashLooping(scene.fleet.generations[1])).toBe(false);
    expect(scene.told('recovered')).toHaveLength(1);
  });

  test('is none where the crashes lie too far apart', () => {
    const scene = new Scene({ instances: 1, crashLoop: { count: 3, windowMs: 60_000 } }).start();
    for (let crashes = 0; crashes < 5; crashes++) {
      scene.advance(40_000);
      scene.crash(scene.worker(1, 0, 'active'));
      scene.send(scene.answer()!);
      while (scene.slots('active').length === 0) scene.goOn();
    }
    expect(scene.told('crash-looping')).toEqual([]);
  });

  test('does not hold up the release that mends it, nor the next try after a bad one', () => {
    const scene = new Scene({ instances: 1, backoff: { ...new Scene().policy.backoff, initialMs: 30_000 } }).start();
    scene.crash(scene.worker(1, 0, 'active'));
    scene.reload();
    scene.crash(scene.worker(2, 0));
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed' }); // Nobody served: there is nothing to wait for.
    expect(scene.reload()).toBeUndefined();
  });
});

describe('a worker whose app has asked to be replaced', () => {
  const leave = (scene: Scene): string | undefined =>
    scene.send({ type: 'leaving', id: scene.worker(1, 0).id }).ignored;

  test('serves until its successor does, then drains by a deadline and is killed there', () => {
    const scene = new Scene({ instances: 1 }).start();
    leave(scene);
    expect(leave(scene)).toBe('it is being replaced');
    expect(scene.slots('active')).toEqual(['1/0']);
    scene.processes.get(scene.worker(1, 0).id)!.hung = true;
    scene.advance(1_000);
    scene.boot().advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/0']);
    expect(scene.slots('active')).toEqual(['1/0']);
    scene.settle();
    expect(scene.slots('draining')).toEqual([]);
    expect(scene.slots('killing')).toEqual([]);
  });

  test('is not forgotten by a restart: the first new worker is forked when it has gone', () => {
    const scene = new Scene({ instances: 1 }).start();
    leave(scene);
    scene.restart();
    expect(scene.slots('draining')).toEqual(['1/0']);
    expect(scene.slots('starting')).toEqual([]);
  });

  test('is waited for by a stop', () => {
    const scene = new Scene({ instances: 1 }).start();
    leave(scene);
    scene.send({ type: 'stop-requested' });
    expect(scene.fleet.ended).toBe(false);
    expect(scene.slots('draining')).toEqual(['1/0']);
    scene.settle();
    expect(scene.fleet.ended).toBe(true);
  });
});
