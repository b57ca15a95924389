/** The end of the app: in its own time, in the middle of something, at once. */
import { describe, expect, test } from 'vitest';
import { Scene } from './scene.js';

describe('a stop', () => {
  test('retires every worker at once, closes idle connections, and ends when the last one has gone', () => {
    const scene = new Scene({ instances: 3 }).start();
    const { effects } = scene.send({ type: 'stop-requested' });
    expect(effects.filter(({ type }) => type === 'retire')).toEqual(
      [1, 2, 3].map((id) => ({ type: 'retire', id, deadlineMs: 20_000, closeIdle: true })),
    );
    scene.send({ type: 'exited', id: 1, code: 0, signal: null });
    scene.send({ type: 'exited', id: 2, code: 0, signal: null });
    expect(scene.fleet.ended).toBe(false);
    expect(scene.send({ type: 'exited', id: 3, code: 0, signal: null }).effects).toContainEqual({
      type: 'end',
      failed: false,
    });
  });

  test('kills by its own deadline what takes longer', () => {
    const scene = new Scene({ instances: 1, drainTimeoutMs: 60_000, stopTimeoutMs: 25_000 }).start();
    scene.send({ type: 'stop-requested' });
    scene.advance(24_999);
    expect(scene.slots('draining')).toEqual(['1/0']);
    scene.advance(1);
    expect(scene.slots('killing')).toEqual(['1/0']);
  });

  test('shortens drains that are under way, and closes their idle connections', () => {
    const scene = new Scene({ instances: 1, drainTimeoutMs: 60_000, killTimeoutMs: 5_000, stopTimeoutMs: 25_000 });
    scene.start().reload();
    scene.boot().advance(1_000);
    expect(scene.worker(1, 0).status).toMatchObject({ state: 'draining', deadlineAt: scene.now + 60_000 });
    scene.send({ type: 'stop-requested' });
    expect(scene.worker(1, 0).status).toMatchObject({
      state: 'draining',
      deadlineAt: scene.now + 20_000,
      killAt: scene.now + 25_000,
    });
    expect(scene.effects).toContainEqual({ type: 'retire', id: 1, deadlineMs: 20_000, closeIdle: true });
  });

  test('never lengthens a drain that ends sooner', () => {
    const scene = new Scene({ instances: 1, drainTimeoutMs: 2_000, killTimeoutMs: 1_000, stopTimeoutMs: 25_000 });
    scene.start().reload();
    scene.boot().advance(1_000);
    const { status } = scene.worker(1, 0);
    scene.send({ type: 'stop-requested' });
    expect(scene.worker(1, 0).status).toEqual(status);
  });

  test('starts nothing again: neither a worker that crashes nor one that waits for its backoff', () => {
    const scene = new Scene({ instances: 2 }).start();
    scene.crash(scene.worker(1, 0));
    scene.send({ type: 'stop-requested' });
    scene.crash(scene.worker(1, 1));
    expect(scene.fleet.ended).toBe(true);
    expect(scene.everForked.size).toBe(2);
  });

  test('during a reload ends both generations, and the reload has failed', () => {
    const scene = new Scene({ instances: 3, surge: 1 }).start();
    scene.reload();
    scene.boot().advance(1_000);
    expect(scene.slots('active')).toEqual(['1/1', '1/2', '2/0']);
    scene.send({ type: 'stop-requested' });
    expect(scene.slots('active')).toEqual([]);
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ to: 2, outcome: 'failed', reason: 'the app was stopped' });
    expect(scene.effects.at(-1)).toEqual({ type: 'end', failed: false });
  });

  test('while a release is prepared ends the rollout; what comes of the preparation is ignored', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
    scene.send({ type: 'stop-requested' });
    expect(scene.verdicts.at(-1)).toMatchObject({ to: null, outcome: 'failed', reason: 'the app was stopped' });
    expect(scene.send(scene.answer()!).ignored).toBe('that rollout is over');
  });

  test('in a hold tells what was held, for a later start runs it; elsewhere nothing is told', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.canary(20);
    scene.settle();
    const { effects } = scene.send({ type: 'stop-requested' });
    expect(effects).toContainEqual({
      type: 'hold-stopped',
      rollout: expect.objectContaining({ from: 1, to: 2, weight: 20 }),
    });

    const booting = new Scene({ instances: 1 }).start();
    booting.canary(20);
    const told = booting.send({ type: 'stop-requested' }).effects.map(({ type }) => type);
    expect(told).not.toContain('hold-stopped');
  });

  test('in a soak tells that the generation was on trial, and of one that had proven itself nothing', () => {
    const toldBy = (scene: Scene): string[] => scene.send({ type: 'stop-requested' }).effects.map(({ type }) => type);
    expect(toldBy(new Scene({ instances: 1 }).start())).not.toContain('soak-stopped');
    const scene = new Scene({ instances: 1, soakMs: 30_000 }).start();
    scene.reload();
    scene.until(scene.now + 3_000).bootAll();
    expect(scene.send({ type: 'stop-requested' }).effects).toContainEqual({ type: 'soak-stopped', generation: 2 });
  });

  test('before anything runs ends at once', () => {
    const scene = new Scene();
    expect(scene.send({ type: 'stop-requested' }).effects).toContainEqual({ type: 'end', failed: false });
  });

  test('that comes again changes nothing', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.send({ type: 'stop-requested' });
    const before = scene.fleet;
    scene.now += 5_000;
    expect(scene.send({ type: 'stop-requested' })).toEqual({ effects: [], ignored: 'the master is stopping already' });
    expect(scene.fleet).toEqual(before);
  });
});

test('an end at once kills every worker and the ones that drain, and waits for none', () => {
  const scene = new Scene({ instances: 1 }).start();
  scene.reload();
  scene.boot().advance(1_000);
  expect([scene.slots('draining'), scene.slots('active')]).toEqual([['1/0'], ['2/0']]);
  expect(scene.send({ type: 'end-at-once' }).effects).toEqual([
    { type: 'kill', id: 1 },
    { type: 'kill', id: 2 },
    { type: 'end', failed: true },
  ]);
  expect(scene.send({ type: 'timer' })).toEqual({ effects: [], ignored: 'the master is ending' });
});
