/** Runs in the CLI. Why there is no release, in words: what a folder cannot give, and what a disk does not take. */
import type { ErrorCode, ExitStatus } from '../shared/errors.js';
import { isZdsupError, ZdsupError } from '../shared/errors.js';

/** A file was another one after it had been read, or was no longer there: once more may do. */
export class Unsteady extends Error {}

const raise = (code: ErrorCode, message: string, hint: string, exitStatus: ExitStatus = 1): ZdsupError =>
  new ZdsupError({ code, message, hint, exitStatus });

export const refused = (message: string, hint: string): ZdsupError => raise('ZDSUP_DEPLOY_REFUSED', message, hint);

export const broken = (id: string, fault: string, hint: string): ZdsupError =>
  raise('ZDSUP_RELEASE_BROKEN', `release ${id} is damaged: ${fault}`, hint);

export const noSuchRelease = (app: string, wanted: string, known: string[]): ZdsupError =>
  raise(
    'ZDSUP_RELEASE_MISSING',
    `${app} has no release ${wanted}${known.length === 0 ? ': none was deployed' : `; it has ${known.join(', ')}`}`,
    known.length === 0 ? `zdsup deploy ${app} makes one` : `zdsup releases ${app} lists them`,
  );

export const unsteady = (path: string, tries: number): ZdsupError =>
  raise(
    'ZDSUP_DEPLOY_FAILED',
    `${path} changed or vanished each of the ${tries} times that the folder was read: a release of it would be none that ever was`,
    'deploy when what writes there is done; a folder that the app writes to belongs into shared of the config',
  );

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** What a file system said, as an error that a user can act on. @param doing what was not possible: `write`, `read` */
export function told(error: unknown, store: string): unknown {
  if (isZdsupError(error) || error instanceof Unsteady || !(error instanceof Error) || !('code' in error)) return error;
  const { code, path = store } = error as NodeJS.ErrnoException;
  if (FULL.has(code!))
    return raise(
      'ZDSUP_DEPLOY_FAILED',
      `no room is left for the release in ${store} (${code}); nothing of it was kept`,
      'make room there, or have fewer releases kept (keep in the config), and deploy again',
    );
  const [verb, hint] = path.startsWith(store)
    ? ['store', `look at ${store}: it must be a folder of this user, on a disk that can be written to`]
    : ['read', `give this user the right to read it, or move it out of the folder`];
  return raise('ZDSUP_DEPLOY_FAILED', `cannot ${verb} ${path}: ${code}; no release was made`, hint);
}
