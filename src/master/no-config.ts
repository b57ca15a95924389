/** Runs in the master, and in the CLI for a check. Why a plan has no config file: a release of before the app had it is told apart from a path that is wrong. Pure. */
import { RELEASE_ID } from '../releases/layout.js';
import { ZdsupError } from '../shared/errors.js';

/** @param release that the config was looked for in, where it was not the folder in place */
export function noConfig(path: string, release: { id: string; path: string } | undefined): ZdsupError {
  // What is only about to be deployed has no id yet, and is a folder.
  const own = release !== undefined && RELEASE_ID.test(release.id) && path.startsWith(`${release.path}/`);
  return new ZdsupError({
    code: 'ZDSUP_CONFIG_MISSING',
    message: own
      ? `release ${release.id} has no ${path.slice(release.path.length + 1)}, by which the app is run`
      : `no such config file: ${path}`,
    hint: own
      ? 'it was deployed when the app was started otherwise; zdsup releases lists the others'
      : 'check the path',
    exitStatus: 2,
  });
}
