/**
 * Runs in the CLI. Which releases of an app processes run from: workers of every generation, those that drain after their
 * master has gone, and whatever they have started. The kernel knows; a master need not be asked.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** @param proc the folder that the kernel shows its processes in */
export function releasesInUse(app: string, proc = '/proc'): Set<string> {
  const found = new Set<string>();
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    const variables = environmentOf(`${proc}/${name}/environ`);
    if (!variables.includes(`ZDSUP_APP=${app}\0`)) continue;
    const id = releaseIn(variables);
    if (id) found.add(id);
  }
  return found;
}

/** Undefined where the process has gone, or is none of a master's. */
export const releaseOf = (pid: number): string | undefined => releaseIn(environmentOf(`/proc/${pid}/environ`));

const releaseIn = (variables: string): string | undefined => /(?:^|\0)ZDSUP_RELEASE=([^\0]*)/.exec(variables)?.[1];

function environmentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // It has ended, or is another user's.
  }
}
