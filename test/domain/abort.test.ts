/** A release that is no good: why it fails, and how the old generation comes back. */
import { describe, expect, test } from 'vitest';
import { Scene } from './scene.js';

/** Three workers serve; of the next generation the first one serves in the place of 1/0, which has gone. */
const midway = (): Scene => {
  const scene = new Scene({ instances: 3, surge: 1 }).start();
  scene.reload();
  scene.boot().advance(1_000);
  scene.send({ type: 'exited', id: scene.worker(1, 0).id, code: 0, signal: null });
  expect(scene.slots('active')).toEqual(['1/1', '1/2', '2/0']);
  return scene;
};

describe('a rollout fails by', () => {
  test('a worker that exits before it is ready, with its code', () => {
    const scene = new Scene({ instances: 2 }).start();
    scene.reload();
    const { id } = scene.worker(2, 0);
    scene.send({ type: 'exited', id, code: 7, signal: null });
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      outcome: 'failed',
      reason: 'worker 0 of generation 2 exited with code 7 before it was ready',
      culprit: id,
    });
  });

  test('a worker that is killed before it has been ready for minReady, with the signal and how long it was', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.reload();
    scene.boot().advance(400);
    scene.send({ type: 'exited', id: scene.worker(2, 0).id, code: null, signal: 'SIGSEGV' });
    expect(scene.fleet.rollout!.reason).toBe(
      'worker 0 of generation 2 was killed by SIGSEGV, 400 ms after it was ready',
    );
  });

  test('a worker that could not be forked', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.reload();
    const { id } = scene.worker(2, 0);
    scene.send({ type: 'exited', id, code: null, signal: null, error: 'could not be forked: EAGAIN' });
    expect(scene.fleet.rollout!.reason).toBe('worker 0 of generation 2 could not be forked: EAGAIN');
  });

  test.for([
    { what: 'a script that never got to run', says: 'it did not get as far as running the script', told: [] },
    { what: 'an app that never listened', says: 'it never listened', told: ['hello'] },
    {
      what: 'one port too few',
      says: "of the serving release's listeners it opened only http :3000",
      told: ['hello', 'listening'],
    },
  ] as const)('$what within the ready deadline', ({ says, told }) => {
    const scene = new Scene({ instances: 1, readyDeadlineMs: 30_000 });
    scene.ports = () => ['tcp:3000', 'tcp:9000'];
    scene.start().reload();
    const { id } = scene.worker(2, 0);
    for (const type of told) scene.send({ type, id, key: 'tcp:3000', label: 'http :3000' });
    scene.advance(29_999);
    expect(scene.fleet.rollout!.reason).toBeNull();
    scene.advance(1);
    expect(scene.told('failed')).toHaveLength(1);
    expect(scene.fleet.rollout!.reason).toBe(`worker 0 of generation 2 was not ready within 30 s: ${says}`);
  });

  test.for([
    { check: 'message', says: "it never sent 'ready' (process.send('ready'))" },
    { check: 'http', says: 'its readiness check failed: answered 503' },
  ] as const)('a check of kind $check that never passes', ({ check, says }) => {
    const scene = new Scene({ instances: 1, readyDeadlineMs: 30_000 }).start();
    scene.policy = { ...scene.policy, check };
    scene.reload();
    const { id } = scene.worker(2, 0);
    scene.send({ type: 'hello', id });
    scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
    if (check === 'http') scene.send({ type: 'probe-failed', id, reason: 'answered 503' });
    scene.advance(30_000);
    expect(scene.fleet.rollout!.reason).toContain(says);
  });

  test('a release that listens on another port', () => {
    const scene = new Scene({ instances: 1 });
    scene.ports = (_slot, generation) => (generation === 1 ? ['tcp:3000'] : ['tcp:4000']);
    scene.start().reload();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      outcome: 'failed',
      reason:
        'worker 0 of generation 2 listens on tcp:4000, the serving release on tcp:3000 (--allow-listeners accepts it)',
    });
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('a release that cannot be prepared: no worker of it is forked', () => {
    const scene = new Scene({ instances: 2 }).start();
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
    scene.send({ type: 'prepare-failed', rolloutId: scene.preparing!, reason: 'no such script: /app/x.js' });
    expect(scene.verdicts.at(-1)).toMatchObject({ to: null, outcome: 'failed', reason: 'no such script: /app/x.js' });
    expect(scene.everForked.size).toBe(2);
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
  });
});

