/** Runs in the planner, and where it is asked. A release stands for a folder: what the plan names in that folder lies in the release instead. */
import { realpathSync } from 'node:fs';
import type { PlanRequest } from '../plan.js';

/** Maps an absolute path; one that is not in the folder stays. */
export type Relocate = (path: string) => string;

export function relocation(release: PlanRequest['release']): Relocate {
  if (release === undefined) return (path) => path;
  const tops = [...new Set([release.from, realOf(release.from)])];
  return (path) => {
    // The store itself may lie in the folder: what is in the release already stays.
    if (isIn(release.path, path)) return path;
    const top = tops.find((one) => isIn(one, path));
    return top === undefined ? path : release.path + path.slice(top.length);
  };
}

/** The other way round: what outlives a release does not lie in it, but in the folder that it stands for. */
export function outOfRelease(release: PlanRequest['release']): Relocate {
  if (release === undefined) return (path) => path;
  return (path) => (isIn(release.path, path) ? release.from + path.slice(release.path.length) : path);
}

const isIn = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? folder : `${folder}/`);

/** The folder itself may have gone since. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
