/** The way back: out of a soak by itself, by hand, to a parked generation and to what one has run. */
import { describe, expect, test } from 'vitest';
import { wayBackOf } from '../../src/domain/rollback.js';
import type { Policy } from '../../src/domain/types.js';
import { bootsToWake } from '../../src/domain/warm.js';
import { Scene } from './scene.js';

/** Generation 2 has just been promoted over generation 1. */
function promoted(policy: Partial<Policy> = {}): Scene {
  const scene = new Scene({ instances: 2, soakMs: 30_000, ...policy }).start();
  scene.reload();
  scene.until(scene.now + 3_000).bootAll();
  expect(scene.fleet.serving).toBe(2);
  return scene;
}

const crashLoop = (scene: Scene): void => {
  for (let crash = 0; crash < scene.policy.crashLoop.count && scene.fleet.soak; crash++) {
    scene.crash(scene.worker(2, 0, 'active'));
    if (scene.fleet.soak) scene.until(scene.now + 2_000).bootAll();
  }
};

function failToPrepare(scene: Scene): void {
  scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
  scene.send({ type: 'prepare-failed', rolloutId: scene.preparing!, reason: 'a typo' });
}

function crashAtOnce(scene: Scene): void {
  scene.reload();
  scene.crash(scene.worker(3, 0, 'starting'));
  scene.bootAll();
}

/** In the order in which they have proven themselves, or were gone back to. */
const goodOnes = (scene: Scene): number[] =>
  scene.effects.flatMap((effect) => (effect.type === 'good' ? [effect.generation] : []));

