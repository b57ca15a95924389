/**
 * Runs in the CLI. What lies in a folder: its folders, files and symbolic links, in an order of its own. Follows no link,
 * opens no file, and refuses what a release cannot hold.
 */
import type { Dirent, Stats } from 'node:fs';
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { isOfLog } from '../shared/log-names.js';
import { refused, Unsteady } from './failure.js';

/** How a file looks. Of thousands no `Stats` is kept: each brings its dates, and a look at a large folder would be garbage collection for a third. */
export type Look = Pick<Stats, 'size' | 'mode' | 'ino' | 'mtimeMs' | 'ctimeMs'>;

export type Seen =
  | { kind: 'file'; path: string; look: Look }
  | { kind: 'folder'; path: string; mode: number }
  | { kind: 'link'; path: string; target: string }
  | { kind: 'shared'; path: string };

export interface ScanOptions {
  /** Relative paths that are not taken, but linked to a place beside the releases. */
  shared: readonly string[];
  /** Absolute paths that are left out: the store itself may lie in the folder. */
  leaveOut: readonly string[];
  /** Log files that are written meanwhile, absolute: left out, with what was put aside of them. */
  logs: readonly string[];
}

export interface Scan {
  seen: Seen[];
  /** Relative paths of sockets, which are left out: a process that runs has made them for itself. */
  sockets: string[];
}

/** Of version control: large, and none of it is run. */
const NOT_TAKEN = new Set(['.git', '.hg', '.svn']);

/**
 * @param root real path of the folder; `logical` the one it is known by
 * @throws ZdsupError ZDSUP_DEPLOY_REFUSED; {@link Unsteady} where something vanishes under it
 */
export function scan(root: string, logical: string, { shared, leaveOut, logs }: ScanOptions): Scan {
  const found: Scan = { seen: [], sockets: [] };
  const isShared = new Set(shared);
  const leaving: string[] = [];
  const enter = (folder: string, prefix: string): void => {
    const logsHere = logs.filter((log) => dirname(log) === folder);
    for (const entry of list(folder)) {
      const path = prefix + entry.name;
      const absolute = `${root}/${path}`;
      if (entry.name.includes('\uFFFD')) throw refused(`the name of ${absolute} is not UTF-8`, 'give it another name');
      if (NOT_TAKEN.has(entry.name) || leaveOut.includes(absolute)) continue;
      if (logsHere.some((log) => isOfLog(log, entry.name))) continue;
      if (isShared.has(path)) found.seen.push(sharedEntry(path, absolute, entry));
      else if (entry.isDirectory()) {
        found.seen.push({ kind: 'folder', path, mode: look(absolute).mode & 0o777 });
        enter(absolute, `${path}/`);
      } else if (entry.isFile()) found.seen.push({ kind: 'file', path, look: look(absolute) });
      else if (entry.isSymbolicLink()) {
        const target = inside(readlinkSync(absolute), absolute, root, logical);
        if (target === null) leaving.push(`${path} → ${readlinkSync(absolute)}`);
        else found.seen.push({ kind: 'link', path, target });
      } else if (entry.isSocket()) found.sockets.push(path);
      else throw special(absolute, entry);
    }
  };
  enter(root, '');
  if (leaving.length > 0) throw leaves(leaving, logical);
  addMissing(found.seen, shared);
  return found;
}

function list(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw vanished(error, folder);
  }
}

function look(path: string): Look {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined) throw new Unsteady(path);
  const { size, mode, ino, mtimeMs, ctimeMs } = info;
  return { size, mode, ino, mtimeMs, ctimeMs };
}

export const vanished = (error: unknown, path: string): unknown =>
  ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '') ? new Unsteady(path) : error;

/** One that is a link already, as Capistrano has it, keeps its place. */
function sharedEntry(path: string, absolute: string, entry: Dirent): Seen {
  if (!entry.isSymbolicLink()) return { kind: 'shared', path };
  return { kind: 'link', path, target: resolve(dirname(absolute), readlinkSync(absolute)) };
}

/** The target as the release has it: within the tree, and relative, so that it means the release and not the folder; null where it leads out. */
function inside(target: string, link: string, root: string, logical: string): string | null {
  const place = dirname(link);
  for (const top of new Set([root, logical])) {
    const within = relative(top, isAbsolute(target) ? target : resolve(place, target));
    if (within === '..' || within.startsWith('../') || isAbsolute(within)) continue;
    return isAbsolute(target) ? relative(place, `${root}/${within}`) || '.' : target;
  }
  return null;
}

/** Shared folders that the app has not made yet, and the folders above them. */
function addMissing(seen: Seen[], shared: readonly string[]): void {
  const known = new Set(seen.map(({ path }) => path));
  for (const path of shared) {
    if (known.has(path)) continue;
    const parts = path.split('/');
    for (const depth of parts.keys()) {
      const above = parts.slice(0, depth + 1).join('/');
      if (known.has(above)) continue;
      known.add(above);
      seen.push(above === path ? { kind: 'shared', path } : { kind: 'folder', path: above, mode: 0o755 });
    }
  }
}

function special(path: string, entry: Dirent): Error {
  const what = entry.isFIFO() ? 'a fifo' : entry.isBlockDevice() || entry.isCharacterDevice() ? 'a device' : 'no file';
  return refused(
    `${path} is ${what}: a release holds files, folders and links`,
    'move it out of the folder, or name the folder that it lies in under shared in the config',
  );
}

function leaves(links: string[], folder: string): Error {
  const more = links.length > 1 ? ` (and ${links.length - 1} more)` : '';
  return refused(
    `a link leads out of ${folder}: ${links[0]}${more}; what lies there is not of the release, and could change under it`,
    'in a workspace, deploy its root: zdsup deploy <app> <root>; a folder that is to stay where it is belongs into shared of the config',
  );
}
