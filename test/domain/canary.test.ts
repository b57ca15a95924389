/** A reload that is held at a weight, and what a person does with it. */
import { describe, expect, test } from 'vitest';
import { Scene } from './scene.js';

const served = (instances = 4): Scene => new Scene({ instances }).start();
const held = (weight: number, instances = 4): Scene => {
  const scene = served(instances);
  expect(scene.canary(weight)).toBeUndefined();
  return scene.settle();
};
const workersOf = (scene: Scene, generation: number): number =>
  scene.slots('active').filter((slot) => slot.startsWith(`${generation}/`)).length;

describe('a reload with a weight', () => {
  test.for([
    [1, 4, 1],
    [25, 4, 1],
    [26, 4, 2],
    [80, 4, 4],
    [50, 1, 1],
    [5, 20, 1],
    [20, 5, 1],
    [99, 10, 10],
  ] as const)('of %i % of %i workers boots %i beside all of the old ones and holds', ([weight, instances, count]) => {
    const scene = held(weight, instances);
    expect(workersOf(scene, 2)).toBe(count);
    expect(workersOf(scene, 1)).toBe(instances);
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight, outcome: null });
    expect(scene.fleet.serving).toBe(1);
    expect(scene.fleet.routing).toEqual({ mode: 'dispatch', sticky: false, weights: { 1: 100 - weight, 2: weight } });
    expect(scene.slots('draining')).toEqual([]);
  });

  test('tells that it is held, with how many workers', () => {
    expect(held(5).told('held')).toEqual(['generation 2 gets 5 % of the traffic with 1 worker; held there']);
  });

  test('lets its worker in only when it has been ready for minReady and has passed the smoke test, and gives it nothing before it has said that it accepts', () => {
    const scene = new Scene({ instances: 2, smoke: true }).start();
    scene.canary(5);
    while (scene.processes.size < 3 || [...scene.processes.values()].at(-1)!.smoke !== 'asked') scene.goOn();
    scene.now += 10_000;
    scene.send({ type: 'timer' });
    expect(workersOf(scene, 2)).toBe(0);
    const hung = scene.worker(2, 0);
    scene.processes.get(hung.id)!.hung = true;
    scene.send({ type: 'smoke-passed', id: hung.id });
    expect(workersOf(scene, 2)).toBe(1);
    expect(scene.fleet.routing.weights).toEqual({ 1: 100, 2: 0 });
    scene.send({ type: 'activated', id: hung.id });
    expect(scene.fleet.routing.weights).toEqual({ 1: 95, 2: 5 });
  });

  test('hands the release that it is to bring in on to whoever prepares it, and so does one without a weight', () => {
    for (const weight of [5, undefined]) {
      const scene = served();
      const release = { id: 'abcd1234', path: '/store/abcd1234/shop', from: '/srv/shop' };
      const asked = { type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false } as const;
      scene.send({ ...asked, weight, target: { kind: 'release', release } });
      expect(scene.effects.findLast(({ type }) => type === 'prepare')).toMatchObject({ target: { release } });
      scene.settle();
      scene.send({ type: 'abort-requested' });
      scene.settle();
      scene.send(asked);
      expect(
        scene.effects.findLast(({ type }) => type === 'prepare'),
        'the next one is in place',
      ).toMatchObject({ target: { kind: 'files' } });
    }
  });

  test('is refused where there is nothing to hold it beside', () => {
    const scene = new Scene({ instances: 1 });
    const asked = { source: 'command', allowListeners: false, weight: 5 } as const;
    expect(scene.send({ type: 'rollout-requested', kind: 'reload', ...asked }).ignored).toContain('nothing');
    scene.start();
    expect(scene.send({ type: 'rollout-requested', kind: 'restart', ...asked }).ignored).toContain('nothing');
  });

  test('of an atomic app lets all workers of the weight in at once, and at the promotion all of the rest', () => {
    const scene = new Scene({ instances: 4, atomic: true }).start();
    scene.canary(50);
    const late = scene.processes.get(scene.worker(2, 1).id)!;
    late.hung = true;
    scene.boot().advance(1_000);
    expect(workersOf(scene, 2)).toBe(0);
    late.hung = false;
    scene.settle();
    expect([workersOf(scene, 1), workersOf(scene, 2)]).toEqual([4, 2]);
    scene.promote();
    const from = scene.effects.length;
    scene.settle();
    const first = scene.effects.slice(from).findIndex(({ type }) => type === 'activate');
    expect(scene.effects.slice(from + first, from + first + 4).filter(({ type }) => type === 'activate')).toHaveLength(
      2,
    );
    expect(scene.slots('active')).toEqual(['2/0', '2/1', '2/2', '2/3']);
  });
});

