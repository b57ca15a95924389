/** A rollback has several ways to go, and takes the next one where one cannot be gone: each is a rollout of its own, and none is tried twice. */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/domain/types.js';
import { Scene } from './scene.js';

const LOOP_AT_ONCE = { crashLoop: { count: 1, windowMs: 60_000 } };

/** Generation 1 is good, 2 was replaced on trial by 3, which is on trial. */
function twoOnTrial(policy: Partial<Policy> = {}): Scene {
  const scene = new Scene({ instances: 2, soakMs: 30_000, ...LOOP_AT_ONCE, ...policy }).start();
  for (const serving of [2, 3]) {
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet.serving).toBe(serving);
  }
  return scene;
}

/** Generation 1 is good and parked, 2 is on trial. */
function parkedBeside(policy: Partial<Policy> = {}): Scene {
  const scene = new Scene({ instances: 2, soakMs: 30_000, keepWarmMs: 600_000, ...LOOP_AT_ONCE, ...policy }).start();
  scene.reload();
  scene.until(scene.now + 3_000).bootAll();
  expect(scene.slots('parked')).toEqual(['1/0', '1/1']);
  return scene;
}

const crash = (scene: Scene, generation = scene.fleet.serving!): unknown =>
  scene.crash(scene.worker(generation, 0, 'active'));

const failToPrepare = (scene: Scene, reason = 'the folder was edited in place'): unknown =>
  scene.send({ type: 'prepare-failed', rolloutId: scene.preparing!, reason });

const prepare = (scene: Scene): unknown => scene.send(scene.answer()!);

/** The parked workers take no traffic any more, and one of them dies of it. */
function failToWake(scene: Scene, ask: () => unknown): void {
  for (const process of scene.processes.values()) if (process.generation === 1) process.hung = true;
  ask();
  for (const process of scene.processes.values()) if (process.generation === 1) process.hung = false;
  crash(scene, 1);
  scene.bootAll();
}

/** Its first worker is not ready in time, and has not gone yet. */
function giveUpWhileBooting(scene: Scene): void {
  prepare(scene);
  scene.processes.get(scene.worker(4, 0, 'starting').id)!.hung = true;
  scene.advance(scene.policy.readyDeadlineMs);
  expect(scene.fleet.rollout).toMatchObject({ kind: 'rollback', step: 'aborting' });
}

/** What was asked for to be prepared, in order. */
const asked = (scene: Scene): unknown[] =>
  scene.effects.flatMap((effect) =>
    effect.type === 'prepare' && effect.target.kind !== 'files'
      ? [effect.target.kind === 'generation' ? effect.target.number : effect.target.release.id]
      : [],
  );

const causes = (scene: Scene): (string | null)[] =>
  scene.effects.flatMap((effect) =>
    effect.type === 'rollout-begun' && effect.rollout.kind === 'rollback' ? [effect.rollout.cause] : [],
  );

const outcomes = (scene: Scene): unknown[] =>
  scene.verdicts.filter(({ kind }) => kind === 'rollback').map(({ outcome, reason }) => [outcome, reason]);

