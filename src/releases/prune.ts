/**
 * Runs in the CLI, by whoever holds the store's lock. Removes the oldest releases, and never one that is run, was good last, or before that, or is to be tried next. One that is removed
 * leaves its place by one rename first: half a release is never among the releases.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readCurrent, readNext, readPrevious } from './current.js';
import { told } from './failure.js';
import { temporaryDir } from './layout.js';
import { sweepObjects } from './objects.js';
import { removeSpares } from './spare.js';
import { listReleases } from './store.js';

/**
 * @param keep how many stay
 * @param inUse ids that stay as well
 * @returns ids of those that were removed
 */
export function pruneReleases(
  store: string,
  keep: number,
  inUse: ReadonlySet<string>,
  step: (name: string) => void = () => {},
): string[] {
  const good = [readCurrent(store), readPrevious(store), readNext(store)];
  const surplus = listReleases(store)
    .slice(keep)
    .map(({ id }) => id)
    .filter((id) => !good.includes(id) && !inUse.has(id));
  if (surplus.length === 0) return [];
  try {
    const gone = temporaryDir(store);
    mkdirSync(gone, { recursive: true, mode: 0o700 });
    for (const id of surplus) renameSync(join(store, id), join(gone, id));
    step('set aside');
    rmSync(gone, { recursive: true, force: true });
    removeSpares(store, listReleases(store)[0]?.id); // It would keep contents.
    step('removed');
    sweepObjects(store);
    return surplus;
  } catch (error) {
    throw told(error, store);
  }
}
