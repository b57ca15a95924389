/** A release is a snapshot: what is in the folder is in it, read once, and kept whatever the folder becomes. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changeOf } from '../../src/cli/render/releases.js';
import { refused } from '../../src/releases/failure.js';
import { objectsDir, spareDir } from '../../src/releases/layout.js';
import { makeSpare } from '../../src/releases/spare.js';
import { readManifest } from '../../src/releases/store.js';
import { verifyRelease } from '../../src/releases/verify.js';
import { APP, contentsOf, makeStore } from '../helpers/store.js';

/** How many files are read while `act` takes a release. */
function reads(): { step(name: string): void; count(): number } {
  let count = 0;
  return { step: (name) => void (name === 'file read' && count++), count: () => count };
}

test('a release has the files, read-only, with executables, links and empty folders', async () => {
  const store = makeStore({ 'app.js': '1', 'bin/run': '#!/bin/sh', 'secret.env': 'x' });
  const { project } = store;
  chmodSync(project.path('bin/run'), 0o755);
  chmodSync(project.path('secret.env'), 0o600);
  mkdirSync(project.path('empty'));
  mkdirSync(project.path('node_modules/.pnpm/a@1/node_modules/a'), { recursive: true });
  symlinkSync('.pnpm/a@1/node_modules/a', project.path('node_modules/a'));
  symlinkSync('nowhere', project.path('dangling'));
  symlinkSync(project.path('app.js'), project.path('bin/absolute'));
  const { path } = await store.take();
  expect(contentsOf(path)).toEqual({
    'app.js': '444 1',
    'bin/': '',
    'bin/absolute': '→ ../app.js',
    'bin/run': '555 #!/bin/sh',
    dangling: '→ nowhere',
    'empty/': '',
    'node_modules/': '',
    'node_modules/.pnpm/': '',
    'node_modules/.pnpm/a@1/': '',
    'node_modules/.pnpm/a@1/node_modules/': '',
    'node_modules/.pnpm/a@1/node_modules/a/': '',
    'node_modules/a': '→ .pnpm/a@1/node_modules/a',
    'secret.env': '400 x',
  });
});

test('nothing of the folder is read, and the spare tree stays, where the release turns out not to be allowed', async () => {
  const store = makeStore({ 'app.js': 'one' });
  const { head } = await store.take();
  makeSpare(store.path, APP, head.id);
  store.project.write({ 'app.js': 'two' });
  const before = readdirSync(store.path, { recursive: true });
  const { step, count } = reads();
  const allowed = Promise.reject(refused('another rollout is under way', 'wait for it'));
  const shared = Promise.resolve([]); // The config was read by then.
  await expect(store.take({ allowed, shared, step })).rejects.toThrow('another rollout is under way');
  expect(count(), 'files read').toBe(0);
  expect(readdirSync(store.path, { recursive: true })).toEqual(before);
});

test('what happens to the folder afterwards does not reach the release', async () => {
  const store = makeStore({ 'app.js': 'one', 'lib/a.js': 'a' });
  const { path } = await store.take();
  store.project.write({ 'app.js': 'two', 'lib/b.js': 'b' });
  store.project.remove('lib/a.js');
  expect(contentsOf(path)).toEqual({ 'app.js': '444 one', 'lib/': '', 'lib/a.js': '444 a' });
});

test('only what has changed is read, and only new contents are stored; it says how much', async () => {
  const store = makeStore(Object.fromEntries([...Array(20).keys()].map((n) => [`f${n}.js`, `file ${n}`])));
  const first = await store.take();
  expect(changeOf(first)).toBe('20 files, 130 B');
  await store.settled();
  await store.take(); // Those that were new at the first reading are read once more.
  store.project.write({ 'f3.js': 'other', 'f4.js': 'file 5', 'new.js': 'new' });
  store.project.remove('f9.js');
  const { step, count } = reads();
  const second = await store.take({ step });
  expect(count(), 'files read').toBe(3);
  expect(changeOf(second)).toBe('3 of 20 files changed, 14 B, 1 removed');
  expect(second.storedBytes, 'the content of f5 is there already').toBe('othernew'.length);
  expect(lstatSync(join(second.path, 'f0.js')).ino).toBe(lstatSync(join(first.path, 'f0.js')).ino);
});