describe('out of a soak', () => {
  test('where the last good one cannot be gone back to, the one between is: it had not crashed when it was replaced', () => {
    const scene = twoOnTrial();
    crash(scene);
    failToPrepare(scene);
    scene.until(scene.now + 5_000).bootAll();
    expect(asked(scene)).toEqual([1, 2]);
    expect(causes(scene)).toEqual([
      'worker 0 of generation 3 crash-loops',
      'worker 0 of generation 3 crash-loops; generation 1 could not be gone back to: the folder was edited in place',
    ]);
    expect(outcomes(scene)).toEqual([
      ['failed', 'generation 1 could not be gone back to: the folder was edited in place'],
      ['succeeded', null],
    ]);
    expect(scene.told('rolling-back').at(-1)).toBe(
      'the way back from generation 3 goes on: generation 2 had not proven itself when it was replaced, and had not crashed either',
    );
    expect(scene.slots('active')).toEqual(['4/0', '4/1']);
  });

  test('so it is where a worker of the last good one dies while it boots', () => {
    const scene = twoOnTrial();
    crash(scene);
    prepare(scene);
    scene.crash(scene.worker(4, 0, 'starting'));
    scene.until(scene.now + 5_000).bootAll();
    expect(outcomes(scene)).toEqual([
      [
        'failed',
        'generation 1 could not be gone back to: worker 0 of generation 4 exited with code 1 before it was ready',
      ],
      ['succeeded', null],
    ]);
    expect(scene.slots('active')).toEqual(['5/0', '5/1']);
  });

  test('the one between is on trial again, and good once it has come through', () => {
    const scene = twoOnTrial();
    crash(scene);
    failToPrepare(scene);
    scene.until(scene.now + 5_000).bootAll();
    expect(scene.fleet).toMatchObject({ serving: 4, soak: { generation: 4 }, lastGood: 1, fallback: null });
    expect(scene.fleet.generations[4]).toMatchObject({ good: false });
    scene.until(scene.now + 30_000);
    expect(scene.fleet.generations[4]).toMatchObject({ good: true });
  });

  test('where that fails on its trial, the last good one is tried once more, and then nobody', () => {
    const scene = twoOnTrial();
    crash(scene);
    failToPrepare(scene);
    scene.until(scene.now + 5_000).bootAll();
    crash(scene);
    expect(asked(scene)).toEqual([1, 2, 1]);
    failToPrepare(scene);
    for (let time = 0; time < 3; time++) {
      scene.until(scene.now + 2_000).bootAll();
      crash(scene);
    }
    scene.settle();
    expect(asked(scene)).toEqual([1, 2, 1]);
    expect(scene.fleet).toMatchObject({ serving: 4, soak: null });
  });

  test('where none can be gone, that is told and the bad one goes on: no way is tried twice', () => {
    const scene = twoOnTrial();
    crash(scene);
    failToPrepare(scene);
    failToPrepare(scene, 'the disk is full');
    const reason = 'the automatic rollback of generation 3 has failed: the disk is full';
    expect(scene.told('failed').at(-1)).toBe(reason);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', reason, ways: [] });
    for (let time = 0; time < 3; time++) {
      scene.until(scene.now + 2_000).bootAll();
      crash(scene);
    }
    scene.settle();
    expect(asked(scene)).toEqual([1, 2]);
    expect(scene.slots('active').sort()).toEqual(['3/0', '3/1']);
  });

  test.each([
    ['had crashed', (scene: Scene) => crash(scene, 2)],
    ['had come through by then: that is the last good one', (scene: Scene) => scene.until(scene.now + 40_000)],
  ])('one between that %s is none', (_, before) => {
    const scene = new Scene({ instances: 2, soakMs: 30_000 }).start();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    before(scene);
    scene.until(scene.now + 2_000).bootAll();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet).toMatchObject({ serving: 3, fallback: null });
  });

  test('nor is one that was brought in once more: it would crash the same way', () => {
    const scene = new Scene({ instances: 1, soakMs: 30_000 }).start();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
    scene.send({ type: 'prepared', rolloutId: scene.preparing!, policy: scene.policy, repeats: true });
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet).toMatchObject({ serving: 3, lastGood: 1, fallback: null });
  });

  test('of several between, it is the latest; and none of them once a good one was replaced', () => {
    const scene = twoOnTrial();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet).toMatchObject({ serving: 4, lastGood: 1, fallback: 3 });
    scene.until(scene.now + 30_000);
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.fleet).toMatchObject({ serving: 5, lastGood: 4, fallback: null });
  });

  test('where the parked workers do not wake, what they run is booted', () => {
    const scene = parkedBeside();
    failToWake(scene, () => crash(scene, 2));
    expect(causes(scene)).toEqual([
      'worker 0 of generation 2 crash-loops',
      'worker 0 of generation 2 crash-loops; generation 1 could not be woken: worker 0 of generation 1 exited with code 1',
    ]);
    scene.until(scene.now + 5_000).bootAll();
    expect(outcomes(scene)).toEqual([
      ['failed', 'generation 1 could not be woken: worker 0 of generation 1 exited with code 1'],
      ['succeeded', null],
    ]);
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
    expect(scene.fleet.generations[3]).toMatchObject({ good: true });
  });

  test('at once, though what is left crash-loops and may never be whole again', () => {
    const scene = parkedBeside();
    for (const process of scene.processes.values()) process.hung = true; // Nobody says any more that it takes traffic.
    crash(scene);
    scene.crash(scene.worker(2, 1, 'active'));
    expect(asked(scene)).toEqual([]);
    crash(scene, 1);
    expect(asked(scene)).toEqual([1]);
  });

  test('and where that cannot be either, the one between', () => {
    const scene = parkedBeside();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.slots('parked'), 'it is what one goes back to').toEqual(['1/0', '1/1']);
    failToWake(scene, () => crash(scene, 3));
    scene.crash(scene.worker(4, 0));
    scene.until(scene.now + 5_000).bootAll();
    expect(asked(scene)).toEqual([1, 2]);
    expect(scene.slots('active')).toEqual(['5/0', '5/1']);
    expect(causes(scene).at(-1)).toMatch(
      /^worker 0 of generation 3 crash-loops; generation 1 could not be woken: .*; generation 1 could not be gone back to: /,
    );
  });

  test('a stop ends it', () => {
    const scene = twoOnTrial();
    crash(scene);
    scene.send({ type: 'stop-requested' });
    scene.settle();
    expect(asked(scene)).toEqual([1]);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', reason: 'the app was stopped', ways: [] });
  });

  test('a stop that comes while the first way is given up ends it, too', () => {
    const scene = twoOnTrial();
    crash(scene);
    giveUpWhileBooting(scene);
    scene.send({ type: 'stop-requested' });
    scene.settle();
    expect(asked(scene)).toEqual([1]);
  });

  test('a person who aborts it ends it: no other way is tried', () => {
    const scene = twoOnTrial();
    crash(scene);
    expect(scene.abort()).toBeUndefined();
    scene.settle();
    expect(asked(scene)).toEqual([1]);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', aborted: true });
    expect(scene.fleet.serving).toBe(3);
  });

  test('nor is any, where the abort comes while the first way is given up', () => {
    const scene = twoOnTrial();
    crash(scene);
    giveUpWhileBooting(scene);
    expect(scene.abort()).toBeUndefined();
    expect(scene.abort(), 'and once is enough').toBe('aborting');
    scene.settle();
    expect(asked(scene)).toEqual([1]);
    expect(scene.fleet.serving).toBe(3);
  });

  test('a reload that waits for it begins once the last way is tried', () => {
    const scene = twoOnTrial();
    crash(scene);
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'signal', allowListeners: false });
    failToPrepare(scene);
    expect(scene.fleet.rollout).toMatchObject({ kind: 'rollback', backTo: 2 });
    scene.settle();
    expect(scene.verdicts.slice(-2)).toMatchObject([
      { kind: 'rollback', outcome: 'succeeded', to: 4 },
      { kind: 'reload', outcome: 'succeeded', to: 5 },
    ]);
  });
});

