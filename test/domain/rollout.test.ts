/** A reload that goes well: in which order workers come and go. */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/domain/types.js';
import { Scene } from './scene.js';

/** Slots of each generation that serve, after each time that something could happen without the clock, and each wake. */
function servingOverTime(scene: Scene): string[] {
  const seen: string[] = [];
  do {
    scene.boot();
    const now = scene.slots('active').join(' ');
    if (now !== seen.at(-1)) seen.push(now);
  } while (scene.fleet.rollout?.outcome === null && scene.wake());
  return seen;
}

const BACKOFF = { initialMs: 100, factor: 2, capMs: 30_000, jitter: 0, resetAfterMs: 60_000 };

const reloaded = (policy: Partial<Policy>, next: Partial<Policy> = policy): Scene => {
  const scene = new Scene(policy).start();
  scene.policy = { ...scene.policy, ...next };
  scene.reload();
  return scene;
};

describe('a reload', () => {
  test('with surge 1 brings in one worker at a time, and each old one leaves when its successor serves', () => {
    const scene = reloaded({ instances: 3, surge: 1 });
    expect(scene.slots('starting')).toEqual(['2/0']);
    expect(servingOverTime(scene)).toEqual(['1/0 1/1 1/2', '1/1 1/2 2/0', '1/2 2/0 2/1', '2/0 2/1 2/2']);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', from: 1, to: 2, reason: null });
  });

  test('starts no worker while an old one gives its connections away: until it has gone, and for 100 ms at most', () => {
    const scene = reloaded({ instances: 3, surge: 1 });
    scene.boot().advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/0']);
    expect(scene.slots('starting')).toEqual([]);
    scene.advance(99);
    expect(scene.slots('starting')).toEqual([]);
    scene.advance(1);
    expect(scene.slots('starting')).toEqual(['2/1']);
    scene.boot().advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/0', '1/1']);
    for (const slot of [0, 1]) scene.send({ type: 'exited', id: scene.worker(1, slot).id, code: 0, signal: null });
    expect(scene.slots('starting')).toEqual(['2/2']);
  });

  test('with surge 2 brings in two at a time', () => {
    const scene = reloaded({ instances: 4, surge: 2 });
    expect(servingOverTime(scene)).toEqual(['1/0 1/1 1/2 1/3', '1/2 1/3 2/0 2/1', '2/0 2/1 2/2 2/3']);
  });

  test('of a single worker has two for the moment of the change', () => {
    const scene = reloaded({ instances: 1, surge: 1 });
    expect(scene.slots('starting')).toEqual(['2/0']);
    expect(servingOverTime(scene)).toEqual(['1/0', '2/0']);
  });

  test('with unavailable 1 and surge 0 gives up one old worker first', () => {
    const scene = reloaded({ instances: 3, surge: 0, unavailable: 1 });
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    expect(scene.slots('starting')).toEqual(['2/0']);
    expect(servingOverTime(scene)).toEqual(['1/0 1/1', '1/1 2/0', '2/0 2/1', '2/0 2/1 2/2']);
  });

  test('with surge 0 knows the ports of the serving release also when its old workers have gone', () => {
    const scene = new Scene({ instances: 1, surge: 0, unavailable: 1 }).start();
    scene.reload();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', reason: null });
  });

  test('with both a surge and unavailable gives nothing up before the first new worker serves', () => {
    const scene = reloaded({ instances: 3, surge: 1, unavailable: 1 });
    expect(scene.slots('active')).toEqual(['1/0', '1/1', '1/2']);
    expect(servingOverTime(scene)).toEqual(['1/0 1/1 1/2', '1/1 2/0', '2/0 2/1 2/2']);
  });

  test('atomic switches once all are ready', () => {
    const scene = reloaded({ instances: 3, atomic: true });
    expect(scene.slots('starting')).toEqual(['2/0', '2/1', '2/2']);
    for (const slot of [0, 1]) {
      const { id } = scene.worker(2, slot);
      scene.send({ type: 'hello', id });
      scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
    }
    scene.advance(30_000);
    expect(scene.slots('active')).toEqual(['1/0', '1/1', '1/2']);
    expect(servingOverTime(scene)).toEqual(['1/0 1/1 1/2', '2/0 2/1 2/2']);
  });

  test('to more instances lets the old worker go when its successor serves', () => {
    expect(servingOverTime(reloaded({ instances: 1 }, { instances: 3 }))).toEqual(['1/0', '2/0 2/1 2/2']);
  });

  test('to fewer instances keeps the old ones until the new count serves', () => {
    expect(servingOverTime(reloaded({ instances: 3 }, { instances: 2 }))).toEqual([
      '1/0 1/1 1/2',
      '1/1 1/2 2/0',
      '2/0 2/1',
    ]);
  });

  test('gives up first what does not serve: a slot that waits for its respawn', () => {
    const scene = new Scene({ instances: 3, surge: 1, backoff: { ...BACKOFF, initialMs: 600_000, capMs: 600_000 } });
    scene.start();
    scene.crash(scene.worker(1, 2));
    scene.reload();
    expect(servingOverTime(scene)).toEqual(['1/0 1/1', '1/0 1/1 2/0', '1/0 2/0 2/1', '2/0 2/1 2/2']);
  });

  test('to one more instance asks of a new slot what all old workers have in common', () => {
    const scene = new Scene({ instances: 2 });
    scene.ports = (slot) => (slot === 0 ? ['tcp:3000', 'tcp:9000'] : ['tcp:3000']);
    scene.start();
    scene.policy = { ...scene.policy, instances: 3 };
    scene.reload();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', reason: null });
  });

  test('from one instance to two does not ask of slot 1 the port that slot 0 alone has', () => {
    const scene = new Scene({ instances: 1 });
    scene.ports = (slot) => (slot === 0 ? ['tcp:3000', 'tcp:9000'] : ['tcp:3000']);
    scene.start();
    scene.policy = { ...scene.policy, instances: 2 };
    scene.reload();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', reason: null });
  });
});

