/**
 * Runs in the log process. One log file: what is to be written waits in a queue of bounded length, in order. A disk that is merely slow holds up
 * whoever writes, and nothing is lost; one that is full or stands still holds up nobody: what finds no room is dropped and counted, and the file says
 * so once it can be written again.
 */
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogRotation } from '../shared/config.js';
import type { LogStream, LogTarget, LogWriter } from '../shared/log-messages.js';
import { archivePath } from '../shared/log-names.js';
import { formatSize } from '../shared/units.js';
import { Archives } from './archives.js';
import { FileIndex } from './file-index.js';

/** Whole lines of one writer, but for the pieces of a very long one. */
export interface Piece {
  bytes: Buffer;
  writer: LogWriter;
  stream: LogStream;
  /** When it was read, in ms since 1970. */
  at: number;
}

/** Memory for what waits, in bytes. */
const MOST_QUEUED = 4 * 2 ** 20;
/** So much of it must be written before more is taken. */
const ENOUGH_ROOM = MOST_QUEUED / 2;
/** Written at once at most, in bytes. */
const BATCH = 512 * 1024;
/** A write that takes longer tells of a disk that stands still, in ms. */
const STALL_MS = 500;
/** Between two tries to write to a file that refuses, in ms. */
const RETRY_MS = 500;
/** A file that does not let itself be put aside is left to grow for so long, in ms. */
const ROTATE_AGAIN_MS = 60_000;
/** A line that never ends keeps a file from being put aside for so long, in bytes: the length from which lines are parted (source.ts). */
const LONGEST_WHOLE_LINE = 256 * 1024;
/** How often it is looked whether somebody has cut or taken away the file, in ms. */
const LOOK_MS = 1_000;

const NEWLINE = 10;

export interface LogFileHooks {
  app: string;
  /** There is room again, or none will be waited for: those who wait may go on. */
  goOn(): void;
  changed(): void;
}

export class LogFile {
  rotation: LogRotation;
  readonly dropped = { lines: 0, bytes: 0 };
  trouble: string | null = null;
  private readonly path: string;
  private readonly index: FileIndex;
  private readonly archives: Archives;
  private queue: Piece[] = [];
  private queuedBytes = 0;
  /** Of the queue: who has written its last piece, where that ends in mid-line. */
  private unfinishedBy: Piece | null = null;
  private file: FileHandle | null = null;
  /** Not a pipe or a device, which know no size and no place. */
  private isFile = true;
  private size = 0;
  private begunAt = 0;
  private lookedAt = 0;
  private lastArchiveAt = 0;
  private rotateNotBefore = 0;
  private reopening = false;
  /** Of a line that is not ended yet, what is written of it, in bytes. */
  private begunLine = 0;
  private running: Promise<void> | null = null;
  /** Since when a write is under way, by the steady clock. */
  private writingSince: number | null = null;
  private stallTimer: NodeJS.Timeout | null = null;
  /** What found no room since the file was last written. */
  private gap: { lines: number; bytes: number; from: number; why: string } | null = null;
  private waker: (() => void) | null = null;

  constructor(
    { file, rotation }: LogTarget,
    private readonly hooks: LogFileHooks,
  ) {
    this.path = file;
    this.rotation = rotation;
    this.index = new FileIndex(file);
    this.archives = new Archives(file);
    this.archives.tidy(rotation);
    this.reopen(); // Who may not write there is told at once.
  }

  /** @returns whether it takes more; else {@link LogFileHooks.goOn} says when it does */
  push(piece: Piece): boolean {
    if (this.gap !== null) {
      this.drop(piece);
      return true;
    }
    this.enqueue(piece);
    if (this.queuedBytes <= MOST_QUEUED) return true;
    if (this.trouble === null && !this.isStalled()) {
      this.watchStall();
      return false;
    }
    this.openGap();
    return true;
  }

  reopen(): void {
    this.reopening = true;
    this.start();
  }

  /** Settles when all that waits by now is written, or cannot be. */
  async flush(): Promise<void> {
    while (this.running !== null && this.trouble === null) await Promise.race([this.running, pause(RETRY_MS)]);
  }

