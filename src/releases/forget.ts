/** Runs in the CLI. Removes what is stored of an app that is forgotten. */
import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDir } from './layout.js';
import { listReleases } from './store.js';

export interface Forgotten {
  count: number;
  /** Where there is something in it: what an app has written for its users is not forgotten with it. */
  shared: string | null;
}

/** Null where no release was ever stored. */
export function forgetReleases(store: string): Forgotten | null {
  const info = lstatSync(store, { throwIfNoEntry: false });
  if (!info?.isDirectory()) return null;
  const count = listReleases(store).length;
  const shared = hasFiles(sharedDir(store)) ? sharedDir(store) : null;
  for (const name of readdirSync(store))
    if (name !== 'shared' || shared === null) rmSync(join(store, name), { recursive: true, force: true });
  if (shared === null) rmSync(store, { recursive: true });
  return { count, shared };
}

const hasFiles = (folder: string): boolean =>
  existsSync(folder) &&
  readdirSync(folder, { recursive: true, withFileTypes: true }).some((entry) => !entry.isDirectory());
