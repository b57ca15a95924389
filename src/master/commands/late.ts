/** Runs in the master. Modules that few commands need. */
import { ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';

/** Loaded when first asked for, to keep the master small. An upgrade of zdsup's files may have taken them away since. */
export const late = <T>(module: Promise<T>): Promise<T> =>
  module.catch((error: Error) => {
    throw new ZdsupError({
      code: 'ZDSUP_VERSION_MISMATCH',
      message: `the master runs zdsup ${VERSION}, whose files are no longer as they were: ${error.message.split('\n')[0]}`,
      hint: 'restart the master to finish the upgrade: zdsup stop, then start it again',
      exitStatus: 1,
    });
  });
