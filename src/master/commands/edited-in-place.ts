/** Runs in the master. New workers of a release whose folder is no longer what it was: where it has gone, no reload brings anything in. */
import { existsSync } from 'node:fs';
import type { ErrorReport } from '../../shared/errors.js';
import { ZdsupError } from '../../shared/errors.js';
import type { CommandContext } from './context.js';

/** @param then what would happen @param reload the hint where there is something to bring in */
export async function editedInPlace(
  { appName, snapshot }: CommandContext,
  then: string,
  reload: string,
): Promise<ZdsupError> {
  const path = (await snapshot()).release?.path;
  const isGone = path !== undefined && !existsSync(path);
  return new ZdsupError({
    code: 'ZDSUP_RELEASE_CHANGED',
    message: isGone
      ? `the folder of ${appName} is not there any more: ${path}`
      : `the folder of ${appName} was edited in place: ${then}`,
    hint: isGone ? putBack(appName) : `${reload}: zdsup reload ${appName}`,
    exitStatus: 1,
  });
}

/** Of an app whose folder has gone while it runs. Its workers serve on. */
const putBack = (appName: string): string =>
  `put it back; where the app has moved, zdsup stop ${appName}, and zdsup start <script> in the folder where it is now`;

/** Why a reload could not be prepared. What runs has no `--cwd` to be given: its start had that. */
export const whileItRuns = (report: ErrorReport, appName: string): ErrorReport =>
  report.code === 'ZDSUP_CWD_MISSING' ? { ...report, hint: putBack(appName) } : report;
