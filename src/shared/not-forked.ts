/** Whoever starts a master in a process of its own: the host gives none. Pure. */
import { ZdsupError } from './errors.js';

export const notForked = (error: { code?: string | undefined; message: string }): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_FORK_FAILED',
    message: `no process could be started for the master: ${error.code ?? error.message}`,
    hint: 'look at the limits of this user: ulimit -a',
    exitStatus: 1,
  });