describe('with --allow-listeners', () => {
  test('a release may open another port', () => {
    const scene = new Scene({ instances: 2 });
    scene.ports = (_slot, generation) => (generation === 1 ? ['tcp:3000'] : ['tcp:4000']);
    scene.start();
    scene.reload('command', true);
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', reason: null });
  });

  test('a release must still open one where the serving one has any', () => {
    const scene = new Scene({ instances: 1 });
    scene.ports = (_slot, generation) => (generation === 1 ? ['tcp:3000'] : []);
    scene.start().reload('command', true);
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      outcome: 'failed',
      reason: expect.stringContaining('it never listened'),
    });
  });

  test('an app that opened nothing may become one that listens and is probed over http', () => {
    const scene = new Scene({ instances: 1 });
    scene.ports = (_slot, generation) => (generation === 1 ? [] : ['tcp:3000']);
    scene.start();
    scene.policy = { ...scene.policy, check: 'http' };
    scene.reload('command', true);
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', reason: null });
  });
});

describe('generations that drain', () => {
  test('hold up the third: it boots when fewer than maxDraining others drain', () => {
    const scene = new Scene({ instances: 1, maxDraining: 1, drainTimeoutMs: 60_000 }).start();
    scene.reload();
    scene.boot().advance(1_000);
    expect(scene.slots('draining')).toEqual(['1/0']);
    scene.reload();
    expect(scene.fleet.rollout).toMatchObject({ step: 'waiting', to: 3 });
    scene.advance(10_000);
    expect(scene.slots('starting')).toEqual([]);
    scene.send({ type: 'exited', id: scene.worker(1, 0).id, code: 0, signal: null });
    expect(scene.fleet.rollout).toMatchObject({ step: 'booting' });
    expect(scene.slots('starting')).toEqual(['3/0']);
  });

  test('leave room for one more with maxDraining 2', () => {
    const scene = new Scene({ instances: 1, maxDraining: 2, drainTimeoutMs: 60_000 }).start();
    scene.reload();
    scene.boot().advance(1_000);
    scene.reload();
    expect(scene.slots('starting')).toEqual(['3/0']);
  });
});
