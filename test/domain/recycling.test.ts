/** A worker that has grown, aged or served enough is replaced, its successor first, one at a time; and that is no crash. */
import { describe, expect, test } from 'vitest';
import { limitsOf, luckOf, pastLimit } from '../../src/domain/recycling.js';
import type { Policy, RecycleCause, Worker } from '../../src/domain/types.js';
import { Scene } from './scene.js';
import { POLICY } from './world.js';

const NO_LIMITS: Policy['limits'] = { memory: null, ageMs: null, requests: null };

/** @returns why it was passed over */
const outgrow = (
  scene: Scene,
  worker: Worker,
  cause: Exclude<RecycleCause, 'command'> = 'memory',
): string | undefined =>
  scene.send({ type: 'outgrown', id: worker.id, cause, what: `is past its limit (${cause})` }).ignored;

const byHand = (scene: Scene, slot: number): string | undefined =>
  scene.send({ type: 'recycle-requested', slot }).ignored;

/** The folder is looked at, and is what it was. */
const look = (scene: Scene): void => void scene.send(scene.answer()!);

const ends = (scene: Scene): (string | null)[] =>
  scene.effects.flatMap((effect) => (effect.type === 'recycle-ended' ? [effect.reason] : []));

const slotState = (scene: Scene, slot: number) => scene.fleet.generations[scene.fleet.serving!]!.slotState[slot]!;

/** A successor of the worker that crashes before it is ready. */
function fail(scene: Scene, slot: number): void {
  scene.crash(scene.worker(1, slot, 'starting'));
}

describe('a worker that is past a limit', () => {
  test('is retired only once its successor has taken over, and the successor sits its minReady out', () => {
    const scene = new Scene({ instances: 1 }).start();
    const old = scene.worker(1, 0);
    scene.advance(60_000);
    outgrow(scene, old);
    look(scene);
    expect(scene.slots('starting')).toEqual(['1/0']);
    scene.boot();
    expect(scene.slots('ready')).toEqual(['1/0']);
    expect(scene.slots('active')).toEqual(['1/0']);
    scene.advance(999);
    expect(scene.slots('ready')).toEqual(['1/0']);
    scene.advance(1);
    expect(scene.slots('active')).toEqual(['1/0']);
    expect(scene.fleet.workers[old.id]!.status).toMatchObject({ state: 'draining', reason: 'recycled' });
    expect(scene.told('recycled')).toEqual([
      'worker 0 of generation 1 was recycled (memory): the process before is past its limit (memory)',
    ]);
  });

  test('is counted apart from crashes: no restart, no crash, no pause', () => {
    const scene = new Scene({ crashLoop: { count: 1, windowMs: 60_000 } }).start();
    scene.advance(60_000);
    for (let times = 0; times < 3; times++) {
      outgrow(scene, scene.worker(1, 0, 'active'));
      scene.settle();
      scene.advance(60_000);
    }
    expect(slotState(scene, 0)).toMatchObject({ restarts: 0, crashes: [], looping: false, recycled: 3, respawnAt: 0 });
    expect(scene.told('crash-looping')).toEqual([]);
  });

  test('waits for its turn: one at a time, whoever has waited longest first, and the next when the last has gone', () => {
    const scene = new Scene({ instances: 3 }).start();
    scene.advance(60_000);
    for (const slot of [2, 0, 1]) {
      outgrow(scene, scene.worker(1, slot));
      scene.now += 1;
    }
    scene.send(scene.answer()!);
    expect(scene.slots('starting')).toEqual(['1/2']);
    scene.boot().advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/2']);
    scene.advance(5_000);
    expect(scene.slots('starting'), 'the first one drains still').toEqual([]);
    scene.bootAll();
    expect(scene.slots('draining')).toEqual([]);
    expect(scene.slots('ready')).toEqual(['1/0']);
    scene.settle();
    expect(scene.told('recycled')).toHaveLength(3);
    expect(scene.slots('active').sort()).toEqual(['1/0', '1/1', '1/2']);
  });

  test('waits for a drain that takes long for 30 s: the others would grow meanwhile', () => {
    const scene = new Scene({ drainTimeoutMs: 3_600_000 }).start();
    scene.advance(60_000);
    for (const slot of [0, 1]) outgrow(scene, scene.worker(1, slot));
    look(scene);
    scene.boot().advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/0']);
    const from = scene.now;
    scene.advance(29_999);
    expect(scene.fleet.recycling).toBeNull();
    scene.wake();
    expect(scene.now - from).toBe(30_000);
    expect(scene.fleet.recycling).toMatchObject({ slot: 1, step: 'looking' });
  });

  test('is heard of once, and not while it does not serve', () => {
    const scene = new Scene().start();
    const worker = scene.worker(1, 0);
    expect(outgrow(scene, worker)).toBeUndefined();
    expect(outgrow(scene, worker)).toBe('it is known');
    look(scene);
    expect(outgrow(scene, scene.worker(1, 0, 'starting'))).toBe('it does not serve, or is being replaced');
  });

  test('serves on where its successor fails, and is tried again with growing pauses; nobody counts a crash', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.advance(60_000);
    outgrow(scene, scene.worker(1, 0));
    const pauses: number[] = [];
    for (let times = 0; times < 3; times++) {
      look(scene);
      fail(scene, 0);
      expect(scene.slots('active')).toEqual(['1/0']);
      pauses.push(slotState(scene, 0).recycleAt - scene.now);
      scene.wake();
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000]);
    expect(slotState(scene, 0)).toMatchObject({ restarts: 0, crashes: [], recycled: 0 });
    expect(scene.told('recycle-failed')[0]).toBe(
      'worker 0 of generation 1 could not be recycled, and serves on: its replacement failed (worker 0 of generation 1 exited with code 1 before it was ready); it is tried again in 1 s',
    );
    scene.settle();
    expect(scene.told('recycled')).toHaveLength(1);
  });

  test('serves on where its successor is never ready', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.ports = () => [];
    byHand(scene, 0);
    scene.boot();
    scene.advance(60_000);
    scene.bootAll();
    expect(ends(scene)).toEqual(['worker 0 of generation 1 was not ready within 60 s: it never listened']);
    expect(scene.slots('active')).toEqual(['1/0']);
    expect(slotState(scene, 0)).toMatchObject({ restarts: 0, crashes: [] });
  });

  test('that crashes while it is replaced has crashed: its successor is its respawn', () => {
    const scene = new Scene({ instances: 1 }).start();
    byHand(scene, 0);
    scene.boot();
    scene.crash(scene.worker(1, 0, 'active'));
    scene.bootAll();
    expect(ends(scene)).toEqual(['worker 0 of generation 1 exited with code 1']);
    expect(slotState(scene, 0)).toMatchObject({ restarts: 1, recycled: 0 });
    expect(scene.slots('active')).toEqual(['1/0']);
    expect(scene.processes.size).toBe(1);
  });
});

