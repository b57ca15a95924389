/**
 * Runs in the master, and in the command that starts one as a daemon. Pipes of the kernel's, both ends of which are here. Node itself gives
 * a child a socket pair for a pipe: a line through it costs a third more, measured, and `spawn` keeps only one end of it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface PipeEnds {
  /** Descriptors, the caller's to close. Reading does not block; writing does, until somebody changes it. */
  read: number;
  write: number;
}

/** A host on which `mkfifo` takes longer has other troubles, in ms. */
const TIMEOUT_MS = 5_000;

/**
 * Costs some 4 ms: a fork of its own, of `mkfifo`.
 * @param folder where the pipes have their names for a moment: one of ours
 * @returns null where this host has no `mkfifo`
 * @throws what the file system says
 */
export function makePipes(folder: string, count: number): PipeEnds[] | null {
  const place = mkdtempSync(join(folder, '.pipes-'));
  const ends: PipeEnds[] = [];
  const paths = Array.from({ length: count }, (_one, index) => join(place, String(index)));
  try {
    const made = spawnSync('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore', timeout: TIMEOUT_MS });
    if (made.error && (made.error as NodeJS.ErrnoException).code !== 'ENOENT') throw made.error; // It is there: no descriptor is left, say.
    if (made.error || made.status !== 0) return null;
    for (const path of paths) {
      const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // Without a writer yet it would wait for one.
      ends.push({ read, write: -1 });
      ends.at(-1)!.write = openSync(path, constants.O_WRONLY);
    }
    return ends;
  } catch (error) {
    for (const { read, write } of ends) for (const fd of [read, write]) if (fd !== -1) closeSync(fd);
    throw error;
  } finally {
    // One by one: to look what is in a folder takes a descriptor, and that there is none may be why.
    for (const path of paths) rmSync(path, { force: true });
    rmdirSync(place);
  }
}
