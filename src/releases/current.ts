/** Runs in the master, and in the CLI. Which release of an app was good last: what `zdsup start <name>` runs again. */
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { releasesDir } from '../shared/paths.js';
import { currentPath, RELEASE_ID } from './layout.js';

/**
 * To be called when a rollout has succeeded. Replaces the pointer by one rename: a reader sees the old one or the new one.
 * @param release null: what serves now is a folder edited in place
 * @throws where the state folder cannot be written to
 */
export function noteGood(stateDir: string, app: string, release: { id: string } | null): void {
  const store = releasesDir(stateDir, app);
  if (release?.id === readCurrent(store)) return;
  if (release === null) {
    rmSync(currentPath(store), { force: true });
    return;
  }
  mkdirSync(store, { recursive: true, mode: 0o700 });
  const temporary = join(store, `.current.${process.pid}`);
  rmSync(temporary, { force: true });
  symlinkSync(join(release.id, app), temporary);
  renameSync(temporary, currentPath(store));
}

/** Null where there is none. */
export function readCurrent(store: string): string | null {
  try {
    const id = readlinkSync(currentPath(store)).split('/')[0]!;
    return RELEASE_ID.test(id) ? id : null;
  } catch {
    return null;
  }
}
