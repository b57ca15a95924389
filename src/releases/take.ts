/**
 * Runs in the CLI, by itself in the store: whoever calls holds its lock. Takes a release of a folder: reads what has changed since the
 * last one, and puts the tree together of hard links; all of it while the config is still being read, but for the last step. A release appears by one rename, whole and on the disk; whatever ends
 * this before leaves the store as it was, but for what lies in its `tmp`.
 */
import { existsSync, mkdirSync, renameSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isZdsupError } from '../shared/errors.js';
import { broken, told, Unsteady, unsteady } from './failure.js';
import { manifestPath, objectsDir, temporaryDir, treePath } from './layout.js';
import type { Entry, FileEntry, Head, Label, Manifest } from './manifest.js';
import { encode, treeHash } from './manifest.js';
import { fsyncPath, NewObjects, sweepObjects, syncPath } from './objects.js';
import type { Look, Seen } from './scan.js';
import { scan } from './scan.js';
import { seedShared } from './shared-folders.js';
import { hasSpare, removeSpares, takeSpare } from './spare.js';
import type { Latest } from './store.js';
import { readHead, readLatest } from './store.js';
import { buildTree, changeTree } from './tree.js';
import { isWhole } from './verify.js';

/** How often a folder that changes under the eyes is read. */
const TRIES = 3;
/** What changes in so short a time is caught file by file; after a longer reading the folder is looked at once more, in ms. */
const LONG_READ_MS = 500;
const PAUSE_MS = 50;
/** So often the event loop turns while a folder is read, in ms: whoever interrupts is heard. */
const TURN_EVERY_MS = 100;
const ID_DIGITS = 8;

export interface TakeRequest {
  store: string;
  app: string;
  /** Real path of the folder. */
  source: string;
  /** The same, as it is known. */
  logical: string;
  from: string;
  /** Of the config; it may still be read while the folder is. */
  shared: readonly string[] | Promise<readonly string[]>;
  /** The app's log files, absolute and real: they are no part of a release. */
  logs: readonly string[];
  label: Label | null | Promise<Label | null>;
  message: string | null;
  /** Releases that processes run from. */
  inUse: ReadonlySet<string>;
  /** Nothing of the folder is put into the store before it settles; where it rejects, so does this. @default at once */
  allowed?: Promise<unknown>;
  /** Where whoever calls has read it, under the same lock. @default it is read now */
  last?: Latest;
  /** Told what is done next: a test ends the process there. */
  step?(name: string): void;
}

export interface Taken {
  head: Head;
  /** Of the tree. */
  path: string;
  /** Files that are new or other ones than in the release before, and those that it had and this has not. */
  changed: number;
  changedBytes: number;
  removed: number;
  /** What the store has grown by, in bytes of contents. */
  storedBytes: number;
  /** The release before, null where there is none that can be read. */
  previous: string | null;
  /** The store has had this very tree. */
  isKnown: boolean;
  warnings: string[];
}

/** @throws ZdsupError ZDSUP_DEPLOY_REFUSED, ZDSUP_DEPLOY_FAILED, ZDSUP_RELEASE_BROKEN; nothing of it is left then */
export async function takeRelease(request: TakeRequest): Promise<Taken> {
  const { store } = request;
  const staging = join(temporaryDir(store), String(process.pid));
  try {
    clearLeftovers(store);
    mkdirSync(objectsDir(store), { recursive: true, mode: 0o700 });
    mkdirSync(staging, { recursive: true, mode: 0o700 });
    return await takeInto(staging, request);
  } catch (error) {
    removeQuietly(staging);
    sweepQuietly(store);
    throw told(error, store);
  } finally {
    removeQuietly(staging);
  }
}

/** Of a deploy that was killed, or is about to end in the middle: what it had begun, and contents that no release has. */
export function clearLeftovers(store: string): void {
  if (!existsSync(temporaryDir(store))) return;
  rmSync(temporaryDir(store), { recursive: true, force: true });
  if (existsSync(objectsDir(store))) sweepObjects(store);
}

function removeQuietly(staging: string): void {
  try {
    rmdirSync(staging);
    rmdirSync(dirname(staging)); // Mostly they are empty, and Node's own recursion would have to be loaded.
  } catch {
    removeTree(dirname(staging));
  }
}

function removeTree(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A disk that takes nothing: the next deploy removes it.
  }
}

/** A release that has come to nothing may have contents in the store already. */
function sweepQuietly(store: string): void {
  try {
    sweepObjects(store);
  } catch {
    // As above; one that is pruned does so as well.
  }
}