  /**
   * @param withinMs what cannot be written by then is given up
   * @returns whether all of it is written
   */
  async close(withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs;
    while (this.running !== null && performance.now() < until) {
      this.waker?.();
      await Promise.race([this.running, pause(RETRY_MS)]);
    }
    if (this.running !== null) return false;
    await this.archives.idle();
    await this.index.close();
    await this.file?.close().catch(() => {});
    return true;
  }

  private enqueue(piece: Piece): void {
    const { unfinishedBy } = this;
    if (unfinishedBy !== null && (unfinishedBy.writer !== piece.writer || unfinishedBy.stream !== piece.stream))
      this.add({ ...unfinishedBy, bytes: Buffer.from('\n') });
    this.add(piece);
    this.unfinishedBy = piece.bytes.at(-1) === NEWLINE ? null : piece;
    this.start();
  }

  private add(piece: Piece): void {
    this.queue.push(piece);
    this.queuedBytes += piece.bytes.length;
  }

  private openGap(): void {
    this.gap = { lines: 0, bytes: 0, from: Date.now(), why: this.trouble ?? 'the disk did not answer' };
    this.hooks.goOn();
  }

  private drop({ bytes }: Piece): void {
    const lines = linesIn(bytes);
    for (const tally of [this.dropped, this.gap!]) {
      tally.lines += lines;
      tally.bytes += bytes.length;
    }
    this.hooks.changed();
  }

  private isStalled(): boolean {
    return this.writingSince !== null && performance.now() - this.writingSince > STALL_MS;
  }

  /** Whoever waits for room waits for a disk that moves. */
  private watchStall(): void {
    this.stallTimer ??= setTimeout(() => {
      this.stallTimer = null;
      if (this.queuedBytes <= ENOUGH_ROOM || this.gap !== null) return;
      if (this.isStalled()) this.openGap();
      else this.watchStall();
    }, STALL_MS / 2);
  }

  private start(): void {
    this.running ??= this.run().finally(() => {
      this.running = null;
      if (this.queue.length > 0 || this.reopening) this.start();
    });
  }

  /** One at a time; never rejects. */
  private async run(): Promise<void> {
    while (this.queue.length > 0 || this.reopening) {
      try {
        this.writingSince = performance.now();
        await this.prepare();
        if (this.queue.length > 0) await this.writeBatch();
        this.setTrouble(null);
      } catch (error) {
        this.setTrouble(wordsOf(error as NodeJS.ErrnoException));
      } finally {
        this.writingSince = null;
      }
      if (this.trouble !== null) await this.waitToRetry();
      this.makeRoom();
    }
  }

  private makeRoom(): void {
    if (this.queuedBytes > ENOUGH_ROOM || this.trouble !== null) return;
    const { gap } = this;
    if (gap !== null) {
      this.gap = null;
      this.enqueue(this.told(gap));
    }
    this.hooks.goOn();
  }

  /** A line as the master's own are, so that whoever reads those finds it. */
  private told({ lines, bytes, from, why }: NonNullable<typeof this.gap>): Piece {
    const now = Date.now();
    const time = new Date(now).toISOString();
    const what = `dropped ${lines.toLocaleString('en')} ${lines === 1 ? 'line' : 'lines'} (${formatSize(bytes)})`;
    const msg = `${what} since ${new Date(from).toISOString()}: ${why}`;
    const said = { level: 'warn', time, app: this.hooks.app, name: 'zdsup', kind: 'lines-dropped', lines, bytes, msg };
    return { bytes: Buffer.from(`${JSON.stringify(said)}\n`), writer: null, stream: 'err', at: now };
  }

  private setTrouble(trouble: string | null): void {
    if (this.trouble === trouble) return;
    this.trouble = trouble;
    this.hooks.changed();
    if (trouble !== null && this.queuedBytes > MOST_QUEUED && this.gap === null) this.openGap();
  }

  private waitToRetry(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, RETRY_MS);
      this.waker = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The file is open, is the one that has the name, and has room by its own limits. */
  private async prepare(): Promise<void> {
    if (this.reopening || (this.file !== null && (await this.isTakenAway()))) {
      this.reopening = false;
      await this.file?.close().catch(() => {});
      this.file = null;
    }
    if (this.file === null) await this.open();
    if (this.isDue()) await this.rotate();
  }