describe('in its soak', () => {
  test('a generation that crash-loops is rolled back to what the one before has run, by itself', () => {
    const scene = promoted({ crashLoop: { count: 3, windowMs: 60_000 } });
    crashLoop(scene);
    expect(scene.told('rolling-back')).toEqual([
      'generation 2 has failed in its soak: worker 0 of generation 2 crash-loops; rolling back',
    ]);
    expect(scene.fleet.rollout).toMatchObject({
      kind: 'rollback',
      source: 'soak',
      cause: 'worker 0 of generation 2 crash-loops',
    });
    expect(scene.effects.findLast(({ type }) => type === 'prepare')).toMatchObject({
      target: { kind: 'generation', number: 1 },
    });
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ kind: 'rollback', outcome: 'succeeded', from: 2, to: 3 });
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
    expect(scene.fleet.generations[3]).toMatchObject({ good: true });
    expect(scene.fleet.soak, 'what was good is not tried again').toBeNull();
    expect(goodOnes(scene), 'a later start runs it').toEqual([1, 3]);
  });

  test('a generation with a bad verdict is rolled back, where its canary was judged', () => {
    const canary = { steps: [{ weight: 50, pauseMs: null }], inconclusive: 'wait' as const, sticky: false };
    const scene = new Scene({ instances: 2, soakMs: 30_000, canary }).start();
    scene.reload();
    scene.until(scene.now + 1_000).bootAll();
    scene.promote();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet.judging).toEqual({ rolloutId: 2, stable: 1, canary: 2, isJudged: true, phase: 'soak' });
    scene.judge('bad', 'p99 is 812 ms');
    expect(scene.fleet.rollout).toMatchObject({ kind: 'rollback', cause: 'p99 is 812 ms' });
    scene.settle();
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
  });

  test('a generation that came without a canary is judged by its crashes alone, whatever its policy says of canaries', () => {
    const canary = { steps: [{ weight: 50, pauseMs: null }], inconclusive: 'wait' as const, sticky: false };
    const scene = new Scene({ instances: 2, soakMs: 30_000, canary }).start();
    scene.send({
      ...{ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false },
      noCanary: true,
    });
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet.soak).toMatchObject({ generation: 2, isJudged: false });
    expect(scene.fleet.judging).toBeNull();
  });

  test('a generation that comes through is good, and the next crash loop changes nothing', () => {
    const scene = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    scene.until(scene.now + 30_000);
    expect(scene.told('soaked')).toEqual(['generation 2 has served for 30 s since its promotion: it is good']);
    scene.crash(scene.worker(2, 0, 'active'));
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
    expect(goodOnes(scene)).toEqual([1, 2]);
  });

  test('a reload takes the trial over: what it replaces was never good, and the way back leads past it', () => {
    const scene = promoted();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet.serving).toBe(3);
    expect(scene.fleet.lastGood).toBe(1);
    expect(scene.rollBack()).toBeUndefined();
    expect(scene.effects.findLast(({ type }) => type === 'prepare')).toMatchObject({
      target: { kind: 'generation', number: 1 },
    });
  });

  test.each([
    ['cannot be prepared', (scene: Scene) => failToPrepare(scene)],
    ['fails at its first worker', (scene: Scene) => crashAtOnce(scene)],
  ])('a reload that %s leaves the trial as it was', (_, fail) => {
    const rollsBack = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    fail(rollsBack);
    rollsBack.crash(rollsBack.worker(2, 0, 'active'));
    expect(rollsBack.told('rolling-back')).toHaveLength(1);
    const comesThrough = promoted();
    fail(comesThrough);
    comesThrough.until(comesThrough.now + 30_000);
    expect(comesThrough.fleet.generations[2]).toMatchObject({ good: true });
    expect(comesThrough.fleet.soak).toBeNull();
  });

  test('a crash loop that begins during a reload is gone back from once that has failed, and once only', () => {
    const scene = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
    scene.crash(scene.worker(2, 0, 'active'));
    expect(scene.told('rolling-back')).toEqual([]);
    scene.send({ type: 'prepare-failed', rolloutId: scene.preparing!, reason: 'a typo' });
    expect(scene.told('rolling-back')).toEqual(['generation 2 has failed in its soak: it crash-loops; rolling back']);
    scene.send({ type: 'prepare-failed', rolloutId: scene.preparing!, reason: 'the folder was edited in place' });
    scene.settle();
    expect(scene.told('rolling-back')).toHaveLength(1);
    expect(scene.fleet.serving).toBe(2);
  });

  test('one that is down when its time is over is good once it is whole again', () => {
    const scene = promoted();
    const { until } = scene.fleet.soak!;
    scene.until(until - 50);
    scene.block(scene.worker(2, 0, 'active'));
    scene.advance(60);
    expect(scene.told('soaked')).toEqual([]);
    scene.until(until + 5_000);
    expect(scene.told('soaked')).toHaveLength(1);
  });

  test('a crash of a worker that had taken traffic begins its time anew: good is what has served that long without one', () => {
    const scene = promoted();
    const began = scene.fleet.soak!.until - 30_000;
    for (const after of [8_000, 37_000]) {
      scene.until(began + after);
      scene.crash(scene.worker(2, 0, 'active'));
      expect(scene.fleet.soak!.until).toBe(began + after + 30_000);
    }
    expect(scene.told('worker-exited').at(-1)).toMatch(
      /^worker 0 of generation 2 exited with code 1: its soak of 30 s begins anew; it is started again in \d+ ms$/,
    );
    scene.until(began + 66_000);
    expect(goodOnes(scene)).toEqual([1]);
    scene.until(began + 68_000);
    expect(goodOnes(scene)).toEqual([1, 2]);
    expect(scene.told('soaked')).toEqual(['generation 2 has served for 30 s since its last crash: it is good']);
  });

  test('the crash of a respawn that has not taken traffic begins nothing anew', () => {
    const scene = promoted();
    scene.crash(scene.worker(2, 0, 'active'));
    const { until } = scene.fleet.soak!;
    scene.advance(2_000);
    scene.crash(scene.worker(2, 0, 'starting'));
    expect(scene.fleet.soak).toMatchObject({ until, crashes: [expect.any(Number)] });
  });

  /** In turn, so that no slot loops. */
  const crashInTurn = (scene: Scene, count: number, everyMs = 3_000): void => {
    for (let crash = 0; crash < count; crash++) {
      scene.until(scene.now + everyMs).bootAll();
      scene.crash(scene.worker(2, crash % 2, 'active'));
    }
  };

  test('as many crashes as make a loop, of all its slots together, roll it back: each slot alone does not loop', () => {
    const scene = promoted({ crashLoop: { count: 5, windowMs: 60_000 } });
    crashInTurn(scene, 4);
    expect(scene.told('rolling-back')).toEqual([]);
    crashInTurn(scene, 1);
    expect(scene.told('crash-looping')).toEqual([]);
    expect(scene.told('rolling-back')).toEqual([
      'generation 2 has failed in its soak: 5 crashes within 60 s of its soak; rolling back',
    ]);
    expect(scene.fleet.rollout).toMatchObject({ source: 'soak', cause: '5 crashes within 60 s of its soak' });
    scene.settle();
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
    expect(goodOnes(scene)).toEqual([1, 3]);
  });

  test('crashes further apart than that do not, and after the soak those of all slots are not counted together', () => {
    const scene = promoted({ crashLoop: { count: 3, windowMs: 10_000 } });
    crashInTurn(scene, 6, 6_000);
    expect(scene.told('rolling-back')).toEqual([]);
    scene.until(scene.now + 31_000).bootAll();
    expect(goodOnes(scene)).toEqual([1, 2]);
    crashInTurn(scene, 4, 2_000);
    expect(scene.fleet.rollout).toMatchObject({ kind: 'reload', to: 2 });
  });

  test.each([
    ['rolled back once that has failed', 1_000, ['5 crashes within 60 s of its soak']],
    ['good where it has served its time by then', 40_000, []],
  ])('too many crashes beside a canary: it is %s', (_, waitMs, reasons) => {
    const scene = promoted();
    scene.canary(5);
    scene.until(scene.now + 3_000).bootAll();
    crashInTurn(scene, 5);
    expect(scene.fleet.rollout).toMatchObject({ kind: 'reload', step: 'canary' });
    scene.until(scene.now + waitMs).bootAll();
    scene.abort();
    scene.until(scene.now + 5_000).bootAll();
    expect(scene.told('rolling-back')).toEqual(
      reasons.map((reason) => `generation 2 has failed in its soak: ${reason}; rolling back`),
    );
    expect(scene.fleet.generations[2]?.good ?? false).toBe(reasons.length === 0);
  });

  test('one crash of a worker says nothing of the others: a stop upon the trial has the next start try it', () => {
    const scene = promoted();
    scene.crash(scene.worker(2, 0, 'active'));
    scene.send({ type: 'stop-requested' });
    expect(scene.effects).toContainEqual({ type: 'soak-stopped', generation: 2 });
  });

  test('a scale under way is taken back first', () => {
    const scene = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    scene.scale(4);
    scene.crash(scene.worker(2, 0, 'active'));
    expect(scene.effects).toContainEqual({
      ...{ type: 'scale-ended', id: 1, culprit: null },
      reason: 'generation 2 has failed in its soak: worker 0 of generation 2 crash-loops',
    });
    scene.settle();
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
  });

  test('comes to its end beside the next canary: what serves through it is good', () => {
    const scene = promoted();
    scene.canary(5);
    scene.until(scene.now + 60_000).bootAll();
    expect(scene.fleet.rollout).toMatchObject({ kind: 'reload', step: 'canary' });
    expect(scene.fleet.generations[2]!.good).toBe(true);
  });

  test('a folder that was edited in place cannot be gone back to: the new one goes on, and it is said', () => {
    const scene = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    scene.crash(scene.worker(2, 0, 'active'));
    const rolloutId = scene.preparing!;
    scene.send({ type: 'prepare-failed', rolloutId, reason: 'the folder was edited in place' });
    scene.settle();
    const reason = 'the automatic rollback of generation 2 has failed: the folder was edited in place';
    expect(scene.verdicts.at(-1)).toMatchObject({ kind: 'rollback', outcome: 'failed', reason });
    expect(scene.told('failed')).toEqual([reason]);
    expect(scene.slots('active').sort()).toEqual(['2/0', '2/1']);
  });
});

