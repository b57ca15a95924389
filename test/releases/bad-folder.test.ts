/** What a release cannot hold, or a disk does not take, is one clear error, and the store is as it was. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { manifestPath } from '../../src/releases/layout.js';
import { findRelease, listReleases, readManifest } from '../../src/releases/store.js';
import type { TakeRequest } from '../../src/releases/take.js';
import { toReport } from '../../src/shared/errors.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Store } from '../helpers/store.js';
import { APP, contentsOf, makeStore } from '../helpers/store.js';

/** The error, once it is sure that what was stored before is all that is stored. */
async function failureOf(
  store: Store,
  options: Partial<TakeRequest> = {},
): Promise<{ code: string; message: string; hint?: string }> {
  const before = contentsOf(store.path);
  let failure: unknown;
  try {
    await store.take(options);
  } catch (error) {
    failure = error;
  }
  expect(failure, 'it fails').toBeDefined();
  const after = contentsOf(store.path);
  // Contents that no release has may stay until the next deploy.
  for (const name of Object.keys(after)) if (name.startsWith('objects/') && !(name in before)) delete after[name];
  delete after['objects/'];
  delete before['objects/'];
  expect(after).toEqual(before);
  return toReport(failure);
}

describe('a folder that has', () => {
  test.for([
    ['a relative link out of it', '../outside'],
    ['an absolute link out of it', '/etc/hostname'],
    ['a link to the folder above', '..'],
  ] as const)('%s is refused', async ([, target]) => {
    const store = makeStore({ 'app.js': '1', 'lib/a.js': '' });
    symlinkSync(target, store.project.path('out'));
    const { code, message, hint } = await failureOf(store);
    expect(code).toBe('ZDSUP_DEPLOY_REFUSED');
    expect(message).toContain(`a link leads out of ${store.project.folder}: out → ${target}`);
    expect(hint).toContain('deploy its root');
  });

  test('a link that leads out of a folder in it, and not out of it, is none of them', async () => {
    const store = makeStore({ 'packages/a/index.js': 'a', 'packages/b/index.js': 'b' });
    mkdirSync(store.project.path('packages/a/node_modules'));
    symlinkSync('../../b', store.project.path('packages/a/node_modules/b'));
    symlinkSync(store.project.path('packages'), store.project.path('all'));
    expect(contentsOf((await store.take()).path)).toMatchObject({
      'packages/a/node_modules/b': '→ ../../b',
      all: '→ packages',
    });
  });

  test('a fifo is refused, and not waited for', async () => {
    const store = makeStore({ 'app.js': '1' });
    execFileSync('mkfifo', [store.project.path('queue')]);
    const { code, message } = await failureOf(store);
    expect(code).toBe('ZDSUP_DEPLOY_REFUSED');
    expect(message).toContain(`${store.project.path('queue')} is a fifo`);
  });

  test('a socket is taken without it, with a warning', async () => {
    const store = makeStore({ 'app.js': '1' });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(store.project.path('app.sock'), resolve));
    onTestFinished(() => void server.close());
    const { path, warnings } = await store.take();
    expect(contentsOf(path)).toEqual({ 'app.js': '444 1' });
    expect(warnings).toEqual(['left out: app.sock, no file but a socket']);
  });

  test('a name that is not UTF-8 is refused', async () => {
    const store = makeStore({ 'app.js': '1' });
    writeFileSync(Buffer.concat([Buffer.from(`${store.project.folder}/a`), Buffer.from([0xff])]), '');
    expect((await failureOf(store)).message).toContain('is not UTF-8');
  });
});