describe('a worker whose successors come to the limit at once', () => {
  const recycleAtOnce = (scene: Scene): void => {
    outgrow(scene, scene.worker(1, 0, 'active'));
    while (scene.slots('active').length > 1 || scene.fleet.recycling || scene.worker(1, 0, 'active').due) scene.goOn();
    scene.bootAll();
  };

  test('does not spin: the pauses grow up to the cap of the backoff, and that is told once', () => {
    const scene = new Scene({ instances: 1 }).start();
    const begun: number[] = [];
    for (let times = 0; times < 9; times++) {
      recycleAtOnce(scene);
      begun.push(scene.now);
    }
    const between = begun.slice(1).map((at, index) => at - begun[index]!);
    // Each waits its pause out, and its successor's minReady.
    expect(between).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1_000 + 1_000));
    expect(scene.told('recycle-failed')).toEqual([
      'worker 0 of generation 1 is past its limit (memory) 1.0 s after it was ready, as the one before it: recycling does not help; it is tried again with growing pauses, at most every 30 s',
    ]);
  });

  test('has no pause left once one has lived well', () => {
    const scene = new Scene({ instances: 1 }).start();
    for (let times = 0; times < 4; times++) recycleAtOnce(scene);
    scene.advance(60_000);
    recycleAtOnce(scene);
    expect(slotState(scene, 0)).toMatchObject({ recycleStrikes: 0, recycled: 5 });
  });
});

describe('recycling is paused', () => {
  test('while the folder was edited in place: looked at before each, told once, and again after a while', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.advance(60_000);
    outgrow(scene, scene.worker(1, 0));
    for (let times = 0; times < 3; times++) {
      scene.send({ type: 'release-checked', generation: 1, modified: true });
      expect(scene.fleet.recycling).toBeNull();
      scene.advance(29_999);
      expect(scene.fleet.recycling).toBeNull();
      scene.advance(1);
      expect(scene.fleet.recycling?.step).toBe('looking');
    }
    expect(scene.told('recycling-paused')).toHaveLength(1);
    expect(scene.slots('starting')).toEqual([]);
    scene.settle();
    expect(scene.told('recycled')).toHaveLength(1);
  });

  test('during a rollout, a canary that is held and a scale, and goes on after them', () => {
    const scene = new Scene().start();
    scene.canary(10);
    scene.settle();
    expect(outgrow(scene, scene.worker(1, 0))).toBeUndefined();
    expect(scene.fleet.recycling).toBeNull();
    expect(byHand(scene, 0)).toBe('rollout-under-way');
    scene.abort();
    scene.settle();
    expect(scene.told('recycled')).toHaveLength(1);
    scene.scale(3);
    outgrow(scene, scene.worker(1, 1));
    expect(scene.fleet.recycling).toBeNull();
    expect(byHand(scene, 1)).toBe('scale-under-way');
    scene.settle();
    expect(scene.told('recycled')).toHaveLength(2);
  });

  test('and given up where a rollout begins: all that served before counts as serving, and the successor leaves', () => {
    const scene = new Scene().start();
    byHand(scene, 0);
    scene.boot();
    scene.reload();
    expect(ends(scene)).toEqual(['a rollout has begun, which replaces it anyway']);
    expect(scene.fleet.rollout!.servedSlots).toEqual([0, 1]);
    expect(scene.slots('draining')).toEqual(['1/0']);
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    scene.settle();
    expect(scene.slots('active').sort()).toEqual(['2/0', '2/1']);
    expect(scene.told('worker-exited')).toEqual([]);
  });

  test('in a stop, which ends both', () => {
    const scene = new Scene().start();
    byHand(scene, 0);
    scene.send({ type: 'stop-requested' });
    expect(ends(scene)).toEqual(['the app was stopped']);
    expect(byHand(scene, 1)).toBe('stopping');
    scene.settle();
    expect(scene.fleet.ended).toBe(true);
  });
});

