/**
 * Runs in the master, and in the CLI. Which releases were given up, or rolled back out of their time on trial: the store gives up their room first. What was good
 * last, or before that, has proven itself, and one more try of it that fails does not make it a bad one.
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { readCurrent, readPrevious } from './current.js';
import { failedPath } from './layout.js';

/**
 * To be called when its rollout has failed. The file alone counts; what it says is for whoever looks.
 * @throws where the store cannot be written to
 */
export function noteFailed(store: string, id: string, reason: string): void {
  if (id === readCurrent(store) || id === readPrevious(store)) return;
  try {
    writeFileSync(failedPath(store, id), `${reason}\n`, { mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // The release has gone, and needs no mark.
  }
}

/** To be called when it has proven itself. */
export const clearFailed = (store: string, id: string): void => rmSync(failedPath(store, id), { force: true });

export const hasFailed = (store: string, id: string): boolean => existsSync(failedPath(store, id));
