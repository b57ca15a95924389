/** `kill -9` at every step of a deploy: every release that is there is whole, and the next deploy goes on from there. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { objectsDir, RELEASE_ID } from '../../src/releases/layout.js';
import { listReleases, readManifest } from '../../src/releases/store.js';
import { verifyRelease } from '../../src/releases/verify.js';
import { APP, contentsOf, makeStore } from '../helpers/store.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/releases/take-and-die.mjs', import.meta.url));

interface End {
  signal: NodeJS.Signals | null;
  id: string;
  stderr: string;
}

function takeAndDie(store: string, source: string, at: number): End {
  const { signal, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, store, source, String(at)], {
    encoding: 'utf8',
  });
  return { signal, id: stdout.trim(), stderr };
}

test('whatever step a deploy is killed at', { timeout: 300_000 }, async () => {
  let steps = 0;
  for (let at = 0; ; at++) {
    const store = makeStore({ 'app.js': 'one', 'lib/a.js': 'a', 'uploads/u': 'U' });
    const source = store.project.folder;
    const never = 1_000;
    const before = takeAndDie(store.path, source, never).id;
    store.project.write({ 'app.js': 'two', 'lib/b.js': 'b' });
    takeAndDie(store.path, source, never);
    store.project.write({ 'app.js': 'three' });
    const { signal, stderr } = takeAndDie(store.path, source, at);

    const listed = readdirSync(store.path).filter((name) => RELEASE_ID.test(name));
    expect(listed.sort(), `step ${at}: each has its manifest`).toEqual(
      listReleases(store.path)
        .map(({ id }) => id)
        .sort(),
    );
    expect(listed.length, stderr).toBeGreaterThanOrEqual(2);
    for (const id of listed) {
      expect(verifyRelease(store.path, APP, id), `step ${at}, release ${id}`).toEqual([]);
      expect(readManifest(store.path, id).head.id).toBe(id);
    }

    store.project.write({ 'app.js': 'four' });
    const next = takeAndDie(store.path, source, never);
    expect(next, `step ${at}: the next deploy`).toMatchObject({ signal: null, stderr: '' });
    expect(verifyRelease(store.path, APP, next.id)).toEqual([]);
    const tree = contentsOf(join(store.path, next.id, APP));
    expect(tree).toEqual({
      'app.js': '444 four',
      'lib/': '',
      'lib/a.js': '444 a',
      'lib/b.js': '444 b',
      uploads: '→ ../../shared/uploads',
    });
    expect(contentsOf(join(store.path, 'shared/uploads'))).toEqual({ u: '644 U' });
    expect(existsSync(join(store.path, before)), 'keep is 2').toBe(false);
    expect(leftOver(store.path), `step ${at}: nothing else is left`).toEqual([]);
    if (signal === null) break;
    expect(signal).toBe('SIGKILL');
    steps += 1;
  }
  expect(steps, 'steps that it was killed at').toBeGreaterThan(8);
});

/** What is in the store and of no release. */
function leftOver(store: string): string[] {
  const needed = new Set(
    listReleases(store).flatMap(({ id }) =>
      readManifest(store, id).entries.flatMap((entry) =>
        entry.kind === 'file' ? [`${entry.hash.slice(0, 2)}/${entry.hash.slice(2)}.${entry.mode.toString(8)}`] : [],
      ),
    ),
  );
  const objects = Object.keys(contentsOf(objectsDir(store))).filter((name) => !name.endsWith('/') && !needed.has(name));
  return [...objects, ...(existsSync(join(store, 'tmp')) ? Object.keys(contentsOf(join(store, 'tmp'))) : [])];
}
