/**
 * Runs in the planner, and in a master that opens a socket of its own. Whether anybody but root could put something else in a file's place: the file itself, each folder on the way to it, and
 * each link's target with its own way. For what root reads or executes on behalf of workers that run as somebody else.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ZdsupError } from '../../shared/errors.js';

const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** As many links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** As lstat has it; null: not there. */
export interface Seen {
  uid: number;
  mode: number;
  isFolder: boolean;
  /** Of a symbolic link, what it holds. */
  target: string | null;
}
type End = 'folder-of-new-files';
interface Weak {
  path: string;
  why: string;
  /** It is root's, and only its mode is too open. */
  isRoots: boolean;
}
export type Look = (path: string) => Seen | null;

/**
 * @param end `folder-of-new-files`: files come and go in it, and in a sticky folder anybody may take the name of one that is not there
 * @returns the first place on the way that others can change, with how; null: root alone can. What is not there is not judged.
 */
export function weakPlace(path: string, look: Look = lookOnDisk, end?: End): Weak | null {
  const pending = parts(resolve(path));
  let at = '/';
  let links = 0;
  let above: Seen | null = null;
  for (let first = true; ; first = false) {
    if (!first) {
      const next = pending.shift();
      if (next === undefined) return null;
      at = next === '..' ? dirname(at) : at === '/' ? `/${next}` : `${at}/${next}`;
    }
    const seen = look(at);
    if (seen === null) {
      const open = end === undefined || above === null ? null : weakness(above, true);
      return open === null ? null : { path: dirname(at), why: open, isRoots: above?.uid === 0 };
    }
    const why = weakness(seen, end !== undefined && pending.length === 0);
    if (why !== null) return { path: at, why, isRoots: seen.uid === 0 };
    above = seen;
    if (seen.target === null) continue;
    links += 1;
    if (links > MAX_LINKS) return { path: at, why: 'is one of too many links', isRoots: false };
    pending.unshift(...parts(seen.target));
    at = seen.target.startsWith('/') ? '/' : dirname(at);
  }
}

const parts = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

function weakness({ uid, mode, isFolder, target }: Seen, takesNewFiles: boolean): string | null {
  if (uid !== 0) return `belongs to user ${uid}`;
  if (target !== null) return null; // A link has no mode of its own; whoever may replace it may write its folder.
  // In a sticky folder (/tmp) nobody moves away what is root's.
  if ((mode & GROUP_OR_OTHERS_WRITE) === 0 || (isFolder && (mode & STICKY) !== 0 && !takesNewFiles)) return null;
  return `can be written to by ${(mode & 0o002) === 0 ? 'its group' : 'everybody'} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`;
}

function lookOnDisk(path: string): Seen | null {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (!info) return null;
  const { uid, mode } = info;
  return { uid, mode, isFolder: info.isDirectory(), target: info.isSymbolicLink() ? readlinkSync(path) : null };
}

/** Where root keeps such things. */
const PLACES = {
  'the config': '/etc/<app>',
  'the env file': '/etc/<app>',
  'the folder': '/run/<app>',
  'the log': '/var/log/<app>',
  'the folder of the log': '/var/log/<app>',
};

export const WHY_CONFIG = 'root evaluates it, and the workers run as somebody else';

/**
 * @param what the path is
 * @param why root must be able to trust it
 * @param end see {@link weakPlace}
 * @throws ZdsupError ZDSUP_NOT_ROOTS_ALONE
 */
export function refuseWeak(
  what: keyof typeof PLACES,
  path: string,
  why: string,
  end?: End,
  look: Look = lookOnDisk,
): void {
  const weak = weakPlace(path, look, end);
  if (weak === null) return;
  throw new ZdsupError({
    code: 'ZDSUP_NOT_ROOTS_ALONE',
    message: `${what} ${path} is not root's alone: ${weak.path === path ? 'it' : weak.path} ${weak.why}; ${why}`,
    hint: remedyFor(weak, PLACES[what]),
    exitStatus: 2,
  });
}

/** Folders that others live from, whatever their owner and mode. */
const SHARED = /^\/(?:home|root|tmp|var\/tmp|dev\/shm|run\/user)(?:\/|$)|^\/$/;

/** What belongs to somebody is theirs: another place is named, and at most a mode is closed of what is root's already. */
const remedyFor = ({ path, isRoots }: Weak, place: string): string =>
  `keep it where root alone can write, such as ${place}${isRoots && !SHARED.test(path) ? `; or chmod go-w ${path}` : ''}`;
