/**
 * Runs in the master, the planner and `zdsup check`. Starts a program as another user. By the kernel's own way through Node (`uid`, `gid`:
 * the child drops everything before it executes anything); that drops all supplementary groups, too. Where the user is in some,
 * `setpriv` (util-linux) sets them, and becomes the program: the process id and the descriptors stay.
 *
 * setpriv begins as root. What an environment can make the loader or the C library read in it is therefore set behind it only.
 */
import { existsSync } from 'node:fs';
import type { Identity } from '../shared/identity.js';

const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];
const ENV = '/usr/bin/env';
/** Names that the loader and the C library obey, which glibc itself takes from set-user-id programs (sysdeps/generic/unsecvars.h). */
const OBEYED_BY_LIBC = new Set([
  ...['GCONV_PATH', 'GETCONF_DIR', 'GLIBC_TUNABLES', 'HOSTALIASES', 'LOCALDOMAIN', 'LOCPATH', 'MALLOC_TRACE'],
  ...['NIS_PATH', 'NLSPATH', 'RESOLV_HOST_CONF', 'RES_OPTIONS', 'TMPDIR', 'TZDIR'],
]);
const isObeyed = (name: string): boolean => name.startsWith('LD_') || OBEYED_BY_LIBC.has(name);

export interface Started {
  file: string;
  args: string[];
  env: Record<string, string | undefined>;
  /** For child_process; undefined: as this process. */
  uid: number | undefined;
  gid: number | undefined;
}

/** @param identity null: as this process is */
export function asUser(
  identity: Identity | null,
  file: string,
  args: string[],
  env: Record<string, string | undefined>,
  setpriv: string | null = findSetpriv(),
): Started {
  if (identity === null) return { file, args, env, uid: undefined, gid: undefined };
  const { uid, gid, groups } = identity;
  if (groups.length === 0 || setpriv === null) return { file, args, env, uid, gid };
  const kept: Record<string, string | undefined> = {};
  const behind: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    // Undefined where a name of the master's own is taken out.
    kept[name] = isObeyed(name) ? undefined : value;
    if (isObeyed(name) && value !== undefined) behind.push(`${name}=${value}`);
  }
  const drop = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`, '--'];
  return {
    file: setpriv,
    args: [...drop, ...(behind.length > 0 ? [ENV, ...behind] : []), file, ...args],
    env: kept,
    uid: undefined,
    gid: undefined,
  };
}

/** Null where this host has none: supplementary groups are not to be had then. */
export const findSetpriv = (): string | null => SETPRIV.find((path) => existsSync(path)) ?? null;
