/** Runs in the CLI. What a log has by now: its last lines, read from the end, or all since an instant; also of what was put aside. */
import { entryAt } from '../../shared/log-index.js';
import type { Archive } from '../../shared/log-names.js';
import { archivePath } from '../../shared/log-names.js';
import { Cutter } from './cutter.js';
import { archivesOf, bytesBetween, bytesOf, close, indexOf, openLog, sizeOf } from './files.js';
import type { LogLine, Wanted } from './line.js';
import { isWanted } from './line.js';

/** So much of the end is looked at first, and then ever more, in bytes. */
const FIRST_LOOK = 256 * 1024;
const NEWLINE = 10;

/** A log as it was at one instant: what comes later is not the past. */
export interface Log {
  path: string;
  /** The one that is written; null: there is none. */
  file: number | null;
  size: number;
  /** Put aside before that one, the oldest first. */
  archives: Archive[];
}

export function openAt(path: string): Log {
  for (;;) {
    const archives = archivesOf(path);
    const file = openLog(path);
    // Put aside in between: it would be shown twice, or not at all.
    if (archivesOf(path).at(-1)?.id === archives.at(-1)?.id)
      return { path, file, size: file === null ? 0 : sizeOf(file), archives };
    if (file !== null) close(file);
  }
}

/** The last `count` lines that are wanted. */
export async function lastLines(log: Log, count: number, wanted: Wanted): Promise<LogLine[]> {
  if (count === 0) return [];
  let found = log.file === null ? [] : lastOfFile(log.path, log.file, log.size, count, wanted);
  for (const archive of log.archives.toReversed()) {
    if (found.length >= count || isOlder(log.path, archive.id, wanted)) break;
    const kept = new Last(count - found.length);
    for await (const line of linesOf(log.path, archive)) if (isWanted(line, wanted)) kept.add(line);
    found = [...kept.lines(), ...found];
  }
  return found;
}

/** All that are wanted, the oldest first. */
export async function* allLines({ path, file, size, archives }: Log, wanted: Wanted): AsyncGenerator<LogLine> {
  for (const archive of archives)
    if (!isOlder(path, archive.id, wanted))
      for await (const line of linesOf(path, archive)) if (isWanted(line, wanted)) yield line;
  if (file === null) return;
  const cutter = new Cutter(0, indexOf(path));
  for (const chunk of bytesBetween(file, 0, size))
    for (const line of cutter.take(chunk)) if (isWanted(line, wanted)) yield line;
  for (const line of cutter.end()) if (isWanted(line, wanted)) yield line;
}

/** Its name says when it was put aside: by then all of it was written. */
const isOlder = (path: string, id: string, { since }: Wanted): boolean =>
  since !== undefined && id < archiveName(path, since);

const archiveName = (path: string, at: number): string => archivePath(path, at).slice(path.lastIndexOf('/') + 1);

async function* linesOf(path: string, archive: Archive): AsyncGenerator<LogLine> {
  const cutter = new Cutter(0, indexOf(archive.path));
  try {
    for await (const chunk of bytesOf(archive)) yield* cutter.take(chunk);
  } catch (error) {
    process.stderr.write(`${archive.id} of ${path} cannot be read: ${(error as Error).message}\n`);
  }
  yield* cutter.end();
}

/** However big the file is, no more of its end is read than has the lines in it, but for a factor. */
function lastOfFile(path: string, file: number, size: number, count: number, wanted: Wanted): LogLine[] {
  const entries = indexOf(path);
  for (let look = FIRST_LOOK; ; look *= 8) {
    const from = startOfLine(file, Math.max(0, size - look), size);
    const cutter = new Cutter(from, entries);
    const kept = new Last(count);
    for (const chunk of bytesBetween(file, from, size))
      for (const line of cutter.take(chunk)) if (isWanted(line, wanted)) kept.add(line);
    for (const line of cutter.end()) if (isWanted(line, wanted)) kept.add(line);
    const reachesBack = wanted.since !== undefined && (entryAt(entries, from)?.at ?? wanted.since) < wanted.since;
    if (kept.isFull || from === 0 || reachesBack) return kept.lines();
  }
}

/** The first line that begins at `from` or later; the beginning of the file where none does. */
function startOfLine(file: number, from: number, size: number): number {
  if (from === 0) return 0;
  let at = from - 1;
  for (const chunk of bytesBetween(file, at, size)) {
    const newline = chunk.indexOf(NEWLINE);
    if (newline !== -1) return at + newline + 1;
    at += chunk.length;
  }
  return size;
}

/** The last ones of many. */
class Last {
  private kept: LogLine[] = [];
  private next = 0;

  constructor(private readonly count: number) {}

  get isFull(): boolean {
    return this.kept.length === this.count;
  }

  add(line: LogLine): void {
    // What is read lies in large pieces: one line must not hold on to all of it.
    const own = { ...line, bytes: Buffer.from(line.bytes) };
    if (!this.isFull) this.kept.push(own);
    else {
      this.kept[this.next] = own;
      this.next = (this.next + 1) % this.count;
    }
  }

  lines(): LogLine[] {
    return [...this.kept.slice(this.next), ...this.kept.slice(0, this.next)];
  }
}