async function takeInto(staging: string, request: TakeRequest): Promise<Taken> {
  const { store, app, step = () => {} } = request;
  // What is not other than in it is not read again.
  const { manifest: before, warnings } = request.last ?? readLatest(store);
  const work: Work = { request, staging, before, objects: new NewObjects(store, staging), step };
  step('begun');
  const ready = (await prepareAhead(work)) ?? (await prepare(work, await request.shared));
  const { manifest, sockets } = ready;
  const { head, entries } = manifest;
  if (sockets.length > 0)
    warnings.push(
      `left out: ${sockets[0]}${sockets.length > 1 ? ` and ${sockets.length - 1} more` : ''}, no file but a socket`,
    );
  warnings.push(...seedShared(store, request.source, head.shared, step));
  if (ready.release === null) renew(staging, store, head.id, step);
  else publish(ready.release, staging, store, head.id, step);
  return {
    head,
    path: treePath(store, app, head.id),
    ...compare(before, entries),
    storedBytes: ready.storedBytes,
    previous: before?.head.id ?? null,
    isKnown: ready.isKnown,
    warnings,
  };
}

/** What a deploy has at hand. */
interface Work {
  request: TakeRequest;
  staging: string;
  /** The release that was deployed last. */
  before: Manifest | null;
  objects: NewObjects;
  step(name: string): void;
}

/** All but in its place. */
interface Ready {
  manifest: Manifest;
  /** A folder with tree and manifest; null where the store has the tree, and only the manifest is a new one. */
  release: string | null;
  isKnown: boolean;
  storedBytes: number;
  sockets: string[];
}

/**
 * While the config is read, the release is made: as if the shared folders were those of the last one. What fails by that is no failure.
 * @returns null where they are others
 */
async function prepareAhead(work: Work): Promise<Ready | null> {
  const { request, before, staging } = work;
  const guess = before?.head.shared;
  if (!guess || !(request.shared instanceof Promise)) return null;
  const ready = await prepare(work, guess).catch((error: unknown) => {
    if (!isZdsupError(error)) throw error;
    return null;
  });
  const shared = await request.shared;
  if (guess.length === shared.length && guess.every((one, index) => one === shared[index])) return ready;
  // What has just been read may lie in a folder that is shared from now on.
  rmSync(join(staging, 'release'), { recursive: true, force: true });
  sweepObjects(request.store);
  return null;
}

