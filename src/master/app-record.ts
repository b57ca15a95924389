/**
 * Runs in the master. Keeps the record of its app in the state folder: written when it begins, and with its end. A master
 * that is killed leaves one without an end, which says just that. Never keeps an app from running: what
 * cannot be written is only told.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { AppEnd, AppRecord } from '../shared/app-record.js';
import { recordsDir } from '../shared/paths.js';
import { claimFolder } from './state-folder.js';

export interface RecordKeeper {
  end(how: AppEnd['how'], reason: string | null): void;
  /** Where its output is kept from now on. */
  logs(log: AppRecord['log']): void;
}

/**
 * @param state absolute
 * @param failed told why a record could not be written
 */
export function keepRecord(
  state: string,
  begun: Omit<AppRecord, 'ended'>,
  failed: (why: string) => void,
): RecordKeeper {
  let { log } = begun;
  const write = (ended: AppEnd | null): void => {
    const folder = recordsDir(state);
    // Beside it and renamed, so that a reader sees the old one or the new one, also where the host goes down in between.
    const temporary = join(folder, `.${begun.name}.tmp`);
    try {
      claimFolder(folder);
      writeFileSync(temporary, `${JSON.stringify({ ...begun, log, ended }, null, 2)}\n`, { mode: 0o600, flush: true });
      renameSync(temporary, join(folder, `${begun.name}.json`));
    } catch (error) {
      removeQuietly(temporary);
      failed((error as Error).message);
    }
  };
  write(null);
  return {
    end: (how, reason) => write({ at: new Date().toISOString(), how, reason }),
    logs(now) {
      if (isDeepStrictEqual(now, log)) return;
      log = now;
      write(null);
    },
  };
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its folder is none: what could not be written is told already.
  }
}
