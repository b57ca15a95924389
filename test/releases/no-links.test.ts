/** Where a file system takes no further hard link to a file, a release has a copy of it. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { verifyRelease } from '../../src/releases/verify.js';
import { APP, makeStore } from '../helpers/store.js';

vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  linkSync() {
    throw Object.assign(new Error('EMLINK: too many links'), { code: 'EMLINK' });
  },
}));

test('as ext4 has at 65,000 names of one file', async () => {
  const store = makeStore({ 'app.js': 'one', 'bin/run': 'run' });
  const { path, head } = await store.take();
  expect(lstatSync(join(path, 'app.js')).nlink).toBe(1);
  expect(verifyRelease(store.path, APP, head.id)).toEqual([]);
});
