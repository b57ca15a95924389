/**
 * Runs in the master. Owns the journal of its app: appends entries, one JSON object a line, through one open descriptor, each batch made durable by
 * fdatasync(2) off the decision path. Nobody waits for it; what the disk does not take is kept for a while and tried again
 * with the next entry, and told once. When it has grown big it becomes `<path>.1`, in the place of the one before.
 */
import { constants, readFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { NewEntry } from '../shared/journal-entry.js';
import { lastKilled, lastRolloutId, parseJournal } from '../shared/journal-entry.js';

/** Bytes of one file, of which there are two at most. */
const MAX_BYTES = 1024 * 1024;
/** Bytes that wait for a disk which takes nothing; what comes then is counted alone. */
const MAX_WAITING_BYTES = 256 * 1024;
/** How long the end of the master waits for the disk, in ms. */
const CLOSE_MS = 1_000;

export interface JournalOptions {
  /** Absolute. */
  path: string;
  /** Told why entries cannot be written: once, until they can be again. */
  failed(why: string): void;
  maxBytes?: number;
  maxWaitingBytes?: number;
  /** For tests: a disk that is full. */
  openFile?: (path: string) => Promise<FileHandle>;
}

/** Never through a link: who could lay one there would have the master write elsewhere. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const openForAppend = (path: string): Promise<FileHandle> => open(path, FLAGS, 0o600);

/** What a master that begins is to know of those before it. */
export interface Past {
  /** The highest id of a rollout; 0 where there is none. */
  lastRolloutId: number;
  /** The process id of the one before, where it has not said its end. */
  killed: number | undefined;
}

/** Waits for the disk: for the start of a master alone. Whatever cannot be read numbers from 1. */
export function pastAt(path: string): Past {
  const last = parseJournal(textOf(path));
  // Ids rise: those in the older file are lower.
  const id = lastRolloutId(last) || lastRolloutId(parseJournal(textOf(`${path}.1`)));
  return { lastRolloutId: id, killed: lastKilled(last) };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export class Journal {
  /** Lines that are not on the disk yet. */
  private waiting: string[] = [];
  private waitingBytes = 0;
  /** Entries that found no room in `waiting`. */
  private lostCount = 0;
  private writing: Promise<void> | null = null;
  private file: { handle: FileHandle; ino: number; bytes: number; torn: boolean } | null = null;
  private isTold = false;

  constructor(private readonly options: JournalOptions) {}

  /** Returns at once. */
  append(entry: NewEntry): void {
    const line = lineOf(entry);
    if (this.waitingBytes + line.length > (this.options.maxWaitingBytes ?? MAX_WAITING_BYTES)) this.lostCount += 1;
    else {
      this.waiting.push(line);
      this.waitingBytes += line.length;
    }
    this.writing ??= this.writeAll();
  }

  /** Settles when all is on the disk, or after a second: a disk that hangs keeps no master from ending. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([this.written().then(() => this.leave()), late]);
    clearTimeout(timer);
  }

  /** Settles when nothing more is being written; what the disk has refused may still wait. */
  async written(): Promise<void> {
    while (this.writing !== null) await this.writing;
  }

  /** One batch after the other, until none waits or the disk refuses. Never rejects. */
  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0 || this.lostCount > 0) {
      const [count, lostCount] = [this.waiting.length, this.lostCount];
      try {
        await this.write(this.waiting.join('') + (lostCount === 0 ? '' : lineOf({ type: 'gap', count: lostCount })));
      } catch (error) {
        this.tellOnce((error as Error).message);
        break;
      }
      this.lostCount -= lostCount;
      for (const line of this.waiting.splice(0, count)) this.waitingBytes -= line.length;
    }
    this.writing = null; // Here, in the moment that found nothing left: what comes next begins anew.
  }

  private async write(text: string): Promise<void> {
    await this.find(Buffer.byteLength(text));
    const { file } = this;
    const bytes = Buffer.from(file!.torn ? `\n${text}` : text);
    try {
      await file!.handle.appendFile(bytes);
    } catch (error) {
      // Part of it may be there: the whole is written again, once there is room.
      const isWhole = await file!.handle.truncate(file!.bytes).then(
        () => true,
        () => false,
      );
      file!.torn ||= !isWhole;
      throw error;
    }
    file!.bytes += bytes.length;
    file!.torn = false;
    // What has been written is not written again: whether it will outlive the host is all that is uncertain.
    await file!.handle.datasync().then(
      () => {
        this.isTold = false;
      },
      (error: Error) => this.tellOnce(error.message),
    );
  }

  /** The file of that name, also where somebody has moved it away since, with room for so many bytes. */
  private async find(bytes: number): Promise<void> {
    const { path, maxBytes = MAX_BYTES } = this.options;
    const there = await stat(path).catch(() => null);
    if (this.file !== null && there?.ino !== this.file.ino) await this.leave();
    if (this.file !== null) {
      this.file.bytes = there!.size; // Somebody may have cut it.
      if (there!.size === 0 || there!.size + bytes <= maxBytes) return;
      await rename(path, `${path}.1`);
      await this.leave();
    }
    await mkdir(dirname(path), { mode: 0o700 }).catch(() => {}); // Mostly it is there; where it cannot be made, the next line says so.
    const handle = await (this.options.openFile ?? openForAppend)(path);
    try {
      const { ino, size } = await handle.stat();
      this.file = { handle, ino, bytes: size, torn: await isTorn(handle, size) };
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
  }

  private async leave(): Promise<void> {
    const { file } = this;
    this.file = null;
    await file?.handle.close().catch(() => {});
  }

  private tellOnce(why: string): void {
    if (this.isTold) return;
    this.isTold = true;
    this.options.failed(why);
  }
}

const lineOf = (entry: NewEntry): string => `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`;

/** Its last line has no end: the master before was killed in the middle of it. */
async function isTorn(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  return last.toString() !== '\n';
}
