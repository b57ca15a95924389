/** Runs in the log process. Writes the index of one log file. Best effort: a log without one is whole, its lines are only of unknown origin. */
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm } from 'node:fs/promises';
import type { IndexEntry } from '../shared/log-index.js';
import { indexLine, parseIndex } from '../shared/log-index.js';
import { indexPath } from '../shared/log-names.js';

/** Instants that are so close are told as one, in ms. */
const SAME_INSTANT_MS = 10;

export class FileIndex {
  private file: FileHandle | null = null;
  private pending: IndexEntry[] = [];

  constructor(private readonly path: string) {}

  /** @param size of the log file: an index that says more is of another one */
  async open(size: number): Promise<void> {
    await this.close();
    const path = indexPath(this.path);
    const flags = (await reach(path).catch(() => 0)) > size ? 'w' : 'a';
    this.file = await open(path, flags, 0o600).catch(() => null);
  }

  /** To be written by the next {@link flush}. */
  note(entry: IndexEntry): void {
    const last = this.pending.at(-1);
    const isRun =
      last !== undefined &&
      last.writer === entry.writer &&
      last.stream === entry.stream &&
      last.offset + last.length === entry.offset &&
      entry.at - last.at < SAME_INSTANT_MS;
    if (isRun) last.length += entry.length;
    else this.pending.push(entry);
  }

  async flush(): Promise<void> {
    if (this.pending.length === 0) return;
    const text = this.pending.map(indexLine).join('');
    this.pending = [];
    await this.file?.appendFile(text).catch(() => {});
  }

  /** Goes where the log file goes. */
  async putAside(archive: string): Promise<void> {
    await this.close();
    await rename(indexPath(this.path), indexPath(archive)).catch(() => rm(indexPath(this.path), { force: true }));
  }

  async close(): Promise<void> {
    await this.flush();
    await this.file?.close().catch(() => {});
    this.file = null;
  }
}

/** An entry is shorter than this, in bytes. */
const LONGEST_ENTRY = 128;

/** How far the last entry goes. */
async function reach(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const tail = Buffer.alloc(Math.min(size, 2 * LONGEST_ENTRY));
    await file.read(tail, 0, tail.length, size - tail.length);
    const last = parseIndex(tail.toString()).at(-1);
    return last ? last.offset + last.length : 0;
  } finally {
    await file.close();
  }
}
