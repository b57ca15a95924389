/**
 * Runs in the CLI. One deploy of an app at a time: whoever is at work listens at a path, as a master does at its control
 * socket. A deploy that was killed listens no more, and the path it left is taken over.
 */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ZdsupError } from '../../shared/errors.js';
import { deployLockPath } from '../../shared/paths.js';

export interface DeployLock {
  leave(): void;
}

/** As a master takes its control socket's path: handed in. */
interface SocketPaths {
  takeSocketPath(temporary: string, path: string, taken: () => ZdsupError): Promise<FileId>;
  leaveSocketPath(path: string, taken: FileId): void;
}

interface FileId {
  dev: number;
  ino: number;
}

/** @throws ZdsupError ZDSUP_DEPLOY_UNDER_WAY (exit 4) */
export async function lockDeploys(
  runDir: string,
  app: string,
  { takeSocketPath, leaveSocketPath }: SocketPaths,
): Promise<DeployLock> {
  const path = deployLockPath(runDir, app);
  const temporary = join(runDir, `.${process.pid}.d`);
  const server = createServer((socket) => socket.destroy()).unref();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(temporary, resolve));
  try {
    const taken = await takeSocketPath(temporary, path, () => deployUnderWay(app, 'another'));
    return {
      leave() {
        leaveSocketPath(path, taken);
        server.close();
      },
    };
  } catch (error) {
    server.close(); // It removes the path that it was bound to.
    throw error;
  }
}

/** @param which `another` where it is a deploy that is refused */
export const deployUnderWay = (app: string, which: 'a' | 'another'): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_DEPLOY_UNDER_WAY',
    message: `${which} deploy of ${app} is under way`,
    hint: `wait for it: zdsup status ${app} shows how far it is`,
    exitStatus: 4,
  });
