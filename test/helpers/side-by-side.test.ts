/** Of tests that run side by side each ends what is its own when it is over, and nothing of another one. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { temporaryFolder } from './cleanup.js';
import { until } from './until.js';

const folders: Record<'leaves' | 'stays', string | null> = { leaves: null, stays: null };

test.concurrent('what a test has made after a wait goes with it, while another one, begun later, is under way', async () => {
  await until('the other one has begun', () => folders.stays);
  folders.leaves = temporaryFolder();
});

test.concurrent('what the other one has made stays until it is over', async () => {
  const mine = temporaryFolder();
  folders.stays = mine;
  await until('the first is over', () => folders.leaves !== null && !existsSync(folders.leaves));
  expect(existsSync(mine)).toBe(true);
  expect(existsSync(temporaryFolder()), 'and what it makes now').toBe(true);
});
