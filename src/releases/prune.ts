/**
 * Runs in the CLI, by whoever holds the store's lock. Removes releases that have failed, then the oldest, and never one that is run, was good last, or before that, or is to be tried next. One that is removed
 * leaves its place by one rename first: half a release is never among the releases.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readCurrent, readNext, readPrevious } from './current.js';
import { hasFailed } from './failed.js';
import { told } from './failure.js';
import { temporaryDir } from './layout.js';
import { sweepObjects } from './objects.js';
import { removeSpares } from './spare.js';
import { listReleases } from './store.js';

/**
 * @param keep how many stay; failed ones as far as there is room beside the others, but for the newest, which somebody will want to look at
 * @param inUse ids that stay as well
 * @param trial is being brought in: it stays as well, and takes the room of none that has not failed, since it yet may
 * @returns ids of those that were removed
 */
export function pruneReleases(
  store: string,
  keep: number,
  inUse: ReadonlySet<string>,
  trial: string | null = null,
  step: (name: string) => void = () => {},
): string[] {
  const ids = listReleases(store).map(({ id }) => id);
  const others = ids.filter((id) => id !== trial);
  const failed = others.filter((id) => hasFailed(store, id));
  const sound = others.filter((id) => !failed.includes(id)).slice(0, keep);
  const good = [readCurrent(store), readPrevious(store), readNext(store)];
  const stay = new Set([trial, ids[0], ...sound, ...failed.slice(0, keep - sound.length), ...good, ...inUse]);
  const surplus = ids.filter((id) => !stay.has(id));
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
