/** What stays in a store and what goes: bounded by `keep`, never what is run or was good, and nothing that a release needs. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noteGood, noteNext, passOver, readCurrent, readNext, readPrevious } from '../../src/releases/current.js';
import { clearFailed, hasFailed, noteFailed } from '../../src/releases/failed.js';
import { releasesInUse } from '../../src/releases/in-use.js';
import { objectsDir, spareDir } from '../../src/releases/layout.js';
import { pruneReleases } from '../../src/releases/prune.js';
import { makeSpare } from '../../src/releases/spare.js';
import { listReleases } from '../../src/releases/store.js';
import { verifyRelease } from '../../src/releases/verify.js';
import { releasesDir } from '../../src/shared/paths.js';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Store } from '../helpers/store.js';
import { APP, contentsOf, makeStore } from '../helpers/store.js';
import { until } from '../helpers/until.js';

const idsOf = (store: Store): string[] => listReleases(store.path).map(({ id }) => id);

/** Each with a file of its own, one that changes, and one that stays. */
async function deploy(store: Store, times: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < times; n++) {
    store.project.write({ 'changes.js': `${n} of ${idsOf(store).join()}`, [`own${n}.js`]: `own ${n}` });
    ids.unshift((await store.take()).head.id);
  }
  return ids;
}

const objectCount = (store: Store): number =>
  readdirSync(objectsDir(store.path)).flatMap((name) => readdirSync(join(objectsDir(store.path), name))).length;

test('the newest stay, and contents that only older ones had go', async () => {
  const store = makeStore({ 'stays.js': 'stays' });
  const ids = await deploy(store, 4);
  expect(objectCount(store)).toBe(1 + 4 + 4);
  expect(pruneReleases(store.path, 2, new Set())).toEqual(ids.slice(2));
  expect(idsOf(store)).toEqual(ids.slice(0, 2));
  expect(objectCount(store), 'stays, two that changed, four own ones').toBe(1 + 2 + 4);
  for (const id of idsOf(store)) expect(verifyRelease(store.path, APP, id)).toEqual([]);
  expect(pruneReleases(store.path, 2, new Set())).toEqual([]);
});

test('never one that is in use, nor the one that was good last', async () => {
  const state = temporaryFolder();
  const store = makeStore({}, releasesDir(state, APP));
  const ids = await deploy(store, 4);
  noteGood(state, APP, { id: ids[3]! });
  expect(pruneReleases(store.path, 1, new Set([ids[1]!]))).toEqual([ids[2]]);
  expect(idsOf(store)).toEqual([ids[0], ids[1], ids[3]]);
});

describe('releases that have failed', () => {
  test('go before the others, however old those are', async () => {
    const store = makeStore({});
    const good = await deploy(store, 3);
    const failed = await deploy(store, 3);
    for (const id of failed) noteFailed(store.path, id, 'it threw');
    expect(pruneReleases(store.path, 3, new Set()), 'the newest is kept for a look').toEqual(failed.slice(1));
    expect(idsOf(store)).toEqual([failed[0], ...good]);
  });

  test('stay where there is room, and where they are in use', async () => {
    const store = makeStore({});
    const good = await deploy(store, 1);
    const failed = await deploy(store, 4);
    for (const id of failed) noteFailed(store.path, id, 'it threw');
    expect(pruneReleases(store.path, 3, new Set([failed[3]!]))).toEqual([failed[2]]);
    expect(idsOf(store)).toEqual([failed[0], failed[1], failed[3], ...good]);
  });

  test('one that is being brought in takes the room of no good one: it may fail yet', async () => {
    const store = makeStore({});
    const ids = await deploy(store, 4);
    expect(pruneReleases(store.path, 3, new Set(), ids[0]!)).toEqual([]);
    expect(pruneReleases(store.path, 2, new Set(), ids[0]!)).toEqual([ids[3]]);
  });

  test('are as the others once they have proven themselves; what was good last or before that is none of them', async () => {
    const state = temporaryFolder();
    const store = makeStore({}, releasesDir(state, APP));
    const [third, second, first] = (await deploy(store, 3)) as [string, string, string];
    for (const id of [first, second]) noteGood(state, APP, { id });
    for (const id of [first, second, third]) noteFailed(store.path, id, 'it threw');
    expect([first, second, third].map((id) => hasFailed(store.path, id))).toEqual([false, false, true]);
    clearFailed(store.path, third);
    expect(hasFailed(store.path, third)).toBe(false);
    noteFailed(store.path, '0'.repeat(8), 'it has gone meanwhile');
  });
});

test('50 deploys leave the store as large as 5 do', async () => {
  const store = makeStore({ 'stays.js': 'stays' });
  const counts: number[] = [];
  for (let n = 0; n < 50; n++) {
    store.project.write({ 'changes.js': String(n) });
    const { head } = await store.take();
    pruneReleases(store.path, 5, new Set());
    makeSpare(store.path, APP, head.id);
    counts.push(objectCount(store));
  }
  expect(idsOf(store)).toHaveLength(5);
  expect(counts.at(-1)).toBe(6);
  expect(readdirSync(spareDir(store.path))).toHaveLength(1);
});

