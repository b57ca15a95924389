/** A restart: old and new never run at once, and a bad release does not end the good one. */
import { describe, expect, test } from 'vitest';
import { Scene } from './scene.js';

describe('a restart', () => {
  test('forks no new worker before the last old one has gone, also one that drains for long', () => {
    const scene = new Scene().start();
    scene.restart();
    expect(scene.slots('draining')).toEqual(['1/0', '1/1']);
    scene.send({ type: 'exited', id: scene.worker(1, 0).id, code: 0, signal: null });
    expect(scene.slots('starting')).toEqual([]);
    scene.send({ type: 'exited', id: scene.worker(1, 1).id, code: 0, signal: null });
    expect(scene.slots('starting')).toEqual(['2/0', '2/1']);
  });

  test('lets a new worker serve as soon as it is ready: nobody else does', () => {
    const scene = new Scene({ minReadyMs: 5_000 }).start();
    scene.restart();
    scene.send({ type: 'exited', id: scene.worker(1, 0).id, code: 0, signal: null });
    scene.send({ type: 'exited', id: scene.worker(1, 1).id, code: 0, signal: null });
    scene.boot();
    expect(scene.slots('active')).toEqual(['2/0', '2/1']);
    expect(scene.fleet.serving).toBe(1); // Proven only once they have stayed up.
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
  });

  test('waits for workers of older generations too', () => {
    const scene = new Scene().start();
    scene.reload();
    for (let steps = 0; scene.fleet.serving !== 2 && steps < 100; steps++) {
      for (const process of scene.processes.values()) if (process.generation === 1) process.hung = true;
      scene.boot();
      scene.wake();
    }
    expect(scene.slots('draining')).toContain('1/1');
    scene.restart();
    for (const worker of ['0', '1']) {
      const found = scene.worker(2, Number(worker));
      scene.send({ type: 'exited', id: found.id, code: 0, signal: null });
    }
    expect(scene.slots('starting')).toEqual([]);
    scene.settle();
    expect(scene.fleet.serving).toBe(3);
  });

  test('that cannot be prepared leaves the old workers as they are', () => {
    const scene = new Scene().start();
    scene.send({ type: 'rollout-requested', kind: 'restart', source: 'command', allowListeners: false });
    scene.send({ type: 'prepare-failed', rolloutId: scene.preparing!, reason: 'no such script' });
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    expect(scene.verdicts.at(-1)).toMatchObject({ kind: 'restart', outcome: 'failed', reason: 'no such script' });
  });

  test('whose new workers crash starts the old release again, once they have gone', () => {
    const scene = new Scene().start();
    scene.restart();
    scene.send({ type: 'exited', id: scene.worker(1, 0).id, code: 0, signal: null });
    scene.send({ type: 'exited', id: scene.worker(1, 1).id, code: 0, signal: null });
    scene.crash(scene.worker(2, 0));
    expect(scene.slots('starting')).toEqual([]); // 2/1 is still there.
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', culprit: 3 });
  });

  test('that fails with the old folder edited does not wait for what nobody can promise, and tries go on', () => {
    const scene = new Scene().start();
    scene.restart();
    scene.send({ type: 'exited', id: scene.worker(1, 0).id, code: 0, signal: null });
    scene.send({ type: 'exited', id: scene.worker(1, 1).id, code: 0, signal: null });
    scene.crash(scene.worker(2, 0));
    expect(scene.unchecked).toContain(1);
    scene.send({ type: 'release-checked', generation: 1, modified: true });
    expect(scene.verdicts).toHaveLength(1);
    scene.send({ type: 'exited', id: scene.worker(2, 1).id, code: 0, signal: null });
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed' });
    expect(scene.slots('starting')).toEqual(['1/0', '1/1']);
  });

  test('is refused while a reload is under way', () => {
    const scene = new Scene().start();
    scene.reload();
    expect(scene.restart()).toBe('another rollout is under way');
  });
});

describe('a smoke test', () => {
  const first = (scene: Scene): string[] =>
    scene.effects.flatMap((effect) => (effect.type === 'smoke' ? ['asked'] : []));

  test('is asked once, of the first worker that is ready, and no worker takes traffic before it has passed', () => {
    const scene = new Scene({ smoke: true, minReadyMs: 0 });
    scene.start();
    expect(first(scene)).toEqual(['asked']);
    scene.policy = { ...scene.policy, surge: 2 };
    scene.reload();
    for (let steps = 0; steps < 8; steps++) {
      const process = [...scene.processes.values()].find(
        (candidate) => candidate.generation === 2 && candidate.smoke !== 'asked' && scene.next(candidate),
      );
      if (process) scene.send(scene.next(process)!);
    }
    expect(scene.slots('ready')).toEqual(['2/0', '2/1']);
    expect(first(scene)).toEqual(['asked', 'asked']);
    scene.settle();
    expect(scene.slots('active')).toEqual(['2/0', '2/1']);
  });

  test('that fails gives the rollout up', () => {
    const scene = new Scene().start();
    scene.policy = { ...scene.policy, smoke: true };
    scene.reload();
    for (let asked = false; !asked; ) {
      const process = [...scene.processes.values()].find(
        ({ generation, order }) => generation === 2 && order === 'none',
      )!;
      asked = process.smoke === 'asked';
      if (asked) scene.send({ type: 'smoke-failed', id: process.id, reason: 'npm run smoke exited with code 1' });
      else scene.send(scene.next(process)!);
    }
    expect(scene.fleet.rollout).toMatchObject({
      reason: 'worker 0 of generation 2 failed the smoke test: npm run smoke exited with code 1',
    });
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });
});
