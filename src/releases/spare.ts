/**
 * Runs in the CLI, by whoever holds the store's lock. A tree that is the last release's once more, made while a rollout is waited
 * for: the next deploy changes what differs and needs not put 5,000 links together. Nothing ever runs from it.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spareDir, temporaryDir } from './layout.js';
import { readManifest } from './store.js';
import { buildTree } from './tree.js';

/** @param id of the release that was deployed last */
export function makeSpare(store: string, app: string, id: string): void {
  const place = join(spareDir(store), id);
  if (lstatSync(place, { throwIfNoEntry: false })) return;
  removeSpares(store);
  const { entries } = readManifest(store, id);
  const begun = join(temporaryDir(store), 'spare');
  mkdirSync(temporaryDir(store), { recursive: true, mode: 0o700 });
  buildTree(store, app, begun, entries);
  mkdirSync(spareDir(store), { recursive: true, mode: 0o700 });
  renameSync(begun, place);
  rmdirSync(temporaryDir(store)); // Where it is there, a deploy was killed.
}

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
