/**
 * Runs in the master. Which files are not watched: what an installer, a version control system, an editor or the app itself writes beside the code.
 * Names and patterns alone: it reads no file.
 */
import { basename, isAbsolute, relative } from 'node:path';

/** By their name, wherever they lie. Folders whose name begins with a dot are left out too; files are not: `.env` is a setting. */
const NAMES = ['node_modules', 'bower_components', 'logs', '*.log', '*.pid', '.git', '.DS_Store'];
/** What editors write on their way to a file, and beside it: vim, Emacs, nano, JetBrains, gedit, sed, and all that move a finished file into its place. */
const TEMPORARY = [
  '*~',
  '*.sw?',
  '*.swpx',
  '4913',
  '.#*',
  '#*#',
  '*___jb_tmp___',
  '*___jb_old___',
  '.goutputstream-*',
  '*.tmp',
];

export interface Ignored {
  /** Relative patterns start from here. Absolute. */
  base: string;
  /** Of the config: names, paths and patterns. */
  patterns: readonly string[];
  /** Of zdsup and of the app: absolute, with all that lies in them. */
  folders: readonly string[];
}

/** @returns whether a path, absolute, is passed over; a folder with all that is in it */
export function ignoring({ base, patterns, folders }: Ignored): (path: string, isFolder: boolean) => boolean {
  const names = [...NAMES, ...TEMPORARY, ...patterns.filter((pattern) => !inner(pattern).includes('/'))].map(matcher);
  const paths = patterns.filter((pattern) => inner(pattern).includes('/')).map(matcher);
  return (path, isFolder) => {
    const name = basename(path);
    const here = relative(base, path);
    // The root itself may be called as it likes.
    if (here === '') return false;
    if (folders.some((folder) => isIn(folder, path)) || names.some((matches) => matches(name))) return true;
    if (isFolder && name.startsWith('.') && name !== '.' && name !== '..') return true;
    return paths.some((matches) => matches(here) || matches(path));
  };
}

/** Without what says that a folder is meant, or that it starts from the base. */
const inner = (pattern: string): string => pattern.replace(/^\.\//, '').replace(/\/+$/, '');

function isIn(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below === '' || !(below.startsWith('..') || isAbsolute(below));
}

/** `*` and `?` stay within a name, `**` goes on through folders; what lies in a folder that matches is passed over with it. */
function matcher(pattern: string): (text: string) => boolean {
  const source = inner(pattern)
    .split(/(\*\*\/?|\*|\?)/)
    .map((part) => (part.startsWith('**') ? '.*' : part === '*' ? '[^/]*' : part === '?' ? '[^/]' : escaped(part)))
    .join('');
  const whole = new RegExp(`^${source}$`, 's');
  return (text) => whole.test(text);
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.|+(){}[\]]/g, '\\$&');
