/**
 * Runs in the planner. Whether the workers' user can read what a worker needs before any line of the app runs: Node, the preload, the working
 * folder, the script. Asked of the kernel, by a shell that runs as that user: modes alone would not tell of access lists.
 */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ZdsupError } from '../../shared/errors.js';
import type { Identity } from '../../shared/identity.js';
import { asUser } from '../as-user.js';

const PRELOAD = fileURLToPath(new URL('../../worker/preload.cjs', import.meta.url));
const TIMEOUT_MS = 5_000;
/** Says the first that is closed to it. Folders are searched, files read. */
const LOOK = 'for p; do if [ -d "$p" ]; then [ -x "$p" ]; else [ -r "$p" ]; fi || { printf %s "$p"; exit 1; }; done';

interface Needed {
  path: string;
  what: string;
  isFolder: boolean;
  hint: string;
}

/**
 * @returns the identity as this host can give it, and a warning where it is without its supplementary groups
 * @throws ZdsupError ZDSUP_USER_CANNOT_READ
 */
export function settleIdentity(
  wanted: Identity,
  entry: string,
  cwd: string,
): { identity: Identity; warnings: string[] } {
  const install = 'install it where every user can read it (/usr, /opt)';
  const needed: Needed[] = [
    { path: process.execPath, what: 'Node', isFolder: false, hint: install },
    { path: PRELOAD, what: 'zdsup', isFolder: false, hint: install },
    { path: cwd, what: 'the working folder', isFolder: true, hint: 'move it' },
    { path: entry, what: 'the script', isFolder: false, hint: 'move it' },
  ];
  const found = look(wanted, needed);
  if (found !== 'unusable') {
    refuseClosed(wanted, found);
    return { identity: wanted, warnings: [] };
  }
  const identity = { ...wanted, groups: [] };
  const bare = look(identity, needed);
  if (bare !== 'unusable') refuseClosed(identity, bare);
  return {
    identity,
    warnings: [
      `user ${wanted.user} is in the groups ${wanted.groups.join(' ')}, which its workers do not get: that takes setpriv of util-linux, which this host has not`,
    ],
  };
}

type Found = { closed: string; needed: Needed } | null | 'unusable';

function look(identity: Identity, needed: Needed[]): Found {
  const paths = needed.flatMap(({ path }) => wayTo(path));
  const started = asUser(identity, '/bin/sh', ['-c', LOOK, 'sh', ...paths], {});
  if (identity.groups.length > 0 && started.uid !== undefined) return 'unusable';
  const { file, args, env, uid, gid } = started;
  const { status, stdout } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    cwd: '/',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  if (status === 0) return null;
  const found = needed.find(({ path }) => stdout !== '' && wayTo(path).includes(stdout));
  // A setpriv that knows no such options, as busybox has it; or no shell for that user, which the worker's own start will tell.
  if (!found) return identity.groups.length > 0 ? 'unusable' : null;
  return { closed: stdout, needed: found };
}

/** The folders above it, from the top, and itself. */
function wayTo(path: string): string[] {
  const way = [path];
  for (let at = path; at !== dirname(at); at = dirname(at)) way.unshift(dirname(at));
  return way;
}

function refuseClosed({ user }: Identity, found: Exclude<Found, 'unusable'>): void {
  if (found === null) return;
  const { closed, needed } = found;
  const isAbove = closed !== needed.path;
  throw new ZdsupError({
    code: 'ZDSUP_USER_CANNOT_READ',
    message: `user ${user}, as whom the workers run, cannot read ${needed.what}, ${needed.path}${isAbove ? `: the folder ${closed} is closed to it` : ''}`,
    hint: `${needed.hint}, or open it: chmod o+${isAbove || needed.isFolder ? 'x' : 'r'} ${closed}`,
    exitStatus: 2,
  });
}
