/**
 * What a control socket tells about an app, for the command that looks for masters and for the master that wants the name
 * alike. No I/O: the attempt to connect is handed in.
 */
import { ZdsupError } from './errors.js';

/** A `net.Socket` that connects. */
interface Attempt {
  on(event: 'connect', listener: () => void): unknown;
  on(event: 'error', listener: (error: { code?: string }) => void): unknown;
  destroy(): unknown;
}

/** Does anybody accept there? A socket file whose process is gone refuses. Never rejects. */
export const isAnswered = (attempt: Attempt): Promise<boolean> =>
  new Promise((resolve) => {
    attempt.on('connect', () => {
      attempt.destroy();
      resolve(true);
    });
    attempt.on('error', ({ code }) => resolve(code === 'EAGAIN')); // Its queue is full.
  });

/** A start of an app that has a master. */
export const runsAlready = (app: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_APP_RUNNING',
    message: `${app} is running already`,
    hint: `zdsup reload ${app} brings in new code; --name starts a second app`,
    exitStatus: 4,
  });
