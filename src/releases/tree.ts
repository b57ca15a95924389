/** Runs in the CLI. A release's tree: put together of hard links to objects, or made of that of another release by what differs. */
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { objectPath } from './layout.js';
import type { Entry, FileEntry } from './manifest.js';

/** @param release a folder that is not there yet */
export function buildTree(store: string, app: string, release: string, entries: readonly Entry[]): void {
  mkdirSync(release, { mode: 0o700 });
  const tree = join(release, app);
  makeFolder(tree, 0o755);
  for (const entry of entries) place(store, tree, entry);
}

/** @param tree has `before`; whoever else may have been in it, this takes for granted */
export function changeTree(store: string, tree: string, before: readonly Entry[], after: readonly Entry[]): void {
  const wanted = new Map(after.map((entry) => [entry.path, entry]));
  const there = new Set<string>();
  for (const entry of before) if (isSame(entry, wanted.get(entry.path))) there.add(entry.path);
  // A folder comes before what is in it, so from the end.
  for (const entry of [...before].reverse()) {
    if (there.has(entry.path)) continue;
    if (entry.kind === 'folder') rmdirSync(`${tree}/${entry.path}`);
    else unlinkSync(`${tree}/${entry.path}`);
  }
  for (const entry of after) if (!there.has(entry.path)) place(store, tree, entry);
  const modes = new Map(before.flatMap((entry) => (entry.kind === 'folder' ? [[entry.path, entry.mode]] : [])));
  for (const entry of after)
    if (entry.kind === 'folder' && there.has(entry.path) && modes.get(entry.path) !== entry.mode)
      chmodSync(`${tree}/${entry.path}`, entry.mode | 0o700);
}

function isSame(a: Entry, b: Entry | undefined): boolean {
  if (a === b) return true;
  if (a.kind === 'file')
    return b?.kind === 'file' && a.hash === b.hash && a.mode === b.mode && a.storedMs === b.storedMs;
  if (a.kind === 'link') return b?.kind === 'link' && a.target === b.target;
  return a.kind === b?.kind; // Of a folder the mode may be another.
}

function place(store: string, tree: string, entry: Entry): void {
  const path = `${tree}/${entry.path}`;
  if (entry.kind === 'file') linkObject(objectPath(store, entry.hash, entry.mode), path, entry);
  else if (entry.kind === 'folder') makeFolder(path, entry.mode);
  else symlinkSync(entry.kind === 'link' ? entry.target : sharedTarget(entry.path), path);
}

/** From `<store>/<id>/<app>/<path>`; relative, so that the state folder can be moved. */
export const sharedTarget = (path: string): string => `${'../'.repeat(path.split('/').length + 1)}shared/${path}`;

function makeFolder(path: string, mode: number): void {
  const wanted = mode | 0o700;
  mkdirSync(path, { mode: wanted });
  if ((wanted & UMASK) !== 0) chmodSync(path, wanted);
}

const UMASK = process.umask();

function linkObject(object: string, path: string, { mode }: FileEntry): void {
  try {
    linkSync(object, path);
  } catch (error) {
    // Of an empty file, say, there may be more than a file system allows links to one.
    if (!['EMLINK', 'EPERM', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const { mtimeMs } = lstatSync(object);
    copyFileSync(object, path);
    utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
    chmodSync(path, mode);
  }
}
