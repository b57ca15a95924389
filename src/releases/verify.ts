/** Runs in the CLI. Is a release still what its manifest says? By a look at each entry, or by reading all of it. */
import { lstatSync, readlinkSync } from 'node:fs';
import { treePath } from './layout.js';
import type { Entry } from './manifest.js';
import { isSameInstant, treeHash } from './manifest.js';
import { hashOf } from './objects.js';
import { readManifest } from './store.js';
import { sharedTarget } from './tree.js';

/** A look: kinds, sizes, modes and times. */
export const isWhole = (tree: string, entries: readonly Entry[]): boolean =>
  entries.every((entry) => faultOf(`${tree}/${entry.path}`, entry) === null);

function faultOf(path: string, entry: Entry): string | null {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined) return 'is missing';
  switch (entry.kind) {
    case 'folder':
      return info.isDirectory() ? null : 'is no folder';
    case 'link':
      return info.isSymbolicLink() && readlinkSync(path) === entry.target ? null : 'is another link';
    case 'shared':
      return info.isSymbolicLink() && readlinkSync(path) === sharedTarget(entry.path)
        ? null
        : 'is no link to its shared folder';
    case 'file':
      if (!info.isFile()) return 'is no file';
      if (info.size !== entry.size) return `has ${info.size} bytes instead of ${entry.size}`;
      if ((info.mode & 0o7777) !== entry.mode) return `has the mode ${(info.mode & 0o7777).toString(8)}`;
      return isSameInstant(info.mtimeMs, entry.storedMs) ? null : 'was written to';
  }
}

/**
 * Reads every file.
 * @returns what is wrong, a line each
 * @throws ZdsupError ZDSUP_RELEASE_BROKEN where the manifest itself is damaged
 */
export function verifyRelease(store: string, app: string, id: string): string[] {
  const { head, entries } = readManifest(store, id);
  const tree = treePath(store, app, id);
  const faults = entries.flatMap((entry) => {
    const path = `${tree}/${entry.path}`;
    const fault =
      faultOf(path, entry) ?? (entry.kind === 'file' && hashOf(path) !== entry.hash ? 'has another content' : null);
    return fault === null ? [] : [`${entry.path} ${fault}`];
  });
  return treeHash(entries) === head.tree ? faults : ['its manifest is that of another tree', ...faults];
}
