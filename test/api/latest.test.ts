import { expect, test } from 'vitest';
import { Latest } from '../../src/api/latest.js';

const all = async <T>(values: AsyncIterable<T>): Promise<T[]> => {
  const seen: T[] = [];
  for await (const value of values) seen.push(value);
  return seen;
};

test('whoever is slow gets the latest alone, and what was put last before the end', async () => {
  const latest = new Latest<number>();
  latest.put(1);
  latest.put(2);
  latest.end();
  latest.put(3);
  expect(await all(latest)).toEqual([2]);
});

test('a reader that waits is woken by each value', async () => {
  const latest = new Latest<number>();
  const reader = latest[Symbol.asyncIterator]();
  const first = reader.next();
  latest.put(1);
  expect(await first).toEqual({ done: false, value: 1 });
  const second = reader.next();
  latest.put(2);
  expect(await second).toEqual({ done: false, value: 2 });
  const third = reader.next();
  latest.end();
  expect(await third).toEqual({ done: true, value: undefined });
});

test('an error comes behind what was put, and the first end wins', async () => {
  const latest = new Latest<number>();
  latest.put(1);
  latest.fail(new Error('broken'));
  latest.end();
  const reader = latest[Symbol.asyncIterator]();
  expect((await reader.next()).value).toBe(1);
  await expect(reader.next()).rejects.toThrow('broken');
});
