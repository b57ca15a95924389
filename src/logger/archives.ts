/** Runs in the log process. What was put aside of one log file: compressed one after another, off the writing path, and removed when there are too many. */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import type { LogRotation } from '../shared/config.js';
import type { Archive } from '../shared/log-names.js';
import { archivesAmong, compressedPath, indexPath, unfinishedPath } from '../shared/log-names.js';

/** Faster than gzip's own default (6), for somewhat larger files: it shares the host with the app. */
const LEVEL = 3;

export class Archives {
  private work: Promise<void> = Promise.resolve();
  private asked = false;

  constructor(private readonly path: string) {}

  /** Also what a log process before this has left undone. Several asks while one is at work are one. */
  tidy(rotation: LogRotation): void {
    if (this.asked) return;
    this.asked = true;
    this.work = this.work.then(async () => {
      this.asked = false;
      // A full disk, a folder that is gone: what is plain stays plain until the next time.
      await this.tidyNow(rotation).catch(() => {});
    });
  }

  /** Settles when nothing is at work. */
  idle(): Promise<void> {
    return this.work;
  }

  private async tidyNow({ keep, compress }: LogRotation): Promise<void> {
    for (;;) {
      const archives = archivesAmong(this.path, await readdir(dirname(this.path)));
      const surplus = archives.splice(0, Math.max(0, archives.length - keep));
      for (const { id, path } of surplus) {
        await rm(path, { force: true });
        await rm(indexPath(path), { force: true });
        await rm(compressedPath(join(dirname(this.path), id)), { force: true });
      }
      // The newest first: where they come faster than they can be compressed, the oldest are removed unread.
      const next = compress ? archives.findLast((one) => !one.compressed) : undefined;
      if (next === undefined) return;
      await compressOne(next);
    }
  }
}

async function compressOne({ path }: Archive): Promise<void> {
  const unfinished = unfinishedPath(path);
  try {
    await pipeline(
      createReadStream(path),
      createGzip({ level: LEVEL, memLevel: constants.Z_DEFAULT_MEMLEVEL }),
      createWriteStream(unfinished, { mode: 0o600 }),
    );
    await rename(unfinished, compressedPath(path));
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw error;
  }
  await rm(path, { force: true });
}
