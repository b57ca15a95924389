/** One worker from its fork to its end: readiness, traffic, respawn, drain. */
import { describe, expect, test } from 'vitest';
import { nextWakeAt } from '../../src/domain/reconcile.js';
import { Scene } from './scene.js';

describe('at a first start', () => {
  test('all workers are forked at once, and each takes traffic as soon as it listens, however long minReady is', () => {
    const scene = new Scene({ instances: 3, minReadyMs: 60_000 });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    expect(scene.slots('starting')).toEqual(['1/0', '1/1', '1/2']);
    const { id } = scene.worker(1, 1);
    scene.send({ type: 'hello', id });
    scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
    expect(scene.slots('active')).toEqual(['1/1']);
    expect(scene.fleet.serving).toBeNull();
  });

  test('the start has succeeded once all workers have served for minReady', () => {
    const scene = new Scene({ instances: 2, minReadyMs: 5_000 });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    scene.boot().advance(4_999);
    expect(scene.verdicts).toEqual([]);
    scene.advance(1);
    expect(scene.verdicts).toMatchObject([{ outcome: 'succeeded', from: null, to: 1 }]);
    expect(scene.fleet.serving).toBe(1);
  });

  test.for([
    { minReadyMs: 0, quietMs: 1_000 },
    { minReadyMs: 3_000, quietMs: 3_000 },
  ])(
    'an app that opens nothing is ready after $quietMs ms with a minReady of $minReadyMs ms',
    ({ minReadyMs, quietMs }) => {
      const scene = new Scene({ instances: 1, minReadyMs });
      scene.ports = () => [];
      scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
      scene.send(scene.answer()!);
      scene.boot().advance(quietMs - 1);
      expect(scene.slots('starting')).toEqual(['1/0']);
      scene.advance(1);
      expect(scene.slots('active')).toEqual(['1/0']);
    },
  );
});

describe('an app that opens nothing at a first start', () => {
  const begun = (): { scene: Scene; id: number } => {
    const scene = new Scene({ instances: 1 });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    const { id } = scene.worker(1, 0);
    scene.send({ type: 'hello', id });
    return { scene, id };
  };

  test('has a second to do so once its script is loaded, however long that takes', () => {
    const { scene, id } = begun();
    scene.advance(6_000);
    scene.send({ type: 'idle', id });
    scene.advance(999);
    expect(scene.slots('starting')).toEqual(['1/0']);
    scene.advance(1);
    expect(scene.slots('active')).toEqual(['1/0']);
    scene.advance(1_000);
    expect(scene.told('serving')).toEqual(['generation 1 serves with 1 worker, listening on nothing']);
    expect(scene.told('warning')).toEqual([
      expect.stringMatching(/^it listens on nothing yet: --ready message or --ready \/path has zdsup wait for it/),
    ]);
    // Whoever has started it hears no more after the end of the rollout.
    const kinds = scene.effects.map((effect) => (effect.type === 'progress' ? effect.kind : effect.type));
    expect(kinds.indexOf('warning')).toBeLessThan(kinds.indexOf('rollout-ended'));
  });

  test('is not warned of where it was asked to say when it is ready, nor at a reload', () => {
    const asked = new Scene({ instances: 1, check: 'message' }).start();
    expect(asked.told('warning')).toEqual([]);
    const { scene, id } = begun();
    scene.send({ type: 'idle', id });
    scene.advance(1_000);
    scene.advance(1_000);
    scene.reload();
    const next = scene.worker(2, 0).id;
    scene.send({ type: 'hello', id: next });
    scene.send({ type: 'idle', id: next });
    for (let second = 0; second < 5; second++) scene.advance(1_000);
    expect(scene.told('serving')).toEqual(
      [1, 2].map((n) => `generation ${n} serves with 1 worker, listening on nothing`),
    );
    expect(scene.told('warning')).toHaveLength(1);
  });

  test('counts as loaded after 10 s where it computes from its start on', () => {
    const { scene } = begun();
    scene.advance(10_999);
    expect(scene.slots('starting')).toEqual(['1/0']);
    scene.advance(1);
    expect(scene.slots('active')).toEqual(['1/0']);
  });
});

