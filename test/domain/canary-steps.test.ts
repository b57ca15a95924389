/** A canary that goes by steps: by time and verdict, and by what a person does in between. */
import { describe, expect, test } from 'vitest';
import type { CanaryPolicy } from '../../src/domain/types.js';
import { Scene } from './scene.js';

const STEPS: CanaryPolicy = {
  steps: [
    { weight: 5, pauseMs: 60_000 },
    { weight: 25, pauseMs: 300_000 },
    { weight: 50, pauseMs: null },
  ],
  inconclusive: 'wait',
  sticky: false,
};

/** Four workers serve; a reload with the steps is at its first weight. */
function atFirst(canary: Partial<CanaryPolicy> = {}): Scene {
  const scene = new Scene({ instances: 4, canary: { ...STEPS, ...canary } }).start();
  expect(scene.reload()).toBeUndefined();
  scene.until(scene.now + 1_000).bootAll();
  expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 5 });
  return scene;
}

describe('a reload of an app with a canary', () => {
  test('goes from step to step by time and a good verdict, and holds where a person decides', () => {
    const scene = atFirst();
    expect(scene.told('held')).toEqual(['generation 2 gets 5 % of the traffic with 1 worker; step 1 of 3, for 60 s']);
    expect(scene.effects.filter(({ type }) => type === 'held')).toEqual([]);
    scene.judge('good', 'no worse in 900 requests');
    scene.until(scene.now + 59_000);
    expect(scene.fleet.routing.weights).toEqual({ 1: 95, 2: 5 });
    scene.until(scene.now + 1_000);
    expect(scene.fleet.routing.weights).toEqual({ 1: 75, 2: 25 });
    expect(scene.told('stepping')).toEqual(['generation 2: on to 25 % of the traffic (no worse in 900 requests)']);
    scene.until(scene.now + 301_100);
    expect(scene.fleet.routing.weights).toEqual({ 1: 50, 2: 50 });
    scene.until(scene.now + 86_400_000);
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 50 });
    expect(scene.effects.filter(({ type }) => type === 'held')).toHaveLength(1);
    expect(scene.promote()).toBeUndefined();
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({ outcome: 'succeeded' });
    expect(scene.fleet.serving).toBe(2);
  });

  test('waits for a verdict beyond the time of its step, and never guesses', () => {
    const scene = atFirst();
    scene.judge('inconclusive', '12 requests so far');
    scene.until(scene.now + 3_600_000);
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 5, paused: false });
    scene.judge('good');
    expect(scene.fleet.rollout).toMatchObject({ wantedWeight: 25 });
  });

  test('pauses at the end of a step without a verdict, where the config has it so', () => {
    const scene = atFirst({ inconclusive: 'pause' });
    scene.judge('inconclusive', '12 requests so far');
    scene.until(scene.now + 60_000);
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 5, paused: true });
    expect(scene.told('paused')).toEqual(['generation 2: paused at 5 % of the traffic (12 requests so far)']);
    expect(scene.effects.filter(({ type }) => type === 'held')).toHaveLength(1);
    scene.judge('good');
    scene.until(scene.now + 3_600_000);
    expect(scene.fleet.rollout, 'a person goes on').toMatchObject({ weight: 5, paused: true });
    expect(scene.promote()).toBeUndefined();
    scene.until(scene.now + 1_100);
    expect(scene.fleet.rollout).toMatchObject({ weight: 25, paused: false });
  });

  test('is given up by a bad verdict: its weight is 0 in that very step, and the reason is kept', () => {
    const scene = atFirst();
    scene.judge('bad', '4.1 % of 512 requests failed');
    expect(scene.fleet.routing.weights[2] ?? 0).toBe(0);
    expect(scene.effects.at(-1)).toEqual({ type: 'judge', judging: null });
    scene.settle();
    expect(scene.verdicts.at(-1)).toMatchObject({
      outcome: 'failed',
      reason: 'generation 2 is worse: 4.1 % of 512 requests failed',
    });
    expect(scene.slots('active')).toEqual(['1/0', '1/1', '1/2', '1/3']);
  });

  test('holds by hand, goes on by hand, and to the end by hand', () => {
    const scene = atFirst();
    expect(scene.pause()).toBeUndefined();
    expect(scene.pause()).toBe('paused');
    scene.judge('good');
    scene.until(scene.now + 3_600_000);
    expect(scene.fleet.rollout).toMatchObject({ weight: 5 });
    scene.promote();
    scene.until(scene.now + 1_100);
    expect(scene.fleet.rollout).toMatchObject({ weight: 25, stepIndex: 1 });
    expect(scene.promote(true)).toBeUndefined();
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
  });

  test('that is paused on its way to the next step stays there, and says so', () => {
    const [first] = STEPS.steps;
    const scene = atFirst({ steps: [first!, { weight: 50, pauseMs: 60_000 }] });
    scene.promote();
    expect(scene.fleet.rollout).toMatchObject({ weight: 5, wantedWeight: 50 });
    expect(scene.pause()).toBeUndefined();
    expect(scene.told('paused')).toEqual(['generation 2: on its way, and pauses at 50 % of the traffic (by hand)']);
    scene.judge('good');
    scene.until(scene.now + 3_600_000);
    expect(scene.fleet.rollout).toMatchObject({ weight: 50, paused: true });
  });

  test('takes a weight by hand, stays there, and goes on to the next step above it', () => {
    const scene = atFirst();
    expect(scene.weigh(30)).toBeUndefined();
    scene.until(scene.now + 3_600_000);
    expect(scene.fleet.rollout).toMatchObject({ weight: 30, paused: true });
    scene.promote();
    scene.until(scene.now + 1_100);
    expect(scene.fleet.rollout).toMatchObject({ weight: 50, stepIndex: 2 });
  });

  test('is judged while it is held, and observed before', () => {
    const scene = new Scene({ instances: 2, canary: STEPS }).start();
    scene.reload();
    expect(scene.fleet.judging).toEqual({ rolloutId: 2, stable: 1, canary: 2, isJudged: true, phase: 'boot' });
    scene.until(scene.now + 1_000).bootAll();
    expect(scene.fleet.judging).toEqual({ rolloutId: 2, stable: 1, canary: 2, isJudged: true, phase: 'canary' });
    expect(scene.send({ type: 'verdict', rolloutId: 1, verdict: { kind: 'bad', reason: '' } }).ignored).toContain(
      'nobody',
    );
  });

  test('leaves its steps out at a first start, for a restart, with a weight by hand, and where it is asked to', () => {
    const scene = new Scene({ instances: 2, canary: STEPS }).start();
    expect(scene.fleet.serving).toBe(1);
    scene.restart();
    scene.settle();
    expect(scene.fleet.serving).toBe(2);
    const asked = { type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false } as const;
    scene.send({ ...asked, noCanary: true });
    scene.settle();
    expect(scene.fleet.serving).toBe(3);
    scene.canary(40);
    scene.settle();
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 40, steps: [] });
  });

  test('goes on by its steps where a HUP began it', () => {
    const scene = new Scene({ instances: 2, canary: STEPS }).start();
    scene.reload('signal');
    scene.until(scene.now + 1_000).bootAll();
    expect(scene.fleet.rollout).toMatchObject({ step: 'canary', weight: 5 });
    expect(scene.abort()).toBeUndefined();
    scene.settle();
    expect(scene.fleet.serving).toBe(1);
  });
});

test.for(['pause', 'promote'] as const)('%s with no canary is refused', (what) => {
  const scene = new Scene({ instances: 1 }).start();
  expect(scene[what]()).toBe('no-rollout');
  scene.reload();
  expect(scene[what]()).toBe('not-held');
});

test('a sticky canary keeps an address on its side of the split', () => {
  expect(atFirst({ sticky: true }).fleet.routing).toEqual({ mode: 'dispatch', sticky: true, weights: { 1: 95, 2: 5 } });
});