describe('a file', () => {
  test('that changes while it is read is read again', async () => {
    const store = makeStore({ 'a.js': 'old', 'b.js': 'b' });
    let looks = 0;
    const { path } = await store.take({
      step: (name) => void (name === 'scanned' && looks++ === 0 && store.project.write({ 'a.js': 'newer' })),
    });
    expect(contentsOf(path)).toEqual({ 'a.js': '444 newer', 'b.js': '444 b' });
  });

  test('that vanishes while it is read is not in the release', async () => {
    const store = makeStore({ 'a.js': 'a', 'b.js': 'b' });
    let looks = 0;
    const { path } = await store.take({
      step: (name) => void (name === 'scanned' && looks++ === 0 && store.project.remove('a.js')),
    });
    expect(contentsOf(path)).toEqual({ 'b.js': '444 b' });
  });

  test('that becomes a link while it is read is not followed', async () => {
    const store = makeStore({ 'a.js': 'a', 'b.js': 'b' });
    let looks = 0;
    const becomeLink = (): void => store.project.link('a.js', '/etc/hostname');
    const { message } = await failureOf(store, {
      step: (name) => void (name === 'scanned' && looks++ === 0 && becomeLink()),
    });
    expect(message).toContain('a link leads out of');
  });

  test('that changes each time is one error', async () => {
    const store = makeStore({ 'log.txt': '', 'a.js': '' });
    const { code, message, hint } = await failureOf(store, {
      step: (name) => void (name === 'scanned' && appendFileSync(store.project.path('log.txt'), 'line\n')),
    });
    expect(code).toBe('ZDSUP_DEPLOY_FAILED');
    expect(message).toContain(`${store.project.path('log.txt')} changed or vanished each of the 3 times`);
    expect(hint).toContain('shared');
  });

  test('of several that vanish one after the other is one error', async () => {
    const store = makeStore({ 'a.js': '', 'b.js': '', 'c.js': '', 'd.js': '' });
    const left = ['a.js', 'b.js', 'c.js', 'd.js'];
    const { code, message } = await failureOf(store, {
      step: (name) => void (name === 'scanned' && store.project.remove(left.shift()!)),
    });
    expect(code).toBe('ZDSUP_DEPLOY_FAILED');
    expect(message).toContain('c.js changed or vanished');
  });
});

describe('a disk', () => {
  const full = (): never => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  };

  test.for(['file read', 'objects published', 'tree begun', 'tree built', 'manifest written'])(
    'that is full at "%s" is one error, and the next deploy is whole',
    async (at) => {
      const store = makeStore({ 'app.js': 'one' });
      await store.take();
      store.project.write({ 'app.js': 'two', 'b.js': 'b' });
      const { code, message } = await failureOf(store, { step: (name) => void (name === at && full()) });
      expect(code).toBe('ZDSUP_DEPLOY_FAILED');
      expect(message).toContain(`no room is left for the release in ${store.path} (ENOSPC)`);
      expect(contentsOf((await store.take()).path)).toEqual({ 'app.js': '444 two', 'b.js': '444 b' });
    },
  );

  test.skipIf(!canMount())(
    'of 1 MB is full with 2 MB: nothing of the release is left, and a smaller one fits',
    async () => {
      const disk = temporaryFolder();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
      onTestFinished(() => void execFileSync('umount', [disk]));
      const store = makeStore({ 'app.js': 'one' }, join(disk, 'store'));
      await store.take();
      for (let n = 0; n < 200; n++) store.project.write({ [`f${n}.bin`]: String(n).padEnd(10_000) });
      expect((await failureOf(store)).message).toContain('no room is left');
      for (let n = 20; n < 200; n++) store.project.remove(`f${n}.bin`);
      expect((await store.take()).head.files).toBe(21);
    },
  );
});

function canMount(): boolean {
  if (process.geteuid?.() !== 0) return false;
  try {
    // In a namespace of its own, that goes with the process.
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a manifest', () => {
  const damages: [string, (text: string) => string][] = [
    ['empty', () => ''],
    ['torn', (text) => text.slice(0, text.length / 2)],
    ['edited', (text) => text.replace('app.js', 'bad.js')],
    ['no manifest at all', () => 'hello\n'],
  ];

  test.for(damages)('that is %s is told, and the next deploy reads everything again', async ([, damage]) => {
    const store = makeStore({ 'app.js': 'one' });
    const { head } = await store.take();
    const path = manifestPath(store.path, head.id);
    const { id } = listReleases(store.path)[0]!;
    const text = execFileSync('cat', [path], { encoding: 'utf8' });
    rmSync(path);
    writeFileSync(path, damage(text));
    expect(() => readManifest(store.path, id)).toThrow(`release ${id} is damaged: its manifest ${path}: it `);
    expect(() => findRelease(store.path, APP, id)).toThrow('is damaged');
    const again = await store.take();
    expect(again.warnings).toEqual([expect.stringContaining(`release ${id} is damaged`)]);
    expect(again).toMatchObject({ head: { id }, previous: null });
    expect(readManifest(store.path, id).head.files).toBe(1);
  });
});

test('a release is found by its id or a begin of it; another one is one error that names those that are there', async () => {
  const store = makeStore({ 'app.js': 'one' });
  expect(() => findRelease(store.path, APP, 'abcd1234')).toThrow('shop has no release abcd1234: none was deployed');
  const { head, path } = await store.take();
  const found = { id: head.id, path, from: head.from };
  expect(findRelease(store.path, APP, head.id)).toEqual(found);
  expect(findRelease(store.path, APP, head.id.slice(0, 4))).toEqual(found);
  expect(() => findRelease(store.path, APP, 'nope')).toThrow(`shop has no release nope; it has ${head.id}`);
});