describe('by hand', () => {
  test('where the parked workers do not wake, what they run is booted', () => {
    const scene = parkedBeside();
    failToWake(scene, () => scene.send({ type: 'rollback-requested' }));
    scene.until(scene.now + 5_000).bootAll();
    expect(causes(scene)).toEqual([
      null,
      'generation 1 could not be woken: worker 0 of generation 1 exited with code 1',
    ]);
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
  });

  test('also where it was named: the release that they run', () => {
    const scene = parkedBeside();
    const release = { id: 'r1', path: '/releases/r1', from: '/app' };
    failToWake(scene, () => scene.send({ type: 'rollback-requested', release, ranBy: 1 }));
    scene.until(scene.now + 5_000).bootAll();
    expect(asked(scene)).toEqual(['r1']);
    expect(scene.slots('active')).toEqual(['3/0', '3/1']);
  });

  test('once it has come back, no way is left', () => {
    const scene = parkedBeside();
    scene.rollBack();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', to: 1, ways: [] });
    expect(asked(scene)).toEqual([]);
  });

  test('it leads to what was good and to nothing else: the one between is for the person to name', () => {
    const scene = twoOnTrial();
    scene.send({ type: 'rollback-requested' });
    failToPrepare(scene);
    scene.settle();
    expect(asked(scene)).toEqual([1]);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', reason: 'the folder was edited in place' });
    expect(scene.fleet).toMatchObject({ serving: 3, fallback: 2 });
  });

  test('one that has failed leaves the trial as it was: its soak has all the ways', () => {
    const scene = twoOnTrial();
    scene.send({ type: 'rollback-requested' });
    failToPrepare(scene);
    crash(scene);
    failToPrepare(scene);
    scene.settle();
    expect(asked(scene)).toEqual([1, 1, 2]);
    expect(scene.slots('active')).toEqual(['4/0', '4/1']);
  });

  test('what it leaves may turn bad meanwhile: it goes on with its own next way', () => {
    const scene = parkedBeside();
    for (const process of scene.processes.values()) if (process.generation === 1) process.hung = true;
    scene.send({ type: 'rollback-requested' });
    crash(scene, 2);
    expect(scene.told('crash-looping')).toHaveLength(1);
    for (const process of scene.processes.values()) process.hung = false;
    crash(scene, 1);
    scene.until(scene.now + 5_000).bootAll();
    expect(scene.verdicts.slice(-2)).toMatchObject([
      { kind: 'rollback', source: 'command', outcome: 'failed', to: 1 },
      { kind: 'rollback', source: 'command', outcome: 'succeeded', to: 3 },
    ]);
    expect(asked(scene)).toEqual([1]);
  });

  test('asked for while a way of the soak is given up, it waits for the next one', () => {
    const scene = twoOnTrial();
    crash(scene);
    giveUpWhileBooting(scene);
    expect(scene.send({ type: 'rollback-requested' }).ignored).toBe('rolling-back');
    scene.until(scene.now + 5_000).bootAll();
    expect(scene.slots('active')).toEqual(['5/0', '5/1']);
  });
});