describe('another weight', () => {
  test('is reached once the workers that it needs serve: they come first', () => {
    const scene = held(5);
    expect(scene.weigh(50)).toBeUndefined();
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 5 });
    expect(scene.fleet.routing.weights).toEqual({ 1: 95, 2: 5 });
    scene.settle();
    expect(workersOf(scene, 2)).toBe(2);
    expect(scene.fleet.routing.weights).toEqual({ 1: 50, 2: 50 });
  });

  test('that is smaller holds at once, and the workers that it does not need drain', () => {
    const scene = held(80);
    scene.weigh(5);
    expect(scene.fleet.routing.weights).toEqual({ 1: 95, 2: 5 });
    expect(scene.slots('draining')).toEqual(['2/1', '2/2', '2/3']);
    scene.settle();
    expect(workersOf(scene, 2)).toBe(1);
    scene.weigh(80);
    scene.settle();
    expect(workersOf(scene, 2)).toBe(4);
  });

  test('of 0 keeps one worker alive without traffic', () => {
    const scene = held(20);
    scene.weigh(0);
    expect(workersOf(scene, 2)).toBe(1);
    expect(scene.fleet.routing.weights).toEqual({ 1: 100, 2: 0 });
  });

  test('of 100 is the promotion', () => {
    const scene = held(20);
    scene.weigh(100);
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
  });

  test('is refused where it makes no sense', () => {
    const scene = served();
    expect(scene.weigh(5)).toBe('no-rollout');
    scene.reload();
    expect(scene.weigh(5)).toBe('not-held');
    scene.settle();
    scene.canary(5);
    expect(scene.weigh(20)).toBe('not-there-yet');
    scene.settle();
    expect(scene.weigh(5)).toBe('same-weight');
    scene.weigh(50);
    expect(scene.weigh(20)).toBe('not-there-yet');
    scene.abort();
    expect(scene.weigh(20)).toBe('aborting');
    scene.send({ type: 'stop-requested' });
    expect(scene.weigh(20)).toBe('stopping');
  });
});

describe('a promotion', () => {
  test('goes on to the end as a rolling reload, with all workers worth the same', () => {
    const scene = held(25);
    expect(scene.promote()).toBeUndefined();
    expect(scene.fleet.rollout).toMatchObject({ step: 'shifting', weight: null });
    expect(scene.fleet.routing).toEqual({ mode: 'direct', sticky: false, weights: {} });
    expect(workersOf(scene, 1)).toBe(3);
    scene.settle();
    expect(scene.slots('active')).toEqual(['2/0', '2/1', '2/2', '2/3']);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded' });
  });

  test('is refused where nothing is held', () => {
    const scene = served();
    expect(scene.promote()).toBe('no-rollout');
    scene.reload();
    expect(scene.promote()).toBe('not-held');
  });

  test('that fails half way brings the old generation back', () => {
    const scene = held(25);
    scene.promote();
    scene.crash(scene.worker(2, 0, 'active'));
    scene.settle();
    expect(scene.slots('active')).toHaveLength(4);
    expect(workersOf(scene, 1)).toBe(4);
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed' });
  });
});

describe('an abort by hand', () => {
  test('of a hold leaves the old workers as they are, and gives the new one nothing more', () => {
    const scene = held(25);
    const before = scene.slots('active').filter((slot) => slot.startsWith('1/'));
    expect(scene.abort()).toBeUndefined();
    expect(scene.slots('active')).toEqual(before);
    expect(scene.fleet.routing).toEqual({ mode: 'direct', sticky: false, weights: {} });
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed', reason: 'aborted by hand', culprit: null });
  });

  test('ends a rollout that hangs, wherever it does', () => {
    const scene = served(2);
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
    expect(scene.abort()).toBeUndefined();
    expect(scene.fleet.rollout).toMatchObject({ step: 'done', reason: 'aborted by hand' });
    scene.reload();
    scene.processes.get(scene.worker(2, 0).id)!.hung = true;
    scene.boot();
    expect(scene.abort()).toBeUndefined();
    scene.settle();
    expect(scene.slots('active')).toEqual(['1/0', '1/1']);
    scene.restart();
    scene.goOn();
    expect(scene.abort()).toBeUndefined();
    expect(scene.abort()).toBe('aborting');
    scene.settle();
    expect(workersOf(scene, 1)).toBe(2);
  });

  test('in mid-shift brings the old generation back whole before it is over', () => {
    const scene = served(3);
    scene.reload();
    scene.boot().advance(1_000);
    expect(scene.fleet.rollout!.step).toBe('shifting');
    scene.abort();
    scene.settle();
    expect(workersOf(scene, 1)).toBe(3);
    expect(scene.slots('active')).toHaveLength(3);
  });

  test('is refused where nothing is under way, and at a first start', () => {
    const scene = new Scene({ instances: 1 });
    scene.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
    expect(scene.abort()).toBe('first-start');
    scene.settle();
    expect(scene.abort()).toBe('no-rollout');
  });
});

describe('while it is held', () => {
  test('a crash of a new worker gives the rollout up; no old one is touched', () => {
    const scene = held(25);
    scene.crash(scene.worker(2, 0));
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'failed' });
    expect(scene.fleet.rollout!.reason).toContain('worker 0 of generation 2 exited with code 1');
    expect(workersOf(scene, 1)).toBe(4);
    expect(scene.fleet.routing.mode).toBe('direct');
  });

  test('an old worker that crashes comes back, and one that blocks is replaced', () => {
    const scene = held(25);
    scene.crash(scene.worker(1, 2));
    scene.settle();
    expect(workersOf(scene, 1)).toBe(4);
    expect(scene.block(scene.worker(1, 3))).toBeUndefined();
    scene.settle();
    expect(scene.slots('active').filter((slot) => slot === '1/3')).toHaveLength(1);
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 25 });
  });

  test('a scale and another reload are refused, a HUP waits', () => {
    const scene = held(25);
    expect(scene.scale(2)).toBe('rollout-under-way');
    expect(scene.reload()).toBe('another rollout is under way');
    expect(scene.reload('signal')).toBeUndefined();
    expect(scene.fleet.rollout!.step).toBe('canary');
    scene.promote();
    scene.settle();
    expect(scene.fleet.serving).toBe(3);
  });

  test('a stop ends all', () => {
    const scene = held(25);
    scene.send({ type: 'stop-requested' });
    scene.settle();
    expect(scene.fleet.ended).toBe(true);
  });
});
