/**
 * Runs in the master, and in the CLI. Which release of an app was good last: what `zdsup start <name>` runs again; and which
 * one its next start is to try before that.
 */
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { releasesDir } from '../shared/paths.js';
import { currentPath, nextPath, previousPath, RELEASE_ID } from './layout.js';

/**
 * To be called when a release has proven itself. Replaces each pointer by one rename: a reader sees the old one or the new one.
 * @param release null: what serves now is a folder edited in place
 * @param leavesBad what was good until now is left for its crashes: nobody goes back to it unasked
 * @throws where the state folder cannot be written to
 */
export function noteGood(stateDir: string, app: string, release: { id: string } | null, leavesBad = false): void {
  const store = releasesDir(stateDir, app);
  const before = readCurrent(store);
  if ((release?.id ?? null) !== before) {
    if (before !== null && !leavesBad) point(store, previousPath(store), join(before, app));
    if (release === null) rmSync(currentPath(store), { force: true });
    else point(store, currentPath(store), join(release.id, app));
  }
  rmSync(nextPath(store), { force: true }); // Tried, or passed over by whoever has started something else.
}

/** To be called when a release was deployed of an app that does not run, or was stopped while it was on trial: it has yet to prove itself. */
export function noteNext(stateDir: string, app: string, release: { id: string }): void {
  const store = releasesDir(stateDir, app);
  point(store, nextPath(store), join(release.id, app));
}

/** That release did not come up: the start after this one runs what was good last. @returns false where another one is to be tried, or none */
export function passOver(stateDir: string, app: string, release: { id: string }): boolean {
  const store = releasesDir(stateDir, app);
  if (readNext(store) !== release.id) return false;
  rmSync(nextPath(store), { force: true });
  return true;
}

function point(store: string, path: string, target: string): void {
  mkdirSync(store, { recursive: true, mode: 0o700 });
  const temporary = join(store, `.${basename(path)}.${process.pid}`);
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, path);
}

/** Not proven yet: what the next start by name tries. Null where that is the last good one. */
export const readNext = (store: string): string | null => idBehind(nextPath(store));

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
