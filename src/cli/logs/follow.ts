/**
 * Runs in the CLI. One log as it grows: of the file that has the name. One that was cut is read from its beginning; one that was put aside to its
 * end first, and so is what was put aside since then: nothing is passed over, however often it is rotated between two looks.
 */
import type { Archive } from '../../shared/log-names.js';
import { Cutter } from './cutter.js';
import { archivesOf, bytesBetween, bytesOf, close, indexOf, isReplaced, sizeOf } from './files.js';
import type { LogLine, Wanted } from './line.js';
import { isWanted } from './line.js';
import type { Log } from './past.js';
import { openAt } from './past.js';

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
    while (isReplaced(path, this.file)) {
      yield* this.leave();
      yield* this.enter();
      yield* this.readOn(path);
    }
  }

  /** The file has been put aside, the first of all that were since it was opened; or somebody has renamed or removed it. */
  private async *leave(): AsyncGenerator<LogLine> {
    if (this.file === null) return;
    const own = this.nextArchive();
    yield* this.readOn(own?.path ?? null);
    close(this.file);
    this.file = null;
    this.lastArchive = own?.id ?? this.lastArchive;
  }

  /** Past all that was put aside meanwhile, also while that is read. */
  private async *enter(): AsyncGenerator<LogLine> {
    const { path } = this.log;
    for (;;) {
      const archive = this.nextArchive();
      if (archive !== undefined) {
        const cutter = new Cutter(0, this.wantsOrigin ? indexOf(archive.path) : []);
        for await (const chunk of bytesOf(archive)) yield* this.chosen(cutter.take(chunk));
        yield* this.chosen(cutter.end());
        this.lastArchive = archive.id;
        continue;
      }
      const { file, archives } = openAt(path);
      this.file = file;
      this.read = 0;
      this.cutter = new Cutter(0, []);
      if ((archives.at(-1)?.id ?? '') <= this.lastArchive) return;
      if (file !== null) close(file);
      this.file = null;
    }
  }

  private nextArchive(): Archive | undefined {
    return archivesOf(this.log.path).find(({ id }) => id > this.lastArchive);
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
