/** Tests with a second user of this host: as root alone, and where that user can read Node and this checkout. */
import { spawnSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { temporaryFolder } from './cleanup.js';
import { BIN } from './zdsup.js';

/** Of users whom no account of a usual host has. */
export const ALICE = 54_321;
export const BOB = 54_322;

export const canBecomeOthers =
  process.geteuid?.() === 0 &&
  spawnSync('/bin/sh', ['-c', '[ -r "$0" ] && [ -x "$1" ]', BIN, process.execPath], {
    uid: ALICE,
    gid: ALICE,
    cwd: '/',
  }).status === 0;

/** One that everybody can look into. */
export function openFolder(): string {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  return folder;
}