describe('one worker by hand', () => {
  test('is replaced whatever pause there is, and without a limit', () => {
    const scene = new Scene().start();
    for (let times = 0; times < 3; times++) {
      expect(byHand(scene, 1)).toBeUndefined();
      scene.settle();
    }
    expect(ends(scene)).toEqual([null, null, null]);
    expect(slotState(scene, 1)).toMatchObject({ restarts: 0, recycled: 3 });
  });

  test('is refused where there is no such slot, where it is not up, and where another one is being replaced', () => {
    const scene = new Scene().start();
    expect(byHand(scene, 2)).toBe('no-such-slot');
    scene.crash(scene.worker(1, 1));
    expect(byHand(scene, 1)).toBe('not-up');
    byHand(scene, 0);
    expect(byHand(scene, 0)).toBe('recycling');
  });

  test('is refused where the folder was edited in place', () => {
    const scene = new Scene().start();
    scene.send({ type: 'release-checked', generation: 1, modified: true });
    expect(byHand(scene, 0)).toBe('release-modified');
  });

  test('is refused before anything serves', () => {
    const scene = new Scene();
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    expect(byHand(scene, 0)).toBe('nothing-serves');
  });
});

describe('the limits of one worker', () => {
  const limits: Policy['limits'] = {
    memory: { bytes: 1_000, of: 'each' },
    ageMs: 10_000,
    requests: 100,
  };

  test('lie up to a tenth below those of the config, each worker having its own', () => {
    expect(limitsOf({ luck: 0 }, limits, 4)).toEqual({ memory: 1_000, ageMs: 10_000, requests: 100 });
    expect(limitsOf({ luck: 0.5 }, limits, 4)).toEqual({ memory: 950, ageMs: 9_500, requests: 95 });
    expect(limitsOf({ luck: 0.999 }, limits, 4).memory).toBeGreaterThan(900);
  });

  test('are spread over those that are forked in one step, whatever number was drawn for it', () => {
    for (const random of [0, 0.3, 0.99]) {
      const lucks = [1, 2, 3, 4, 5, 6, 7, 8].map((id) => luckOf(id, random)).sort((a, b) => a - b);
      const gaps = lucks.slice(1).map((luck, index) => luck - lucks[index]!);
      expect(Math.min(...gaps)).toBeGreaterThan(0.05);
    }
  });

  test('of a share of the memory are divided by the workers', () => {
    const shared: Policy['limits'] = { ...limits, memory: { bytes: 1_000, of: 'all' } };
    expect(limitsOf({ luck: 0 }, shared, 4).memory).toBe(250);
  });

  test('are told with what was measured, and there are none where the config has none', () => {
    const past = (measured: object) =>
      pastLimit(
        { luck: 0 },
        { ...POLICY, limits: { ...limits, memory: { bytes: 2 ** 20, of: 'each' } } },
        {
          rssBytes: null,
          requests: null,
          ageMs: 0,
          ...measured,
        },
      );
    expect(past({ rssBytes: 2 ** 21 })).toEqual({
      cause: 'memory',
      what: 'has 2 MB of memory, its own limit is 1 MB',
    });
    expect(past({ rssBytes: 1_000 })).toBeNull();
    expect(past({ requests: 100 })?.what).toBe('has answered 100 requests, its own limit is 100');
    expect(past({ ageMs: 10_000 })?.what).toBe('has run for 10 s, its own limit is 10 s');
    const everything = { rssBytes: Number.MAX_VALUE, ageMs: Number.MAX_VALUE, requests: Number.MAX_VALUE };
    expect(pastLimit({ luck: 0 }, { ...POLICY, limits: NO_LIMITS }, everything)).toBeNull();
  });
});
