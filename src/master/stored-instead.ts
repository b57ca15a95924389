/** Runs in the master. What a rollback can go to where the folder that was good last was edited in place: a release of the store. */
import { readCurrent, readPrevious } from '../releases/current.js';
import { listReleases } from '../releases/store.js';

/** The beginning of a hint: the release that was good before, by its id, where one is known; else where to look. Empty where none is stored. */
export function storedInstead(store: string, appName: string): string {
  const stored = listReleases(store);
  if (stored.length === 0) return '';
  // A folder that was good last has left it there; where it is good itself since, it serves.
  const good = readPrevious(store);
  return good !== null && good !== readCurrent(store) && stored.some(({ id }) => id === good)
    ? `zdsup rollback ${appName} --to ${good} goes to the release that was good before that (zdsup releases ${appName} lists others); or `
    : `zdsup releases ${appName} lists what is stored, and zdsup rollback ${appName} --to <release> goes there; or `;
}
