/**
 * Runs in the CLI, as root alone. The masters of other users, wherever they have their folders: the kernel lists all sockets that listen, and each
 * control socket was bound as `<run folder>/.<pid of the master>` (master/main.ts). No registry that somebody could fill, no walk through home folders.
 *
 * What is found is another user's, who may have anything lie there: only the owner's own socket in the owner's own folder counts.
 */
import { lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RunningApp } from './apps.js';

/** Listens (SO_ACCEPTCON), and was bound under a process id. */
const BOUND_BY_A_MASTER = /^\S+ \S+ \S+ 00010000 0001 01 +\d+ (\/.*\/\.\d+)$/;
const OTHERS_MAY_WRITE = 0o022;

/** @param searched folders that are looked through anyway @param table of /proc/net/unix */
export function othersSockets(searched: string[], table: string = readQuietly('/proc/net/unix')): RunningApp[] {
  const bound = table.split('\n').flatMap((line) => BOUND_BY_A_MASTER.exec(line)?.[1] ?? []);
  const folders = [...new Set(bound.map((path) => dirname(path)))].filter((folder) => !searched.includes(folder));
  const found = folders.flatMap((folder) => socketsIn(folder));
  if (found.length === 0) return [];
  const users = userNames();
  return found.map(({ path, uid }) => {
    const owner = users.get(uid) ?? String(uid);
    return { name: `${owner}/${basename(path, '.sock')}`, socketPath: path, owner };
  });
}

/** Those of root's own are worlds apart, with a ZDSUP_HOME each. */
function socketsIn(bound: string): { path: string; uid: number }[] {
  try {
    const folder = realpathSync(bound); // A link in it could lead elsewhere later.
    const { uid, mode } = lstatSync(folder);
    if (uid === 0 || (mode & OTHERS_MAY_WRITE) !== 0) return [];
    return readdirSync(folder)
      .filter((name) => /^[a-z][a-z0-9._-]{0,62}\.sock$/.test(name))
      .map((name) => ({ path: join(folder, name), seen: lstatSync(join(folder, name)) }))
      .filter(({ seen }) => seen.isSocket() && seen.uid === uid)
      .map(({ path }) => ({ path, uid }));
  } catch {
    return []; // Gone meanwhile, or of another mount namespace.
  }
}

/** Whom `<user>/<name>` names. Null where it names nobody of this host. */
export function ownerIn(name: string): string | null {
  const [, owner] = /^([^/]+)\/[^/]+$/.exec(name) ?? [];
  return owner !== undefined && [...userNames().values()].includes(owner) ? owner : null;
}

function userNames(): Map<number, string> {
  const entries = readQuietly('/etc/passwd')
    .split('\n')
    .map((line) => line.split(':'));
  return new Map(entries.flatMap(([name, , uid]) => (name && uid ? [[Number(uid), name] as const] : [])));
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // No /proc: then nobody else's are found.
  }
}

/** For JSON.parse: what another user's master says must not steer root's terminal. */
export const withoutControlCharacters = (_: string, value: unknown): unknown =>
  typeof value === 'string' ? value.replaceAll(/\p{Cc}/gu, '?') : value;