test('a change that keeps size and modification time is found, also right after the reading', async () => {
  const store = makeStore({ 'app.js': 'one' });
  const path = store.project.path('app.js');
  const { atime, mtime } = lstatSync(path);
  await store.take();
  const sameLooks = (text: string): void => {
    writeFileSync(path, text);
    utimesSync(path, atime, mtime);
  };
  sameLooks('two');
  expect(contentsOf((await store.take()).path)).toEqual({ 'app.js': '444 two' });
  await store.settled();
  await store.take();
  sameLooks('six');
  expect(contentsOf((await store.take()).path)).toEqual({ 'app.js': '444 six' });
});

test('the same tree is the same release, by another name of the folder and at another time', async () => {
  const store = makeStore({ 'app.js': 'one' });
  const first = await store.take();
  store.project.write({ 'app.js': 'two' });
  const second = await store.take();
  store.project.write({ 'app.js': 'one' });
  const third = await store.take({ message: 'back' });
  expect(third.head.id).toBe(first.head.id);
  expect(third).toMatchObject({ isKnown: true, previous: second.head.id, storedBytes: 0 });
  expect(changeOf(third)).toBe('1 of 1 file changed, 3 B, as in a release that is stored already');
  expect(changeOf(await store.take())).toBe('none of 1 file changed');
});

test('the git folder is left out, and the store where it lies in the folder', async () => {
  const store = makeStore({ 'app.js': '1', '.git/HEAD': 'ref', 'sub/.git': 'gitdir: x' });
  const inside = store.project.path('state/releases');
  mkdirSync(inside, { recursive: true });
  expect(contentsOf((await store.take({ store: inside })).path)).toEqual({
    'app.js': '444 1',
    'state/': '',
    'sub/': '',
  });
});

test('an object that somebody wrote into is made anew, and the damaged release found', async () => {
  const store = makeStore({ 'app.js': 'one', 'b.js': 'b' });
  await store.take();
  await store.settled();
  const first = await store.take();
  chmodSync(join(first.path, 'app.js'), 0o644);
  writeFileSync(join(first.path, 'app.js'), 'bad');
  chmodSync(join(first.path, 'app.js'), 0o444);
  expect(verifyRelease(store.path, APP, first.head.id)).toEqual(['app.js was written to']);
  store.project.write({ 'b.js': 'c' });
  const second = await store.take();
  expect(readFileSync(join(second.path, 'app.js'), 'utf8')).toBe('one');
  expect(verifyRelease(store.path, APP, second.head.id)).toEqual([]);
});

test('what somebody wrote into while there is a spare tree is found by the next one, and mended', async () => {
  const store = makeStore({ 'app.js': 'one', 'b.js': 'b' });
  await store.settled();
  const first = await store.take();
  makeSpare(store.path, APP, first.head.id);
  chmodSync(join(first.path, 'app.js'), 0o644);
  writeFileSync(join(first.path, 'app.js'), 'bad');
  chmodSync(join(first.path, 'app.js'), 0o444);
  store.project.write({ 'b.js': 'c' });
  const second = await store.take();
  expect(makeSpare(store.path, APP, second.head.id)).toEqual(['app.js']);
  store.project.write({ 'b.js': 'd' });
  const third = await store.take();
  expect(readFileSync(join(third.path, 'app.js'), 'utf8')).toBe('one');
  expect(verifyRelease(store.path, APP, third.head.id)).toEqual([]);
});

test('a spare tree that is there goes when somebody has written into it since', async () => {
  const store = makeStore({ 'app.js': 'one' });
  const { path, head } = await store.take();
  for (const left of [[head.id], [head.id], []]) {
    if (left.length === 0) {
      chmodSync(join(path, 'app.js'), 0o644);
      writeFileSync(join(path, 'app.js'), 'bad');
    }
    expect(makeSpare(store.path, APP, head.id)).toEqual(left.length === 0 ? ['app.js'] : []);
    expect(readdirSync(spareDir(store.path))).toEqual(left);
  }
});

test('where one content is found to be written into, a spare tree is no longer taken, and all are looked at', async () => {
  const store = makeStore({ 'app.js': 'one', 'b.js': 'b' });
  await store.settled();
  const first = await store.take();
  makeSpare(store.path, APP, first.head.id);
  for (const name of ['app.js', 'b.js']) {
    chmodSync(join(first.path, name), 0o644);
    writeFileSync(join(first.path, name), 'bad');
    chmodSync(join(first.path, name), 0o444);
  }
  store.project.write({ 'b.js': 'b', 'c.js': 'c' }); // Written anew, so it is read again.
  const second = await store.take();
  expect(contentsOf(second.path)).toEqual({ 'app.js': '444 one', 'b.js': '444 b', 'c.js': '444 c' });
  expect(verifyRelease(store.path, APP, second.head.id)).toEqual([]);
});

