/** Runs in the master. The random token of an app, in a file that its owner alone can read. It outlives the master: a page that is open goes on. */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { claimFolder } from '../state-folder.js';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * Reads it, or makes one where there is none, or one that others may have read or written.
 * @throws ZdsupError ZDSUP_STATE_UNWRITABLE; or as the file system does
 */
export function tokenIn(path: string): string {
  claimFolder(dirname(path));
  const known = readOwn(path);
  if (known !== null) return known;
  const token = randomBytes(32).toString('base64url');
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${token}\n`, { mode: 0o600, flag: 'w' });
  renameSync(temporary, path); // Never half a token, and never through a link.
  return token;
}

function readOwn(path: string): string | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const info = fstatSync(fd);
    const isOwn = info.isFile() && info.uid === process.geteuid?.() && (info.mode & 0o077) === 0 && info.size < 1_024;
    const token = isOwn ? readFileSync(fd, 'utf8').trim() : '';
    return TOKEN.test(token) ? token : null;
  } finally {
    closeSync(fd);
  }
}