describe('a parked generation', () => {
  test('is parked worker by worker as it is replaced, stays for its time, and leaves', () => {
    const scene = promoted({ keepWarmMs: 600_000 });
    expect(scene.slots('parked')).toEqual(['1/0', '1/1']);
    expect(scene.slots('active')).toEqual(['2/0', '2/1']);
    expect(scene.effects.some(({ type }) => type === 'retire')).toBe(false);
    scene.until(scene.now + 590_000);
    expect(scene.slots('parked')).toEqual(['1/0', '1/1']);
    scene.until(scene.now + 20_000);
    expect(scene.slots('parked')).toEqual([]);
    expect(Object.keys(scene.fleet.generations)).toEqual(['2']);
  });

  test.each([
    ['one worker alone', { instances: 1 }],
    ['workers that are switched all at once', { instances: 2, atomic: true }],
  ])('is parked as well where it has %s', (_, policy) => {
    const scene = promoted({ keepWarmMs: 600_000, ...policy });
    expect(scene.slots('parked')).toHaveLength(policy.instances);
    expect(scene.told('worker-retired')).toEqual([]);
    scene.rollBack();
    expect(scene.fleet.serving).toBe(1);
    scene.settle();
    expect(scene.slots('active')).toHaveLength(policy.instances);
    expect(Object.keys(scene.fleet.generations)).toEqual(['1']);
  });

  test('serves again in the very step of a rollback, without a fork', () => {
    const scene = promoted({ keepWarmMs: 600_000 });
    const before = scene.everForked.size;
    const at = scene.effects.length;
    expect(scene.rollBack()).toBeUndefined();
    expect(scene.effects.slice(at).filter(({ type }) => type === 'activate')).toHaveLength(2);
    expect(scene.fleet.serving).toBe(1);
    scene.bootAll();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    expect(scene.everForked.size).toBe(before);
    expect(scene.verdicts.at(-1)).toMatchObject({ kind: 'rollback', outcome: 'succeeded', from: 2, to: 1 });
  });

  test.each([
    ['it runs: it is woken', 1, 0, 1],
    ['another generation has run: that is booted', 2, 2, 3],
    ['nobody is known to run: it is booted', undefined, 2, 3],
  ])('and a rollback to a release that %s', (_, ranBy, forks, serving) => {
    const scene = promoted({ keepWarmMs: 600_000 });
    const before = scene.everForked.size;
    const release = { id: 'r1', path: '/releases/r1', from: '/app' };
    expect(scene.send({ type: 'rollback-requested', release, ranBy }).ignored).toBeUndefined();
    scene.until(scene.now + 5_000).bootAll();
    expect(scene.everForked.size - before).toBe(forks);
    expect(scene.fleet.serving).toBe(serving);
  });

  test('is what a soak goes back to', () => {
    const scene = promoted({ keepWarmMs: 600_000, crashLoop: { count: 1, windowMs: 60_000 } });
    scene.crash(scene.worker(2, 1, 'active'));
    expect(scene.fleet.serving).toBe(1);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('that has lost a worker meanwhile is filled up by a fork of its own', () => {
    const scene = promoted({ keepWarmMs: 600_000 });
    expect(bootsToWake(scene.fleet)).toBe(0);
    scene.crash(scene.worker(1, 1, 'parked'));
    expect(scene.slots('parked')).toEqual(['1/0']);
    expect(bootsToWake(scene.fleet), 'and it is known beforehand').toBe(1);
    expect(scene.fleet.generations[1]!.slotState[1], 'it must open what that one had').toMatchObject({
      expected: { kind: 'exactly', keys: ['tcp:3000'] },
    });
    scene.rollBack();
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test.each([
    ['that closes what it listened on', (id: number) => ({ type: 'closed' as const, id, key: 'tcp:3000' })],
    ['that asks to be replaced', (id: number) => ({ type: 'leaving' as const, id })],
    ['whose event loop is blocked', (id: number) => ({ type: 'unresponsive' as const, id })],
  ])('lets a worker go %s: it would take no traffic again', (_, event) => {
    const scene = promoted({ keepWarmMs: 600_000 });
    scene.send(event(scene.worker(1, 1, 'parked').id));
    expect(scene.slots('parked')).toEqual(['1/0']);
    expect(scene.slots('draining')).toEqual(['1/1']);
    scene.rollBack();
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('that has lost a worker meanwhile serves again by one switch where it is atomic: the parked one waits for the boot', () => {
    const scene = promoted({ keepWarmMs: 600_000, atomic: true });
    scene.crash(scene.worker(1, 1, 'parked'));
    scene.send({ type: 'rollback-requested' });
    expect([scene.slots('parked'), scene.slots('starting')]).toEqual([['1/0'], ['1/1']]);
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet.serving).toBe(1);
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('that has lost all is no way back without a boot any more', () => {
    const scene = promoted({ keepWarmMs: 600_000 });
    for (const slot of [0, 1]) scene.crash(scene.worker(1, slot, 'parked'));
    expect(scene.fleet.warm).toBeNull();
    scene.rollBack();
    expect(scene.effects.findLast(({ type }) => type === 'prepare')).toMatchObject({
      target: { kind: 'generation', number: 1 },
    });
  });

  test('serves again where the rollout that parks it fails half-way', () => {
    const scene = new Scene({ instances: 2, keepWarmMs: 600_000 }).start();
    scene.reload();
    while (scene.slots('parked').length === 0) scene.goOn();
    scene.crash(scene.worker(2, 0, 'active'));
    scene.settle();
    expect(scene.slots('active').sort()).toEqual(['1/0', '1/1']);
    expect(scene.slots('parked')).toEqual([]);
    expect(scene.everForked.size).toBeLessThanOrEqual(4);
  });

  test('has no boot ahead of it while it is still being parked, and some where the app was scaled up since', () => {
    const scene = new Scene({ instances: 2, keepWarmMs: 600_000 }).start();
    scene.reload();
    while (scene.slots('parked').length === 0) scene.goOn();
    expect(scene.slots('parked')).toHaveLength(1);
    expect(bootsToWake(scene.fleet)).toBe(0);
    scene.until(scene.now + 5_000).bootAll();
    scene.scale(5);
    expect(bootsToWake(scene.fleet)).toBe(3);
  });

  test('ends with a stop', () => {
    const scene = promoted({ keepWarmMs: 600_000 });
    scene.send({ type: 'stop-requested' });
    scene.settle();
    expect(scene.fleet.ended).toBe(true);
    expect(scene.processes.size).toBe(0);
  });

  test('has gone before a restart boots', () => {
    const scene = promoted({ keepWarmMs: 600_000, soakMs: 0 });
    scene.restart();
    scene.settle();
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
    expect(scene.slots('parked')).toEqual([]);
  });
});

describe('a rollback by hand', () => {
  test.each([
    ['boots', 0],
    ['has parked', 600_000],
  ])('tells that what it %s is good: a later start brings that back, and not what it has left', (_, keepWarmMs) => {
    const scene = promoted({ soakMs: 0, keepWarmMs });
    scene.rollBack();
    scene.until(scene.now + 5_000);
    const good = scene.effects.flatMap((effect) => (effect.type === 'good' ? [effect.generation] : []));
    expect(good).toEqual([1, 2, scene.fleet.serving]);
  });

  test.each([
    ['boots', 0],
    ['has parked', 600_000],
  ])('keeps to the last scale: what it %s has as many workers', (_, keepWarmMs) => {
    const scene = promoted({ soakMs: 0, keepWarmMs });
    scene.scale(4);
    scene.until(scene.now + 5_000);
    scene.rollBack();
    scene.until(scene.now + 5_000);
    expect(scene.slots('active')).toHaveLength(4);
    scene.scale(2);
    scene.until(scene.now + 5_000);
    scene.rollBack();
    scene.until(scene.now + 5_000);
    expect(scene.slots('active'), 'and where it was scaled back').toHaveLength(2);
    expect(scene.fleet.scaled).toBeNull();
  });

  test('goes to what the last good generation has run, and a second one back again', () => {
    const scene = promoted({ soakMs: 0 });
    scene.settle();
    expect(scene.rollBack()).toBeUndefined();
    scene.settle();
    expect(scene.fleet).toMatchObject({ serving: 3, lastGood: 2 });
    expect(scene.rollBack()).toBeUndefined();
    scene.settle();
    expect(scene.fleet).toMatchObject({ serving: 4, lastGood: 3 });
    expect(goodOnes(scene), 'a later start runs what was gone back to').toEqual([1, 2, 3, 4]);
  });

  test('leads past a generation that was brought in once more: it runs the same', () => {
    for (const keepWarmMs of [0, 600_000]) {
      const scene = promoted({ soakMs: 1_000, keepWarmMs });
      scene.until(scene.now + 5_000);
      expect(scene.fleet).toMatchObject({ serving: 2, lastGood: 1 });
      scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
      scene.send({ type: 'prepared', rolloutId: scene.preparing!, policy: scene.policy, repeats: true });
      scene.until(scene.now + 5_000).bootAll();
      expect(scene.fleet, 'what has proven itself is not on trial again').toMatchObject({ serving: 3, soak: null });
      expect(scene.rollBack()).toBeUndefined();
      expect(scene.fleet.rollout).toMatchObject({ backTo: 1 });
      scene.until(scene.now + 5_000).bootAll();
      expect(scene.verdicts.at(-1)).toMatchObject({ kind: 'rollback', outcome: 'succeeded', from: 3 });
    }
  });

  test('a second one does not lead back to what crash-looped when it was left, good as it was before', () => {
    const scene = promoted({ soakMs: 0, crashLoop: { count: 2, windowMs: 60_000 } });
    for (const _ of [1, 2]) {
      scene.crash(scene.worker(2, 1, 'active'));
      scene.until(scene.now + 2_000).bootAll();
    }
    expect(scene.told('crash-looping')).toHaveLength(1);
    expect(scene.rollBack()).toBeUndefined();
    scene.settle();
    expect(scene.fleet).toMatchObject({ serving: 3, lastGood: null });
    expect(scene.effects.findLast(({ type }) => type === 'good')).toMatchObject({ generation: 3, leavesLoop: true });
    expect(wayBackOf(scene.fleet), 'nor is the store asked').toBe('none');
    expect(scene.rollBack()).toBe('back-already');
  });

  test('nor to what had crashed in its soak when it was left', () => {
    const scene = promoted();
    scene.crash(scene.worker(2, 1, 'active'));
    scene.until(scene.now + 29_000).bootAll();
    expect(scene.fleet.soak).not.toBeNull();
    expect(scene.rollBack()).toBeUndefined();
    scene.settle();
    expect([scene.fleet.serving, scene.fleet.lastGood]).toEqual([3, null]);
    expect(scene.rollBack()).toBe('back-already');
  });

  test('of a canary in flight is its abort', () => {
    const scene = new Scene({ instances: 2 }).start();
    scene.canary(5);
    scene.settle();
    expect(scene.rollBack()).toBeUndefined();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', reason: 'rolled back by hand' });
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });

  test('that comes after the one of a soak is told that it is back already, and goes no step further', () => {
    const scene = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    scene.crash(scene.worker(2, 0, 'active'));
    scene.settle();
    expect(scene.rollBack()).toBe('back-already');
  });

  test('from a release that was gone to in a soak leads back to what was good before it', () => {
    const scene = promoted();
    expect(wayBackOf(scene.fleet)).toBe('known');
    const release = { id: 'r1', path: '/releases/r1', from: '/app' };
    scene.send({ type: 'rollback-requested', release });
    scene.settle();
    expect(scene.fleet).toMatchObject({ serving: 3, lastGood: 1 });
    expect(scene.rollBack()).toBeUndefined();
    scene.settle();
    expect(scene.fleet).toMatchObject({ serving: 4, lastGood: 3 });
  });

  test('is no abort of one that is under way: what has begun by itself goes on', () => {
    const scene = promoted({ crashLoop: { count: 1, windowMs: 60_000 } });
    scene.crash(scene.worker(2, 0, 'active'));
    expect(scene.rollBack()).toBe('rolling-back');
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ kind: 'rollback', outcome: 'succeeded', from: 2, to: 3 });
  });

  test('to a release prepares that one', () => {
    const scene = new Scene({ instances: 1 }).start();
    const release = { id: 'r1', path: '/releases/r1', from: '/app' };
    expect(scene.send({ type: 'rollback-requested', release }).ignored).toBeUndefined();
    expect(scene.effects.at(-1)).toMatchObject({ type: 'prepare', target: { kind: 'release', release } });
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
  });

  test('is refused with only one release, at a first start, and while a scale is under way', () => {
    const scene = new Scene({ instances: 1 });
    expect(scene.rollBack()).toBe('nothing-serves');
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    expect(scene.rollBack()).toBe('first-start');
    scene.settle();
    expect(wayBackOf(scene.fleet)).toBe('store');
    expect(scene.rollBack()).toBe('nothing-before');
    scene.scale(2);
    expect(scene.rollBack()).toBe('scale-under-way');
  });
});
