/**
 * Runs in the CLI. One log as it grows: of the file that has the name. One that was cut is read from its beginning; one that was put aside to its
 * end first, and so is what was put aside since then: nothing is passed over, however often it is rotated between two looks.
 */
import { Cutter } from './cutter.js';
import { archivesOf, bytesBetween, bytesOf, close, indexOf, isReplaced, openLog, sizeOf } from './files.js';
import type { LogLine, Wanted } from './line.js';
import { isWanted } from './line.js';
import type { Log } from './past.js';

/** The index follows the file by a moment, in ms. */
const INDEX_LATE_MS = 30;

export class Follower {
  private file: number | null;
  private read: number;
  private cutter: Cutter;
  /** What was put aside before the file that is read now. */
  private lastArchive: string;

  constructor(
    private readonly log: Log,
    private readonly wanted: Wanted,
    /** It is asked who has written a line, and when. */
    private readonly wantsOrigin: boolean,
  ) {
    this.file = log.file;
    this.read = log.size;
    this.cutter = new Cutter(log.size, []);
    this.lastArchive = log.archives.at(-1)?.id ?? '';
  }

  /** What has come since the last look. */
  async *look(): AsyncGenerator<LogLine> {
    const { path } = this.log;
    yield* this.readOn(path);
    if (!isReplaced(path, this.file)) return;
    const aside = archivesOf(path).filter(({ id }) => id > this.lastArchive);
    // The oldest of those is the file that was read until now, unless others have put it aside.
    yield* this.readOn(aside[0]?.path ?? null);
    if (this.file !== null) close(this.file);
    for (const archive of aside.slice(this.file === null ? 0 : 1)) {
      const cutter = new Cutter(0, indexOf(archive.path));
      for await (const chunk of bytesOf(archive)) yield* this.chosen(cutter.take(chunk));
      yield* this.chosen(cutter.end());
    }
    this.lastArchive = aside.at(-1)?.id ?? this.lastArchive;
    this.file = openLog(path);
    this.read = 0;
    this.cutter = new Cutter(0, []);
    yield* this.readOn(path);
  }

  /** @param named where its index is found by now */
  private async *readOn(named: string | null): AsyncGenerator<LogLine> {
    if (this.file === null) return;
    if (sizeOf(this.file) < this.read) {
      this.read = 0;
      this.cutter = new Cutter(0, []);
    }
    const size = sizeOf(this.file);
    if (size === this.read) return;
    if (this.wantsOrigin && named !== null) this.cutter.entries = await this.freshIndex(named, size);
    for (const chunk of bytesBetween(this.file, this.read, size)) {
      this.read += chunk.length;
      yield* this.chosen(this.cutter.take(chunk));
    }
  }

  private async freshIndex(named: string, size: number): Promise<Cutter['entries']> {
    for (let tries = 3; ; tries -= 1) {
      const entries = indexOf(named);
      const last = entries.at(-1);
      if (last === undefined || last.offset + last.length >= size || tries === 0) return entries;
      await new Promise((resolve) => setTimeout(resolve, INDEX_LATE_MS));
    }
  }

  private *chosen(lines: Iterable<LogLine>): Generator<LogLine> {
    for (const line of lines) if (isWanted(line, this.wanted)) yield line;
  }
}
