/** What is told once, and how much of it is remembered. */
import { expect, test } from 'vitest';
import { SaidOnce } from '../../src/master/said-once.js';

function heard(): { once: SaidOnce; told: string[] } {
  const told: string[] = [];
  return { once: new SaidOnce((message) => told.push(message)), told };
}

test('one thing is told once, whoever says it', () => {
  const { once, told } = heard();
  const [one, other] = [{}, {}];
  for (const worker of [one, one, other]) once.tell(worker, 'the app has wrapped its sockets');
  expect(told).toEqual(['the app has wrapped its sockets']);
});

test('a worker that says something else each time is heard for a while, and keeps nobody else from being heard', () => {
  const { once, told } = heard();
  const [restless, other] = [{}, {}];
  for (let index = 0; index < 10_000; index++) once.tell(restless, `reason ${index}`);
  once.tell(other, 'another');
  expect([told.length, told.at(-1)]).toEqual([11, 'another']);
});

test('ever new workers of that kind are heard for a while, too', () => {
  const { once, told } = heard();
  for (let worker = 0; worker < 1_000; worker++)
    for (let index = 0; index < 10; index++) once.tell({ worker }, `${worker} ${index}`);
  expect(told.length).toBeLessThanOrEqual(1_000);
});
