/** Runs in the master, and in the CLI. Which release of an app was good last: what `zdsup start <name>` runs again. */
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { releasesDir } from '../shared/paths.js';
import { currentPath, previousPath, RELEASE_ID } from './layout.js';

/**
 * To be called when a release has proven itself. Replaces each pointer by one rename: a reader sees the old one or the new one.
 * @param release null: what serves now is a folder edited in place
 * @throws where the state folder cannot be written to
 */
export function noteGood(stateDir: string, app: string, release: { id: string } | null): void {
  const store = releasesDir(stateDir, app);
  const before = readCurrent(store);
  if ((release?.id ?? null) === before) return;
  if (before !== null) point(store, previousPath(store), join(before, app));
  if (release === null) rmSync(currentPath(store), { force: true });
  else point(store, currentPath(store), join(release.id, app));
}

function point(store: string, path: string, target: string): void {
  mkdirSync(store, { recursive: true, mode: 0o700 });
  const temporary = join(store, `.${basename(path)}.${process.pid}`);
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}

/** Null where there is none. */
export const readCurrent = (store: string): string | null => idBehind(currentPath(store));

/** The one that was good before, null where there is none. It stays where a folder edited in place serves now. */
export const readPrevious = (store: string): string | null => idBehind(previousPath(store));

function idBehind(link: string): string | null {
  try {
    const id = readlinkSync(link).split('/')[0]!;
    return RELEASE_ID.test(id) ? id : null;
  } catch {
    return null;
  }
}