async function prepare(work: Work, shared: readonly string[]): Promise<Ready> {
  const { request, staging, before, objects, step } = work;
  const { store, app } = request;
  const isLookedAt = before !== null && hasSpare(store, before.head.id);
  let { entries, sockets } = await read(request, shared, before, objects, isLookedAt, step);
  if (before && objects.mends(before.entries)) {
    removeSpares(store); // It has what was lost or written into.
    if (isLookedAt) ({ entries, sockets } = await read(request, shared, before, objects, false, step));
  }
  const tree = treeHash(entries);
  const storedBytes = await objects.publish(entries);
  step('objects published');
  const { id, isKnown } = idOf(store, tree);
  const files = entries.filter((entry) => entry.kind === 'file');
  const head: Head = {
    id,
    tree,
    app,
    source: request.logical,
    from: request.from,
    deployedAt: new Date().toISOString(),
    label: await request.label,
    message: request.message,
    shared: [...shared],
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
  const manifest: Manifest = { head, entries };
  const ready = { manifest, isKnown, storedBytes, sockets };
  if (isKnown && isWhole(treePath(store, app, id), entries)) {
    await writeDurably(staging, 'manifest', manifest);
    step('manifest written');
    return { ...ready, release: null };
  }
  if (isKnown && request.inUse.has(id)) throw runsDamaged(id);
  const release = build(work, entries);
  await writeDurably(release, '.manifest', manifest);
  step('manifest written');
  return { ...ready, release };
}

interface Found {
  entries: Entry[];
  sockets: string[];
}

/**
 * Looks and reads until a look finds the folder as it was read.
 * @param isLookedAt the contents of the release before need no look
 */
async function read(
  request: TakeRequest,
  shared: readonly string[],
  before: Manifest | null,
  objects: NewObjects,
  isLookedAt: boolean,
  step: (name: string) => void,
): Promise<Found> {
  const { store, source, logical } = request;
  const known = new Map<string, FileEntry>();
  for (const entry of before?.entries ?? []) if (entry.kind === 'file') known.set(entry.path, entry);
  let lastUnsteady = '';
  for (let tried = 0; tried < TRIES; tried++) {
    const startedAt = performance.now();
    try {
      const { seen, sockets } = scan(source, logical, { shared, leaveOut: [store], logs: request.logs });
      step('scanned');
      await request.allowed;
      const entries: Entry[] = [];
      let turnedAt = startedAt;
      for (const one of seen) {
        entries.push(entryOf(one, request, known, objects, isLookedAt, step));
        if (performance.now() - turnedAt < TURN_EVERY_MS) continue;
        await new Promise(setImmediate);
        turnedAt = performance.now();
      }
      const isLast = tried === TRIES - 1;
      objects.beginFlush();
      if (isLast || performance.now() - startedAt < LONG_READ_MS) return { entries, sockets };
      lastUnsteady = '';
    } catch (error) {
      if (!(error instanceof Unsteady)) throw error;
      lastUnsteady = error.message;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
  throw unsteady(lastUnsteady, TRIES);
}

function entryOf(
  seen: Seen,
  { source }: TakeRequest,
  known: Map<string, FileEntry>,
  objects: NewObjects,
  isLookedAt: boolean,
  step: (name: string) => void,
): Entry {
  if (seen.kind !== 'file') return seen;
  const last = known.get(seen.path);
  if (last && isUntouched(last, seen.look) && (isLookedAt || objects.has(last))) return last;
  const entry = objects.add(seen.path, `${source}/${seen.path}`, seen.look);
  known.set(seen.path, entry);
  step('file read');
  return entry;
}

const isUntouched = ({ size, source }: FileEntry, look: Look): boolean =>
  source !== null &&
  look.size === size &&
  look.ino === source[0] &&
  look.mtimeMs === source[1] &&
  look.ctimeMs === source[2];

function compare(
  before: Manifest | null,
  entries: readonly Entry[],
): Pick<Taken, 'changed' | 'changedBytes' | 'removed'> {
  const left = new Map<string, FileEntry>();
  for (const entry of before?.entries ?? []) if (entry.kind === 'file') left.set(entry.path, entry);
  let changed = 0;
  let changedBytes = 0;
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    const last = left.get(entry.path);
    left.delete(entry.path);
    if (last?.hash === entry.hash && last.mode === entry.mode) continue;
    changed += 1;
    changedBytes += entry.size;
  }
  return { changed, changedBytes, removed: left.size };
}

/** As short as the ids of a folder edited in place; longer only where another tree begins so too. */
function idOf(store: string, tree: string): { id: string; isKnown: boolean } {
  for (let digits = ID_DIGITS; ; digits++) {
    const id = tree.slice(0, digits);
    if (!existsSync(join(store, id))) return { id, isKnown: false };
    if (isOf(store, id, tree)) return { id, isKnown: true };
  }
}

function isOf(store: string, id: string, tree: string): boolean {
  try {
    return readHead(store, id).tree === tree;
  } catch {
    return true; // Its manifest is damaged: it is made anew.
  }
}

/** The same tree once more: its manifest tells of this deploy, and how the folder looks now. */
function renew(staging: string, store: string, id: string, step: (name: string) => void): void {
  const place = manifestPath(store, id);
  renameSync(join(staging, 'manifest'), place);
  fsyncPath(dirname(place));
  step('published');
}

/** One that was damaged makes way for a whole one, unless it is run. */
const runsDamaged = (id: string): Error =>
  broken(
    id,
    'what it holds is no longer what was deployed, and it is in use',
    'zdsup releases --verify says what; deploy any change, and it makes way',
  );

/** @returns a folder with the tree in it */
function build({ request: { store, app }, staging, before, step }: Work, entries: readonly Entry[]): string {
  const release = join(staging, 'release');
  const tree = join(release, app);
  if (before && takeSpare(store, before.head.id, release)) {
    step('tree begun');
    changeTree(store, tree, before.entries, entries);
  } else {
    step('tree begun');
    buildTree(store, app, release, entries);
  }
  step('tree built');
  return release;
}

/** It appears by one rename. */
function publish(release: string, staging: string, store: string, id: string, step: (name: string) => void): void {
  const place = join(store, id);
  if (existsSync(place)) renameSync(place, join(staging, 'damaged'));
  renameSync(release, place);
  fsyncPath(store);
  step('published');
}

/** Settles when the manifest, and its name in the folder, are on the disk. */
async function writeDurably(folder: string, name: string, manifest: Manifest): Promise<void> {
  const path = join(folder, name);
  writeFileSync(path, encode(manifest), { mode: 0o600 });
  // Kernels keep time in ticks: of two that follow each other at once the later one is to be the later one.
  const at = new Date(manifest.head.deployedAt);
  utimesSync(path, at, at);
  await Promise.all([path, folder].map(syncPath));
}
