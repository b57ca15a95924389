import { expect, test } from 'vitest';
import { isBusy, isHealthy, statusWords } from '../../src/domain/service-state.js';
import { Scene } from './scene.js';
import { POLICY } from './world.js';

const scene = (instances = 2): Scene => new Scene({ ...POLICY, instances });

test('a service is told in words: what serves, with how many workers, how many drain, and what comes', () => {
  const one = scene();
  expect(statusWords(one.fleet)).toBe('starting, 0 workers');
  one.start();
  expect(statusWords(one.fleet)).toBe('generation 1, 2 workers');
  one.reload();
  expect(statusWords(one.fleet)).toBe('generation 1, 2 workers, generation 2 comes');
  one.settle();
  one.send({ type: 'stop-requested' });
  expect(statusWords(one.fleet)).toMatch(/^stopping, \d draining$/);
});

test('a held reload is told with its weight', () => {
  const one = scene().start();
  one.canary(5);
  one.settle();
  expect(statusWords(one.fleet)).toContain('generation 2 at 5 %');
});

test('it is well in a start and while a worker serves; not when all of them are down and none starts', () => {
  const one = scene(1);
  one.send({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  expect(isHealthy(one.fleet)).toBe(true);
  one.start();
  expect(isHealthy(one.fleet)).toBe(true);
  const [worker] = Object.values(one.fleet.workers);
  one.send({ type: 'unresponsive', id: worker!.id });
  expect(Object.values(one.fleet.workers)).toHaveLength(2);
  expect(isHealthy(one.fleet)).toBe(true); // Its successor starts.
  for (const { id } of Object.values(one.fleet.workers)) one.send({ type: 'exited', id, code: 1, signal: null });
  expect(Object.values(one.fleet.workers)).toEqual([]);
  expect(isHealthy(one.fleet)).toBe(false);
});

test('what is under way ends by deadlines of its own, and is given the time: a rollout, a drain, a stop', () => {
  const one = scene(1).start();
  expect(isBusy(one.fleet)).toBe(false);
  one.reload();
  expect(isBusy(one.fleet)).toBe(true);
});
