/**
 * Runs in the planner. Whom the workers are to run as: `user` and `group` of the config, looked up as the host does it (getent, so that LDAP
 * and the like count; else the files in /etc), with the groups that a login of that user would have.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ZdsupError } from '../../shared/errors.js';
import type { Identity } from '../../shared/identity.js';

/** Asks the host; what is run as root has none of the config's environment. */
export interface Host {
  uid: number;
  gid: number;
  /** A line of the database, or null. */
  entry(database: 'passwd' | 'group', key: string): string[] | null;
  /** Ids of all groups of a named user. */
  groupsOf(user: string): number[];
}

/** What a look-up may take (a directory server that is away), in ms. */
const TIMEOUT_MS = 5_000;
const NOBODY_HOME = '/';
const USUAL_SHELL = '/bin/sh';

/**
 * Null where the workers run as the master does.
 * @throws ZdsupError ZDSUP_USER_UNKNOWN, ZDSUP_USER_NEEDS_ROOT
 */
export function identityOf(
  user: string | number | null,
  group: string | number | null,
  host: Host = thisHost(),
): Identity | null {
  if (user === null) return null;
  const known = host.entry('passwd', String(user));
  if (known === null && typeof user === 'string') throw unknown('user', user);
  const name = known?.[0];
  const uid = known ? Number(known[2]) : Number(user);
  const ownGid = known ? Number(known[3]) : null;
  const gid = group === null ? ownGid : gidOf(group, host);
  if (gid === null)
    throw new ZdsupError({
      code: 'ZDSUP_USER_UNKNOWN',
      message: `user ${user} has no entry on this host, so nobody knows its group`,
      hint: `set group too: group: ${user}`,
      exitStatus: 2,
    });
  if (uid === host.uid && gid === host.gid) return null;
  if (host.uid !== 0)
    throw new ZdsupError({
      code: 'ZDSUP_USER_NEEDS_ROOT',
      message: `the workers are to run as user ${name ?? uid} (group ${gid}), and zdsup runs as user ${host.uid}: only root can start processes as somebody else`,
      hint: 'start it as root, or leave user and group out and start it as that user',
      exitStatus: 2,
    });
  const all = name === undefined ? [] : host.groupsOf(name);
  return {
    user: name ?? String(uid),
    uid,
    gid,
    // As initgroups(3) with `gid`: where another group is given, the user's own is none of them.
    groups: [...new Set(all)].filter((one) => one !== gid && one !== ownGid),
    home: known?.[5] || NOBODY_HOME,
    shell: known?.[6] || USUAL_SHELL,
  };
}

function gidOf(group: string | number, host: Host): number {
  const known = host.entry('group', String(group));
  if (known) return Number(known[2]);
  if (typeof group === 'number') return group;
  throw unknown('group', group);
}

const unknown = (what: 'user' | 'group', name: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_USER_UNKNOWN',
    message: `${what} is ${JSON.stringify(name)}: this host has no such ${what}`,
    hint:
      what === 'user'
        ? `make it: useradd --system ${name}; or set user to one that is there`
        : 'set group to one that is there',
    exitStatus: 2,
  });

export function thisHost(): Host {
  return {
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    entry(database, key) {
      const line = ask('getent', [database, key]) ?? lineIn(`/etc/${database}`, key);
      return line === null ? null : line.split(':');
    },
    groupsOf: (user) => (ask('id', ['-G', user]) ?? '').split(/\s+/).filter(Boolean).map(Number),
  };
}

/** Null where there is no such program, or it knows of none. */
function ask(program: string, args: string[]): string | null {
  const { status, stdout } = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 && stdout.trim() !== '' ? stdout.split('\n')[0]!.trim() : null;
}

function lineIn(file: string, key: string): string | null {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.find((line) => line.split(':')[0] === key || line.split(':')[2] === key) ?? null;
  } catch {
    return null;
  }
}
