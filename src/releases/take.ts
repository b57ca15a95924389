/**
 * Runs in the CLI, by itself in the store: whoever calls holds its lock. Takes a release of a folder: reads what has changed since the
 * last one, and puts the tree together of hard links. A release appears by one rename, whole and on the disk; whatever ends
 * this before leaves the store as it was, but for what lies in its `tmp`.
 */
import type { Stats } from 'node:fs';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isZdsupError } from '../shared/errors.js';
import { broken, told, Unsteady, unsteady } from './failure.js';
import { manifestPath, objectsDir, temporaryDir, treePath } from './layout.js';
import type { Entry, FileEntry, Head, Label, Manifest } from './manifest.js';
import { encode, treeHash } from './manifest.js';
import { fsyncPath, NewObjects, sweepObjects } from './objects.js';
import type { Seen } from './scan.js';
import { scan } from './scan.js';
import { seedShared } from './shared-folders.js';
import { takeSpare } from './spare.js';
import { listReleases, readHead, readManifest } from './store.js';
import { buildTree, changeTree } from './tree.js';
import { isWhole } from './verify.js';

/** How often a folder that changes under the eyes is read. */
const TRIES = 3;
/** What changes in so short a time is caught file by file; after a longer reading the folder is looked at once more, in ms. */
const LONG_READ_MS = 500;
const PAUSE_MS = 50;
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
  label: Label | null | Promise<Label | null>;
  message: string | null;
  /** Releases that processes run from. */
  inUse: ReadonlySet<string>;
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
    throw told(error, store);
  } finally {
    removeQuietly(staging);
  }
}

/** Of a deploy that was killed: what it had begun, and contents that no release has. */
function clearLeftovers(store: string): void {
  if (!existsSync(temporaryDir(store))) return;
  rmSync(temporaryDir(store), { recursive: true, force: true });
  if (existsSync(objectsDir(store))) sweepObjects(store);
}

function removeQuietly(staging: string): void {
  try {
    rmSync(dirname(staging), { recursive: true, force: true });
  } catch {
    // A disk that takes nothing: the next deploy removes it.
  }
}

async function takeInto(staging: string, request: TakeRequest): Promise<Taken> {
  const { store, app, step = () => {} } = request;
  const warnings: string[] = [];
  const before = latest(store, warnings);
  const objects = new NewObjects(store, staging);
  step('begun');
  const { shared, found } = await readAhead(request, before, objects, step);
  const { entries, sockets } = found ?? read(request, shared, before, objects, step);
  if (sockets.length > 0)
    warnings.push(
      `left out: ${sockets[0]}${sockets.length > 1 ? ` and ${sockets.length - 1} more` : ''}, no file but a socket`,
    );
  warnings.push(...seedShared(store, request.source, shared, step));

  const difference = compare(before, entries);
  const storedBytes = objects.bytes;
  objects.publish();
  step('objects published');
  const tree = treeHash(entries);
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
  const place = treePath(store, app, id);
  if (isKnown && isWhole(place, entries)) renew(staging, store, manifest, step);
  else {
    if (isKnown) setAside(staging, request, id);
    const release = build(staging, request, before, manifest, step);
    publish(release, store, manifest, step);
  }
  return { head, path: place, ...difference, storedBytes, previous: before?.head.id ?? null, isKnown, warnings };
}

/** The release that was deployed last: what is not other than in it is not read again. */
function latest(store: string, warnings: string[]): Manifest | null {
  for (const { id } of listReleases(store))
    try {
      return readManifest(store, id);
    } catch (error) {
      warnings.push((error as Error).message);
    }
  return null;
}

interface Found {
  entries: Entry[];
  sockets: string[];
}

/** While the config is read, the folder is too: as if the shared folders were those of the last release. What fails by that is no failure. */
async function readAhead(
  request: TakeRequest,
  before: Manifest | null,
  objects: NewObjects,
  step: (name: string) => void,
): Promise<{ shared: readonly string[]; found: Found | null }> {
  let found: Found | null = null;
  const guess = before?.head.shared;
  if (guess && request.shared instanceof Promise)
    try {
      found = read(request, guess, before, objects, step);
    } catch (error) {
      if (!isZdsupError(error)) throw error;
    }
  const shared = await request.shared;
  const isRight = guess?.length === shared.length && guess.every((one, index) => one === shared[index]);
  return { shared, found: isRight ? found : null };
}

/** Looks and reads until a look finds the folder as it was read. */
function read(
  request: TakeRequest,
  shared: readonly string[],
  before: Manifest | null,
  objects: NewObjects,
  step: (name: string) => void,
): Found {
  const { store, source, logical } = request;
  const known = new Map<string, FileEntry>();
  for (const entry of before?.entries ?? []) if (entry.kind === 'file') known.set(entry.path, entry);
  let lastUnsteady = '';
  for (let tried = 0; tried < TRIES; tried++) {
    const startedAt = performance.now();
    try {
      const { seen, sockets } = scan(source, logical, { shared, leaveOut: [store] });
      step('scanned');
      const entries = seen.map((one) => entryOf(one, request, known, objects, step));
      const isLast = tried === TRIES - 1;
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
  step: (name: string) => void,
): Entry {
  if (seen.kind !== 'file') return seen;
  const last = known.get(seen.path);
  if (last && isUntouched(last, seen.info) && objects.has(last)) return last;
  const entry = objects.add(seen.path, `${source}/${seen.path}`, seen.info);
  known.set(seen.path, entry);
  step('file read');
  return entry;
}

const isUntouched = ({ size, source }: FileEntry, info: Stats): boolean =>
  source !== null &&
  info.size === size &&
  info.ino === source[0] &&
  info.mtimeMs === source[1] &&
  info.ctimeMs === source[2];

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
function renew(staging: string, store: string, manifest: Manifest, step: (name: string) => void): void {
  const text = join(staging, 'manifest');
  writeDurably(text, encode(manifest));
  step('manifest written');
  renameSync(text, manifestPath(store, manifest.head.id));
  fsyncPath(dirname(manifestPath(store, manifest.head.id)));
  step('published');
}

/** One that was damaged makes way, unless it is run. */
function setAside(staging: string, { store, inUse }: TakeRequest, id: string): void {
  if (inUse.has(id))
    throw broken(
      id,
      'what it holds is no longer what was deployed, and it is in use',
      'zdsup releases --verify says what; deploy any change, and it makes way',
    );
  renameSync(join(store, id), join(staging, 'damaged'));
}

/** @returns a folder with the tree in it */
function build(
  staging: string,
  { store, app }: TakeRequest,
  before: Manifest | null,
  { entries }: Manifest,
  step: (name: string) => void,
): string {
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

function publish(release: string, store: string, manifest: Manifest, step: (name: string) => void): void {
  writeDurably(join(release, '.manifest'), encode(manifest));
  fsyncPath(release);
  step('manifest written');
  renameSync(release, join(store, manifest.head.id));
  fsyncPath(store);
  step('published');
}

function writeDurably(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600, flush: true });
}
