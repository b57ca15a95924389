/**
 * Runs in the master. The run folder and the control socket's path, which is also the lock of the app's name: two
 * masters of one name cannot both link it. Removed at the end; one left by a killed master is found out and replaced.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { isAnswered } from '../shared/control-socket.js';
import { ZdsupError } from '../shared/errors.js';

/** By hand: Node's own recursive mkdir never returns where a parent exists and cannot hold folders (/proc). */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // Another start made it meanwhile.
  }
}

/** Makes the folder (0700) where it is missing, and refuses one that is not ours or not writable. */
export function claimFolder(folder: string): void {
  try {
    makeFolder(folder);
    const info = statSync(folder);
    const uid = process.geteuid?.() ?? info.uid;
    if (info.uid !== uid)
      throw new ZdsupError({
        code: 'ZDSUP_STATE_FOREIGN',
        message: `the state folder ${folder} belongs to user ${info.uid}, zdsup runs as user ${uid}`,
        hint: 'run as its owner, or set ZDSUP_HOME to a folder of your own',
        exitStatus: 2,
      });
    // Read-only for its owner is somebody's decision; root would not notice by access() alone.
    if ((info.mode & 0o200) === 0) throw Object.assign(new Error('read-only'), { code: 'EACCES' });
    accessSync(folder, constants.W_OK | constants.X_OK);
    if ((info.mode & 0o077) !== 0) chmodSync(folder, 0o700);
  } catch (error) {
    if (error instanceof ZdsupError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ZdsupError({
      code: 'ZDSUP_STATE_UNWRITABLE',
      message: `cannot use the state folder ${folder}: ${code ?? message}`,
      hint:
        code === 'EACCES' && statSync(nearestThere(folder)).uid === process.geteuid?.()
          ? `chmod u+rwx ${nearestThere(folder)}, or set ZDSUP_HOME to another folder`
          : 'set ZDSUP_HOME to another folder',
      exitStatus: 2,
    });
  }
}

/** The folder itself, else the one above it that would not have it made. */
const nearestThere = (folder: string): string =>
  existsSync(folder) || dirname(folder) === folder ? folder : nearestThere(dirname(folder));

/** Which file a path names, whatever it is called. */
export interface FileId {
  dev: number;
  ino: number;
}

/**
 * Makes `path` a name of the socket that listens at `temporary`. Atomic: link(2) refuses where somebody has it. A deploy
 * holds its lock so: one that is killed leaves a path at which nobody answers.
 * @param taken what to throw where somebody answers there
 * @returns the socket, for {@link leaveSocketPath}
 */
export async function takeSocketPath(temporary: string, path: string, taken: () => ZdsupError): Promise<FileId> {
  const { dev, ino } = statSync(temporary);
  for (;;) {
    try {
      linkSync(temporary, path);
      unlinkSync(temporary);
      return { dev, ino };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await answers(path)) throw taken();
    // Moved away first and asked again under its new name: between the two, a rival may have put its own there.
    const aside = `${temporary}.stale`;
    try {
      renameSync(path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    if (await answers(aside)) {
      renameSync(aside, path);
      throw taken();
    }
    unlinkSync(aside);
  }
}

/** Removes the path where it is still that socket's: who has cleared the folder away and started anew has one of their own there. */
export function leaveSocketPath(path: string, { dev, ino }: FileId): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.dev === dev && there.ino === ino) rmSync(path, { force: true });
}

const answers = (path: string): Promise<boolean> => isAnswered(connect(path));
