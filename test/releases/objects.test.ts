/** Contents of the store, by their hash. */
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashOf } from '../../src/releases/objects.js';
import { temporaryFolder } from '../helpers/cleanup.js';

const PIECE = 4 * 1024 * 1024;

test.for([0, 1, PIECE - 1, PIECE, PIECE + 1])('a file of %i bytes is hashed to its end', (size) => {
  const path = join(temporaryFolder(), 'file');
  const bytes = Buffer.alloc(size, 'zdsup');
  writeFileSync(path, bytes);
  expect(hashOf(path)).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('so is one beyond 2 GiB, which Node reads in no single piece', { timeout: 60_000 }, () => {
  const path = join(temporaryFolder(), 'model.bin');
  writeFileSync(path, '');
  truncateSync(path, 2 ** 31 + 1);
  // Of as many zeros, by sha256sum.
  expect(hashOf(path)).toBe('b8030a8ab89280935633d8d991da3d9907c0f12e8b6fc3bfc515f4d440872b6e');
});
