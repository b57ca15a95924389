/**
 * Runs in the CLI, by whoever holds the store's lock. A tree that is the last release's once more, made while a rollout is waited
 * for: the next deploy changes what differs and needs not put 5,000 links together. Nothing ever runs from it. Where it is there, the contents
 * of that release were looked at when it was made: the next deploy does not look at each again.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { objectPath, spareDir, temporaryDir } from './layout.js';
import { isStored } from './objects.js';
import { readManifest } from './store.js';
import { buildTree } from './tree.js';

/**
 * @param id of the release that was deployed last
 * @returns paths of those files that somebody has written into; there is no spare tree then, and the next deploy mends them
 */
export function makeSpare(store: string, app: string, id: string): string[] {
  const { entries } = readManifest(store, id);
  const lost = entries.filter((entry) => entry.kind === 'file').filter((entry) => !isStored(store, entry));
  const isThere = hasSpare(store, id);
  removeSpares(store, lost.length === 0 ? id : undefined);
  // Where a file system has no hard links, one that is not there was swept, and nobody has written into it.
  if (lost.length > 0)
    return lost.filter((entry) => existsSync(objectPath(store, entry.hash, entry.mode))).map(({ path }) => path);
  if (isThere) return [];
  const place = join(spareDir(store), id);
  const begun = join(temporaryDir(store), 'spare');
  mkdirSync(temporaryDir(store), { recursive: true, mode: 0o700 });
  buildTree(store, app, begun, entries);
  mkdirSync(spareDir(store), { recursive: true, mode: 0o700 });
  renameSync(begun, place);
  rmdirSync(temporaryDir(store)); // Where it is there, a deploy was killed.
  return [];
}

export const hasSpare = (store: string, id: string): boolean =>
  lstatSync(join(spareDir(store), id), { throwIfNoEntry: false }) !== undefined;

/** Moves the spare tree of that release to `to`. @returns false where there is none */
export function takeSpare(store: string, id: string, to: string): boolean {
  try {
    renameSync(join(spareDir(store), id), to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Those of other releases. */
export function removeSpares(store: string, except?: string): void {
  try {
    for (const id of readdirSync(spareDir(store)))
      if (id !== except) rmSync(join(spareDir(store), id), { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