test('a release made of the spare tree is as one that was put together', async () => {
  const store = makeStore({ 'a/b/c.js': 'c', 'a/d.js': 'd', e: 'file', 'f/g.js': 'g', 'h.js': 'h' });
  symlinkSync('h.js', store.project.path('link'));
  const first = await store.take({ shared: ['cache'] });
  makeSpare(store.path, APP, first.head.id);
  const { project } = store;
  project.remove('a/b/c.js');
  execFileSync('rmdir', [project.path('a/b')]);
  project.remove('e');
  mkdirSync(project.path('e')); // A file has become a folder,
  execFileSync('rm', ['-r', project.path('f')]);
  writeFileSync(project.path('f'), 'file'); // a folder a file,
  project.remove('h.js');
  symlinkSync('a', project.path('h.js')); // a file a link,
  project.link('link', 'e'); // a link another one.
  project.write({ 'new/deep/x.js': 'x' });
  execFileSync('chmod', ['711', project.path('a')]);
  execFileSync('chmod', ['755', project.path('a/d.js')]);
  const ino = execFileSync('stat', ['-c', '%i', join(spareDir(store.path), first.head.id, APP)], { encoding: 'utf8' });
  const second = await store.take({ shared: ['cache'] });
  expect(execFileSync('stat', ['-c', '%i', second.path], { encoding: 'utf8' }), 'it is the spare').toBe(ino);
  expect(contentsOf(second.path)).toEqual({
    'a/': '',
    'a/d.js': '555 d',
    cache: '→ ../../shared/cache',
    'e/': '',
    f: '444 file',
    'h.js': '→ a',
    link: '→ e',
    'new/': '',
    'new/deep/': '',
    'new/deep/x.js': '444 x',
  });
  expect(execFileSync('stat', ['-c', '%a', join(second.path, 'a')], { encoding: 'utf8' })).toBe('711\n');
  expect(verifyRelease(store.path, APP, second.head.id)).toEqual([]);
  expect(contentsOf(first.path)['a/d.js'], 'the release before is untouched').toBe('444 d');
});

test('the pointer to the last good release is one of them, or none', async () => {
  const state = temporaryFolder();
  const store = makeStore({}, releasesDir(state, APP));
  expect(readCurrent(store.path)).toBeNull();
  const [newer, older] = (await deploy(store, 2)) as [string, string];
  for (const id of [older, newer, newer]) {
    noteGood(state, APP, { id });
    expect(readCurrent(store.path)).toBe(id);
    expect(existsSync(join(store.path, 'current', 'changes.js')), 'it leads to the tree').toBe(true);
  }
  noteGood(state, APP, null);
  expect(readCurrent(store.path)).toBeNull();
  expect(readdirSync(dirname(join(store.path, 'current'))).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('one that is left for its crashes is no way back, good as it was', async () => {
  const state = temporaryFolder();
  const store = makeStore({}, releasesDir(state, APP));
  const [crashes, good, older] = (await deploy(store, 3)) as [string, string, string];
  for (const id of [older, good, crashes]) noteGood(state, APP, { id });
  noteGood(state, APP, { id: good }, true);
  expect(readCurrent(store.path)).toBe(good);
  expect(readPrevious(store.path), 'it is what serves').toBe(good);
});

test('one that is to be tried next is not good yet: it stays until it has proven itself, or is passed over', async () => {
  const state = temporaryFolder();
  const store = makeStore({}, releasesDir(state, APP));
  const [, bad, better, good] = (await deploy(store, 4)) as [string, string, string, string];
  const pointers = () => ({
    current: readCurrent(store.path),
    previous: readPrevious(store.path),
    next: readNext(store.path),
  });
  noteGood(state, APP, { id: good });
  noteNext(state, APP, { id: bad });
  expect(pointers()).toEqual({ current: good, previous: null, next: bad });
  expect(passOver(state, APP, { id: good }), 'another one').toBe(false);
  expect(passOver(state, APP, { id: bad })).toBe(true);
  expect(pointers()).toEqual({ current: good, previous: null, next: null });
  noteNext(state, APP, { id: better });
  expect(pruneReleases(store.path, 1, new Set())).toEqual([bad]);
  noteGood(state, APP, { id: better });
  expect(pointers()).toEqual({ current: better, previous: good, next: null });
  noteNext(state, APP, { id: good });
  noteGood(state, APP, { id: better });
  expect(pointers(), 'somebody has started another one').toEqual({ current: better, previous: good, next: null });
});

test('in use is what the environment of a process names, of this app alone', async () => {
  const app = `app-${process.pid}`;
  const env = { ...process.env, ZDSUP_APP: app, ZDSUP_RELEASE: 'abcd1234' };
  const child = spawn('sleep', ['60'], { env });
  onTestFinished(() => killOwn(child.pid));
  await until('it runs', () => releasesInUse(app).size);
  expect(releasesInUse(app)).toEqual(new Set(['abcd1234']));
  expect(releasesInUse(`${app}-other`)).toEqual(new Set());
});