  private async open(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const file = await open(this.path, 'a+', 0o600);
    const info = await file.stat();
    const { size, birthtimeMs, mtimeMs } = info;
    this.file = file;
    this.isFile = info.isFile();
    this.size = size;
    this.begunLine = 0;
    this.begunAt = size === 0 ? Date.now() : birthtimeMs || mtimeMs;
    if (!this.isFile) return;
    await this.index.open(size);
    // A line that was cut short by a full disk, or a host that went down.
    const last = Buffer.alloc(1);
    if (size > 0 && (await file.read(last, 0, 1, size - 1)).bytesRead === 1 && last[0] !== NEWLINE)
      this.size += (await file.write(Buffer.from('\n'))).bytesWritten;
  }

  /** Cut (`copytruncate`), renamed or removed by somebody who has not said so. */
  private async isTakenAway(): Promise<boolean> {
    const now = performance.now();
    if (now - this.lookedAt < LOOK_MS || !this.isFile) return false;
    this.lookedAt = now;
    const [mine, named] = await Promise.all([this.file!.stat(), stat(this.path).catch(() => null)]);
    if (named === null || named.ino !== mine.ino || named.dev !== mine.dev) return true;
    return mine.size < this.size;
  }

  private isDue(): boolean {
    const { maxSizeBytes, maxAgeMs } = this.rotation;
    const next = this.queue[0]?.bytes.length ?? 0;
    if (!this.isFile || this.size === 0 || next === 0 || Date.now() < this.rotateNotBefore) return false;
    if (this.begunLine > 0 && this.begunLine < LONGEST_WHOLE_LINE) return false;
    if (maxSizeBytes !== null && this.size + next > maxSizeBytes) return true;
    return maxAgeMs !== null && Date.now() - this.begunAt >= maxAgeMs;
  }

  private async rotate(): Promise<void> {
    this.lastArchiveAt = Math.max(this.lastArchiveAt + 1, Date.now());
    const archive = archivePath(this.path, this.lastArchiveAt);
    try {
      await rename(this.path, archive);
    } catch (error) {
      this.rotateNotBefore = Date.now() + ROTATE_AGAIN_MS;
      this.hooks.changed();
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
    }
    await this.file!.close().catch(() => {});
    this.file = null;
    await this.index.putAside(archive);
    this.archives.tidy(this.rotation);
    await this.open();
  }

  private async writeBatch(): Promise<void> {
    const { maxSizeBytes } = this.rotation;
    const limit = Math.min(BATCH, maxSizeBytes === null ? BATCH : Math.max(1, maxSizeBytes - this.size));
    const pieces: Piece[] = [];
    let bytes = 0;
    for (const piece of this.queue) {
      if (pieces.length > 0 && (bytes + piece.bytes.length > limit || pieces.length === MOST_BUFFERS)) break;
      pieces.push(piece);
      bytes += piece.bytes.length;
    }
    const { bytesWritten } = await this.file!.writev(pieces.map((piece) => piece.bytes));
    this.written(pieces, bytesWritten);
    await this.index.flush();
    if (bytesWritten === 0 && bytes > 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
  }

  /** A disk that is nearly full takes a part: the rest stays the first in the queue. */
  private written(pieces: Piece[], bytesWritten: number): void {
    let left = bytesWritten;
    let whole = 0;
    for (const piece of pieces) {
      const length = Math.min(left, piece.bytes.length);
      if (length > 0) {
        const { writer, stream, at } = piece;
        this.index.note({ offset: this.size, length, at, writer, stream });
        const lineEnd = piece.bytes.subarray(0, length).lastIndexOf(NEWLINE) + 1;
        this.begunLine = lineEnd === 0 ? this.begunLine + length : length - lineEnd;
      }
      this.size += length;
      left -= length;
      if (length < piece.bytes.length) {
        piece.bytes = piece.bytes.subarray(length);
        break;
      }
      whole += 1;
    }
    this.queue.splice(0, whole);
    this.queuedBytes -= bytesWritten;
  }
}

/** Of one writev: IOV_MAX of Linux. */
const MOST_BUFFERS = 1_024;

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1;
  return lines;
}

const WORDS: Record<string, string> = {
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'no permission to write there',
  EIO: 'the disk fails',
};

const wordsOf = ({ code, message }: NodeJS.ErrnoException): string => WORDS[code ?? ''] ?? message;
