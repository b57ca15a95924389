/** The most memory of all workers together, in a rollout. */
import { expect, test } from 'vitest';
import { PeakMemory } from '../../src/master/peak-memory.js';

test('the highest sum counts, and each rollout begins anew', async () => {
  const sizes = new Map([[1, 100]]);
  const memory = new PeakMemory(
    () => [...sizes.keys()],
    async (pid) => sizes.get(pid) ?? null,
  );
  memory.begin();
  await memory.look();
  sizes.set(2, 150);
  await memory.look();
  sizes.delete(1);
  await memory.look();
  expect(memory.end()).toBe(250);
  memory.begin();
  await memory.look();
  expect(memory.end()).toBe(150);
});

test('where no worker can be asked, nothing is claimed', async () => {
  const memory = new PeakMemory(
    () => [1],
    async () => null,
  );
  memory.begin();
  await memory.look();
  expect(memory.end()).toBeNull();
});

test('of a process it reads what the system says', async () => {
  const memory = new PeakMemory(() => [process.pid, 2 ** 22 + 1]);
  memory.begin();
  await memory.look();
  expect(memory.end()).toBeGreaterThan(10 * 2 ** 20);
});