describe('readiness', () => {
  test("with 'message' listening is not enough: the app says when", () => {
    const scene = new Scene({ instances: 1, check: 'message' });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    const { id } = scene.worker(1, 0);
    scene.send({ type: 'hello', id });
    scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
    scene.advance(30_000);
    expect(scene.slots('starting')).toEqual(['1/0']);
    scene.send({ type: 'ready-message', id });
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('an http check begins when the worker listens, goes on after a failure, and is passed once', () => {
    const scene = new Scene({ instances: 1, check: 'http' });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    scene.send(scene.answer()!);
    const { id } = scene.worker(1, 0);
    expect(scene.send({ type: 'hello', id }).effects).toEqual([]);
    const { effects } = scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
    expect(effects).toEqual([{ type: 'probe', id }]);
    expect(scene.send({ type: 'probe-failed', id, reason: 'answered 503' }).effects).toEqual([]);
    scene.advance(20_000);
    expect(scene.slots('starting')).toEqual(['1/0']);
    scene.send({ type: 'probe-passed', id });
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test('a new worker is not ready before it has opened every port of its predecessor', () => {
    const scene = new Scene({ instances: 1 });
    scene.ports = () => ['tcp:3000', 'tcp:9000'];
    scene.start().reload();
    const { id } = scene.worker(2, 0);
    scene.send({ type: 'hello', id });
    scene.send({ type: 'listening', id, key: 'tcp:9000', label: 'http :9000' });
    scene.advance(10_000);
    expect(scene.slots('starting')).toEqual(['2/0']);
    scene.send({ type: 'listening', id, key: 'tcp:3000', label: 'http :3000' });
    expect(scene.slots('ready')).toEqual(['2/0']);
  });

  test('a port that slot 0 alone has is asked of slot 0 alone', () => {
    const scene = new Scene({ instances: 3 });
    scene.ports = (slot) => (slot === 0 ? ['tcp:3000', 'tcp:9000'] : ['tcp:3000']);
    scene.start().reload();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded', to: 2 });
  });
});

describe('a worker that crashes while it serves', () => {
  test('is started again after its backoff, from the same generation', () => {
    const scene = new Scene({ instances: 2 }).start();
    scene.crash(scene.worker(1, 1));
    expect(scene.slots('starting')).toEqual([]);
    scene.advance(99);
    expect(scene.slots('starting')).toEqual([]);
    scene.advance(1);
    expect(scene.slots('starting')).toEqual(['1/1']);
    expect(scene.fleet.generations[1]!.slotState[1]!.restarts).toBe(1);
    expect(scene.fleet.generations[1]!.slotState[0]!.restarts).toBe(0);
  });

  test('has a successor that takes traffic at once where nobody else serves and the release is unmodified', () => {
    const scene = new Scene({ instances: 1, minReadyMs: 10_000 }).start();
    scene.crash(scene.worker(1, 0));
    scene.send({ type: 'release-checked', generation: 1, modified: false });
    scene.advance(100);
    scene.boot();
    expect(scene.slots('active')).toEqual(['1/0']);
  });

  test.for([
    { why: 'another worker serves', instances: 2, checked: false },
    { why: 'the release was edited in place', instances: 1, checked: true },
    { why: 'nobody has looked yet whether the release was edited', instances: 1, checked: null },
  ])('has a successor that sits its minReady out where $why', ({ instances, checked }) => {
    const scene = new Scene({ instances, minReadyMs: 10_000 }).start();
    scene.crash(scene.worker(1, 0));
    if (checked !== null) scene.send({ type: 'release-checked', generation: 1, modified: checked });
    scene.advance(100);
    scene.boot().advance(9_999);
    expect(scene.slots('ready')).toEqual(['1/0']);
    scene.advance(1);
    expect(scene.slots('active')).toContain('1/0');
  });

  test('waits longer with each failure in a row, and begins anew after a long stay', () => {
    const scene = new Scene({ instances: 1 }).start();
    const delayAfterCrash = (): number => {
      scene.crash(scene.worker(1, 0));
      return scene.fleet.generations[1]!.slotState[0]!.respawnAt - scene.now;
    };
    const delays = [1, 2, 3].map(() => {
      const delay = delayAfterCrash();
      scene.settle();
      return delay;
    });
    scene.advance(60_000);
    expect([...delays, delayAfterCrash()]).toEqual([100, 200, 400, 100]);
  });

  test('has a successor that is killed where it is not ready by its deadline, and the next one waits for its end', () => {
    const scene = new Scene({ instances: 1, readyDeadlineMs: 5_000 }).start();
    scene.crash(scene.worker(1, 0));
    scene.advance(100);
    scene.advance(5_000);
    expect(scene.slots('killing')).toEqual(['1/0']);
    scene.advance(60_000);
    expect(scene.processes.size).toBe(1);
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0']);
    expect(scene.fleet.rollout).toMatchObject({ id: 1, outcome: 'succeeded' });
  });
});

describe('a worker that is replaced', () => {
  test('gets its drain timeout, then its kill timeout, and is killed then and not before', () => {
    const scene = new Scene({ instances: 1, drainTimeoutMs: 20_000, killTimeoutMs: 3_000 }).start();
    const { id } = scene.worker(1, 0);
    scene.reload();
    scene.boot().advance(1_000);
    expect(scene.effects).toContainEqual({ type: 'retire', id, deadlineMs: 20_000, closeIdle: false });
    scene.advance(22_999);
    expect(scene.slots('draining')).toEqual(['1/0']);
    scene.advance(1);
    expect(scene.effects.at(-1)).toEqual({ type: 'kill', id });
    expect(scene.slots('killing')).toEqual(['1/0']);
  });

  test.for([
    [30, '30 ms'],
    [999, '999 ms'],
    [1_000, '1 s'],
    [20_000, '20 s'],
  ] as const)('is said to drain for as long as it may: %s ms', ([drainTimeoutMs, said]) => {
    const scene = new Scene({ instances: 1, drainTimeoutMs }).start();
    scene.reload();
    scene.boot().advance(1_000);
    expect(scene.told('worker-retired').at(-1)).toMatch(`(up to ${said})`);
  });

  test('is the last of its generation: the generation is gone, and its listeners may be closed', () => {
    const scene = new Scene({ instances: 1 }).start();
    scene.reload();
    scene.boot().advance(1_000);
    const { effects } = scene.send({ type: 'exited', id: 1, code: 0, signal: null });
    expect(effects).toContainEqual({ type: 'generation-gone', generation: 1 });
    expect(effects).toContainEqual({ type: 'close-listeners' });
    expect(Object.keys(scene.fleet.generations)).toEqual(['2']);
  });

  test('never had traffic: it is ended without a drain', () => {
    const scene = new Scene({ instances: 2, surge: 2 }).start();
    scene.reload();
    const [one, other] = [scene.worker(2, 0), scene.worker(2, 1)];
    scene.crash(one);
    expect(scene.effects).toContainEqual({ type: 'retire', id: other.id, deadlineMs: 0, closeIdle: false });
  });
});

test('a fleet at rest waits for no instant', () => {
  const scene = new Scene().start();
  expect(nextWakeAt(scene.fleet, scene.now)).toBeNull();
});
