/** The warm-up: what a new worker is asked before it takes traffic, and who does without. */
import { describe, expect, test } from 'vitest';
import type { Worker } from '../../src/domain/types.js';
import { Scene } from './scene.js';
import type { Process } from './world.js';

/** All that can happen without the clock, but for the answers to a warm-up. */
function bootCold(scene: Scene): Scene {
  const next = (): Process | undefined =>
    [...scene.processes.values()].find(
      (process) => process.order === 'none' && process.warmUp !== 'asked' && scene.next(process) !== undefined,
    );
  for (let process = next(); process; process = next()) scene.send(scene.next(process)!);
  return scene;
}

const answer = (scene: Scene, { id }: Worker, failure: string | null = null): string | undefined =>
  scene.send({ type: 'warmed-up', id, results: '/ in 1 ms', failure }).ignored;

const askedCount = (scene: Scene): number => scene.effects.filter(({ type }) => type === 'warm-up').length;

const FAILURE = '/ answered 500';

describe('a new worker', () => {
  test('of a first start, a reload, a restart and a scale-up is asked once, before it takes traffic', () => {
    const scene = new Scene({ warmup: 'wanted' });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    bootCold(scene);
    expect([scene.slots('ready'), scene.slots('active')]).toEqual([['1/0', '1/1'], []]);
    expect(askedCount(scene)).toBe(2);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    scene.reload();
    scene.settle();
    expect(askedCount(scene)).toBe(4);
    scene.restart();
    scene.settle();
    expect(askedCount(scene)).toBe(6);
    scene.scale(3);
    bootCold(scene).advance(60_000 - 1);
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
    scene.settle();
    expect([scene.slots('active'), askedCount(scene)]).toEqual([['3/0', '3/1', '3/2'], 7]);
    expect(scene.told('warm-up')[0]).toBe('worker 0 of generation 1 is warmed up: / 200 in 1 ms');
  });

  test('sits its `minReady` out meanwhile: the longer of the two counts', () => {
    const scene = new Scene({ warmup: 'wanted', instances: 1, minReadyMs: 1_000 }).start();
    scene.reload();
    bootCold(scene).advance(400);
    answer(scene, scene.worker(2, 0));
    expect(scene.slots('ready')).toEqual(['2/0']);
    scene.advance(600);
    expect(scene.slots('active')).toContain('2/0');
    scene.settle().reload();
    bootCold(scene).advance(1_000);
    expect(scene.slots('ready')).toEqual(['3/0']);
    answer(scene, scene.worker(3, 0));
    expect(scene.slots('active')).toContain('3/0');
  });

  test('of an atomic reload keeps all of them waiting until it is warm', () => {
    const scene = new Scene({ warmup: 'wanted', atomic: true }).start();
    scene.reload();
    bootCold(scene).advance(1_000);
    answer(scene, scene.worker(2, 0));
    expect(scene.slots('ready')).toEqual(['2/0', '2/1']);
    answer(scene, scene.worker(2, 1));
    expect(scene.slots('ready')).toEqual([]);
    scene.settle();
    expect(scene.slots('active')).toEqual(['2/0', '2/1']);
  });

  test('that fails at it takes traffic all the same, where nothing says that it must not', () => {
    const scene = new Scene({ warmup: 'wanted', instances: 1 }).start();
    scene.reload();
    bootCold(scene).advance(1_000);
    answer(scene, scene.worker(2, 0), FAILURE);
    expect(scene.told('warm-up').at(-1)).toBe('worker 0 of generation 2 is warmed up in part: / in 1 ms');
    scene.settle();
    expect(scene.slots('active')).toEqual(['2/0']);
  });

  test('whose warm-up is never over takes traffic at the deadline for its readiness, with a warning', () => {
    const scene = new Scene({ warmup: 'wanted', instances: 1, readyDeadlineMs: 5_000 }).start();
    scene.reload();
    bootCold(scene).advance(4_999);
    expect(scene.slots('ready')).toEqual(['2/0']);
    scene.wake();
    expect(scene.slots('active')).toContain('2/0');
    expect(scene.told('warning')).toEqual([
      'worker 0 of generation 2: its warm-up was not over within 5 s of its start, and is not waited for',
    ]);
    expect(answer(scene, scene.worker(2, 0))).toBe('its warm-up is over');
  });
});

describe('a worker that must not fail at it, and does,', () => {
  const failed = (): Scene => {
    const scene = new Scene({ warmup: 'required' }).start();
    scene.reload();
    bootCold(scene);
    return scene;
  };

  test('gives its rollout up, and the old generation serves on', () => {
    const scene = failed();
    answer(scene, scene.worker(2, 0), FAILURE);
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      outcome: 'failed',
      reason: 'worker 0 of generation 2 failed its warm-up: / answered 500',
    });
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('also by never coming to its end', () => {
    const scene = failed();
    scene.processes.get(scene.worker(2, 0).id)!.hung = true;
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      reason: 'worker 0 of generation 2 failed its warm-up: it was not over within 60 s of its start',
    });
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('takes its scale back', () => {
    const scene = new Scene({ warmup: 'required' }).start();
    scene.scale(3);
    answer(bootCold(scene), scene.worker(1, 2), FAILURE);
    scene.settle();
    expect(scene.told('failed')).toEqual(['worker 2 of generation 1 failed its warm-up: / answered 500']);
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('as a respawn is tried again after a pause', () => {
    const scene = new Scene({ warmup: 'required' }).start();
    scene.crash(scene.worker(1, 0));
    scene.send(scene.answer()!);
    scene.wake();
    answer(bootCold(scene), scene.worker(1, 0), FAILURE);
    expect([scene.slots('active'), scene.slots('killing')]).toEqual([['1/1'], ['1/0']]);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/1', '1/0']);
    expect(scene.fleet.generations[1]!.slotState[0]!.restarts).toBe(2);
  });
});

describe('in an outage', () => {
  const outage = (modified: boolean): Scene => {
    const scene = new Scene({ warmup: 'required', instances: 1 }).start();
    scene.crash(scene.worker(1, 0));
    scene.send({ type: 'release-checked', generation: 1, modified });
    scene.wake();
    return bootCold(scene);
  };

  test('a respawn is not asked, and takes traffic at once', () => {
    const scene = outage(false);
    expect([scene.slots('active'), askedCount(scene)]).toEqual([['1/0'], 1]);
    expect(scene.told('worker-active').at(-1)).toBe(
      'worker 0 of generation 1 takes traffic without a warm-up: nobody else does (1 of 1)',
    );
  });

  test('a respawn from a folder that was edited is asked: its code is not what was proven', () => {
    const scene = outage(true);
    expect([scene.slots('ready'), askedCount(scene)]).toEqual([['1/0'], 2]);
  });

  test('that comes in mid-warm-up, the respawn takes traffic as it is, and its answers come too late', () => {
    const scene = new Scene({ warmup: 'required' }).start();
    scene.crash(scene.worker(1, 0));
    scene.send(scene.answer()!);
    scene.wake();
    const respawn = bootCold(scene) && scene.worker(1, 0);
    expect(respawn.warmup).toBe('running');
    scene.crash(scene.worker(1, 1));
    scene.send(scene.answer()!);
    expect(scene.slots('active')).toEqual(['1/0']);
    expect(answer(scene, respawn, FAILURE)).toBe('its warm-up is over');
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });
});
