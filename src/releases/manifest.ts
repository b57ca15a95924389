/**
 * Runs in the CLI. What a release is made of, as text: a head, a line for each entry of the tree, and a last line with the
 * hash of all before it, so that a manifest that was cut off or edited is told from a whole one.
 */
import { createHash } from 'node:crypto';

/** How a file looked in its folder when it was read: one that looks the same is not read again. */
export type Stamp = [inode: number, mtimeMs: number, ctimeMs: number];

export interface FileEntry {
  kind: 'file';
  /** Relative to the tree, with `/`. */
  path: string;
  /** Of its object: read and execute bits alone. */
  mode: number;
  size: number;
  /** SHA-256, hex. */
  hash: string;
  /** When its object was last changed: another time says that somebody wrote into the store. */
  storedMs: number;
  /** Null where it was changed so shortly before that a later change could look the same. */
  source: Stamp | null;
}

export type Entry =
  | FileEntry
  | { kind: 'folder'; path: string; mode: number }
  | { kind: 'link'; path: string; target: string }
  /** A folder that lies beside the releases. */
  | { kind: 'shared'; path: string };

/** Where the code comes from, as git has it. */
export interface Label {
  commit: string;
  subject: string;
}

export interface Head {
  id: string;
  /** The whole hash of the tree, which `id` is the begin of. */
  tree: string;
  app: string;
  /** Absolute: the folder that it was taken of. */
  source: string;
  /** What of the app's paths it stands for; absolute, logical. */
  from: string;
  /** ISO 8601 instant of its last deploy. */
  deployedAt: string;
  label: Label | null;
  message: string | null;
  /** Folders that lie beside the releases. */
  shared: string[];
  files: number;
  bytes: number;
}

export interface Manifest {
  head: Head;
  entries: Entry[];
}

const VERSION = 1;

/** Of entries that were read from a manifest the lines that they were read from: most go into the next one as they are. */
const LINE = Symbol('line');
const lineOf = (entry: Entry & { [LINE]?: string }): string | undefined => entry[LINE];

/** SHA-256 of a tree: names, kinds, modes and contents, and nothing of where and when. Entries in the order of a scan. */
export function treeHash(entries: readonly Entry[]): string {
  const hash = createHash('sha256');
  hash.update(entries.map(identityText).join('\n'));
  return hash.digest('hex');
}

function identityText(entry: Entry): string {
  const line = lineOf(entry);
  if (line === undefined) return JSON.stringify(identityOf(entry));
  // Of a file's line it is the begin: behind the hash there are numbers alone.
  return entry.kind === 'file' ? `${line.slice(0, line.lastIndexOf('"') + 1)}]` : line;
}

function identityOf(entry: Entry): (string | number)[] {
  switch (entry.kind) {
    case 'file':
      return ['f', entry.path, entry.mode, entry.hash];
    case 'folder':
      return ['d', entry.path, entry.mode];
    case 'link':
      return ['l', entry.path, entry.target];
    case 'shared':
      return ['s', entry.path];
  }
}

const rowOf = (entry: Entry): unknown[] =>
  entry.kind === 'file' ? [...identityOf(entry), entry.size, entry.storedMs, entry.source] : identityOf(entry);

export function encode({ head, entries }: Manifest): string {
  const lines = [
    JSON.stringify({ version: VERSION, ...head }),
    ...entries.map((entry) => lineOf(entry) ?? JSON.stringify(rowOf(entry))),
  ];
  const body = `${lines.join('\n')}\n`;
  return `${body}${JSON.stringify({ sha256: digest(body) })}\n`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The head alone, of a text whose hash is right. @returns in a few words what is wrong, where something is */
export function decodeHead(text: string): Head | { fault: string } {
  const whole = body(text);
  if ('fault' in whole) return whole;
  const { version, ...head } = JSON.parse(whole.body.slice(0, whole.body.indexOf('\n'))) as Head & { version: number };
  return version === VERSION ? head : { fault: `it is of version ${version}, this zdsup reads ${VERSION}` };
}

/** Of a text whose head was decoded. */
export function decodeEntries(text: string): Entry[] {
  const lines = text.split('\n').slice(1, -2);
  const rows = JSON.parse(`[${lines.join(',')}]`) as Row[];
  return rows.map((row, index) => entryOf(row, lines[index]!));
}

type Row =
  | ['f', string, number, string, number, number, Stamp | null]
  | ['d', string, number]
  | ['l', string, string]
  | ['s', string];

function entryOf(row: Row, line: string): Entry & { [LINE]: string } {
  switch (row[0]) {
    case 'f': {
      const [, path, mode, hash, size, storedMs, source] = row;
      return { kind: 'file', path, mode, hash, size, storedMs, source, [LINE]: line };
    }
    case 'd':
      return { kind: 'folder', path: row[1], mode: row[2], [LINE]: line };
    case 'l':
      return { kind: 'link', path: row[1], target: row[2], [LINE]: line };
    case 's':
      return { kind: 'shared', path: row[1], [LINE]: line };
  }
}

/** All but the last line, where that is the hash of it. */
function body(text: string): { body: string } | { fault: string } {
  if (text === '') return { fault: 'it is empty' };
  const at = text.lastIndexOf('\n', text.length - 2) + 1;
  const last = /^\{"sha256":"([0-9a-f]{64})"\}\n$/.exec(text.slice(at))?.[1];
  if (last === undefined) return { fault: 'it ends in the middle' };
  const found = text.slice(0, at);
  return digest(found) === last ? { body: found } : { fault: 'it has been changed: its hash is another' };
}

/** Of two modification times: one that was set by utimes(2) may have lost what is below a microsecond. */
export const isSameInstant = (oneMs: number, otherMs: number): boolean => Math.abs(oneMs - otherMs) < 0.01;