test('a release that was damaged makes way for a whole one, unless it is run; one that cannot be stored takes nothing away', async () => {
  const store = makeStore({ 'app.js': 'one' });
  await store.settled();
  const { path, head } = await store.take();
  rmSync(join(path, 'app.js'));
  await expect(store.take({ inUse: new Set([head.id]) })).rejects.toThrow('it is in use');
  const full = (name: string): void => {
    if (name === 'tree built') throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  };
  await expect(store.take({ step: full })).rejects.toThrow('no room is left');
  expect(readManifest(store.path, head.id).head.id, 'it is there still').toBe(head.id);
  expect((await store.take()).head.id).toBe(head.id);
  expect(verifyRelease(store.path, APP, head.id)).toEqual([]);
});

test('whoever waits for the event loop has its turn while a folder is read', async () => {
  const store = makeStore(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`${n}.js`, String(n)])));
  let read = 0;
  let readThen = -1;
  setImmediate(() => {
    readThen = read;
  });
  await store.take({
    step(name) {
      if (name === 'file read' && ++read === 5) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    },
  });
  expect({ readThen, read }).toEqual({ readThen: 5, read: 9 });
});

test('a large file is stored as it is, and once', async () => {
  const text = 'x'.repeat(9 * 1024 * 1024 + 5);
  const store = makeStore({ 'a.bin': text, 'b.bin': text });
  const { path, storedBytes, head } = await store.take();
  expect(storedBytes).toBe(text.length);
  expect(readFileSync(join(path, 'b.bin'), 'utf8') === text).toBe(true);
  expect(verifyRelease(store.path, APP, head.id)).toEqual([]);
});

describe('shared folders', () => {
  test('lie beside the releases, begin with what the folder has, and are one in all releases', async () => {
    const store = makeStore({ 'app.js': 'one', 'uploads/a.png': 'A' });
    const shared = ['.cache/x', 'uploads'];
    const first = await store.take({ shared });
    expect(first.warnings.join()).toContain('uploads was copied to');
    expect(readFileSync(join(first.path, 'uploads/a.png'), 'utf8')).toBe('A');
    writeFileSync(join(first.path, 'uploads/b.png'), 'B');
    writeFileSync(join(first.path, '.cache/x/c'), 'C');
    store.project.write({ 'app.js': 'two', 'uploads/late.png': 'L' });
    const second = await store.take({ shared });
    expect(second.warnings).toEqual([]);
    expect(readFileSync(join(second.path, 'uploads/b.png'), 'utf8')).toBe('B');
    expect(readFileSync(join(second.path, '.cache/x/c'), 'utf8')).toBe('C');
    expect(() => readFileSync(join(second.path, 'uploads/late.png'))).toThrow('ENOENT');
    expect(verifyRelease(store.path, APP, second.head.id)).toEqual([]);
  });

  test('that the config names since the last deploy are read for nothing, and stored nowhere else', async () => {
    const store = makeStore({ 'app.js': 'one' });
    await store.take();
    const contents = (): string[] =>
      Object.keys(contentsOf(objectsDir(store.path))).filter((name) => !name.endsWith('/'));
    const before = contents();
    store.project.write({ 'uploads/a.png': 'A' });
    const { storedBytes } = await store.take({ shared: Promise.resolve(['uploads']) });
    expect(storedBytes).toBe(0);
    expect(contents()).toEqual(before);
  });

  test('are copied without what cannot be: a fifo, say, that a process waits at', async () => {
    const store = makeStore({ 'app.js': 'one', 'uploads/a.png': 'A' });
    execFileSync('mkfifo', [store.project.path('uploads/queue')]);
    const { path } = await store.take({ shared: ['uploads'] });
    expect(contentsOf(join(path, 'uploads'))).toEqual({ 'a.png': '644 A' });
  });

  test('one that is a link already keeps its place, also out of the folder', async () => {
    const store = makeStore({ 'app.js': 'one' });
    const elsewhere = makeStore({ 'a.png': 'A' }).project.folder;
    symlinkSync(elsewhere, store.project.path('uploads'));
    const { path } = await store.take({ shared: ['uploads'] });
    expect(contentsOf(path)).toEqual({ 'app.js': '444 one', uploads: `→ ${elsewhere}` });
  });
});