describe('a crash in mid-rollout', () => {
  test('brings the old generation back whole', () => {
    const scene = midway();
    scene.crash(scene.worker(2, 1));
    scene.settle();
    expect(scene.slots('active').sort()).toEqual(['1/0', '1/1', '1/2']);
    expect(scene.fleet.serving).toBe(1);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', from: 1, to: 2 });
  });

  test('leaves the new worker that serves where it is until the old one is back', () => {
    const scene = midway();
    scene.crash(scene.worker(2, 1));
    scene.boot().advance(999);
    expect(scene.slots('active')).toEqual(['1/1', '1/2', '2/0']);
    scene.advance(1);
    expect(scene.slots('active')).toEqual(['1/1', '1/2', '1/0']);
  });

  test('of a new worker that served already brings the old one back as well', () => {
    const scene = midway();
    const effects = scene.crash(scene.worker(2, 0));
    expect(effects).toContainEqual(expect.objectContaining({ type: 'fork', generation: 1, slot: 0 }));
    expect(scene.fleet.rollout).toMatchObject({
      step: 'aborting',
      reason: 'worker 0 of generation 2 exited with code 1',
    });
    scene.settle();
    expect(scene.slots('active').sort()).toEqual(['1/0', '1/1', '1/2']);
  });

  test('is the cause of the failure, whatever fails after it', () => {
    const scene = midway();
    scene.crash(scene.worker(2, 1), 3);
    scene.crash(scene.worker(2, 0), 4);
    scene.send({ type: 'stop-requested' });
    scene.settle();
    expect(scene.verdicts.at(-1)!.reason).toBe('worker 1 of generation 2 exited with code 3 before it was ready');
  });
});

describe('an abort', () => {
  test('gives up waiting for an old generation that never gets ready', () => {
    const scene = midway();
    scene.crash(scene.worker(2, 1));
    const { id } = scene.worker(1, 0, 'starting');
    scene.processes.get(id)!.hung = true;
    scene.boot().advance(59_999);
    expect(scene.slots('active')).toEqual(['1/1', '1/2', '2/0']);
    scene.advance(1);
    scene.send({ type: 'exited', id, code: null, signal: 'SIGKILL' });
    scene.advance(10_000);
    expect(scene.slots('active')).toEqual(['1/1', '1/2']);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed' });
  });

  test('waits for an old worker that was ready within its deadline, and for its minReady', () => {
    const scene = midway();
    scene.crash(scene.worker(2, 1));
    const { id } = scene.worker(1, 0, 'starting');
    scene.send({ type: 'hello', id });
    scene.advance(59_500);
    scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'tcp:3000' });
    scene.advance(999);
    expect(scene.slots('active')).toHaveLength(3);
    scene.advance(1);
    expect(scene.slots('active')).toEqual(['1/1', '1/2', '1/0']);
  });

  test('waits as well for an old worker whose backoff ends late', () => {
    const scene = new Scene({ instances: 2, readyDeadlineMs: 5_000, backoff: LONG_BACKOFF }).start();
    scene.reload();
    scene.crash(scene.worker(1, 1));
    scene.boot().advance(1_000);
    expect(scene.slots('active')).toEqual(['1/0', '2/0']);
    scene.crash(scene.worker(2, 1));
    scene.advance(5_000);
    expect(scene.slots('active')).toEqual(['1/0', '2/0']);
    scene.settle();
    expect(scene.slots('active').sort()).toEqual(['1/0', '1/1']);
  });

  test('keeps to the surge: it has no more workers alive than the rollout had', () => {
    const scene = new Scene({ instances: 4, surge: 1 }).start();
    scene.reload();
    for (let step = 0; step < 3; step++) {
      scene.boot().advance(1_000);
      scene.advance(100);
    }
    expect(scene.slots('active')).toEqual(['1/3', '2/0', '2/1', '2/2']);
    scene.crash(scene.worker(2, 3));
    const alive = [...scene.slots('starting'), ...scene.slots('ready'), ...scene.slots('active')];
    expect(alive).toHaveLength(5);
  });
});

const LONG_BACKOFF = { initialMs: 30_000, factor: 1, capMs: 30_000, jitter: 0, resetAfterMs: 60_000 };
