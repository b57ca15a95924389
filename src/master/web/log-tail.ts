/**
 * Runs in the master. The end of the app's log, and what is written to it, while somebody looks. Reads little at a time and off the event loop; what comes
 * faster is passed over.
 */
import type { FileHandle } from 'node:fs/promises';
import { constants, open } from 'node:fs/promises';

/** How often it looks, in ms. */
const LOOK_MS = 500;
/** So much is read at once; where more was written, the rest before it is passed over. */
export const MOST_BYTES = 64 * 1024;
/** Lines of the past that are shown. */
export const PAST_LINES = 100;
/** Of a line, in characters. */
const LONGEST_LINE = 2_000;

/** A file and nothing else: where the master is root's, whoever may write beside the log must not have other files shown. */
async function openLog(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new Error('it is no file');
}

export class LogTail {
  private timer: NodeJS.Timeout | null = null;
  private looking = false;
  private file: { path: string; handle: FileHandle; ino: number; offset: number } | null = null;
  /** A line whose end is still to come. */
  private rest = '';
  private begun = false;
  /** What was told last: for whoever comes later. */
  recent: readonly string[] = [];

  /** @param path where the log is now; undefined: nowhere */
  constructor(
    private readonly path: () => string | undefined,
    private readonly tell: (lines: string[]) => void,
  ) {}

  start(): void {
    if (this.timer) return;
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
    void this.look();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    this.begun = false;
    this.recent = [];
    if (!this.looking) this.forget();
  }

  private forget(): void {
    const { file } = this;
    this.file = null;
    this.rest = '';
    void file?.handle.close().catch(() => {});
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.read();
    } catch {
      this.forget(); // It is being rotated, or cannot be read: another look will tell.
    } finally {
      this.looking = false;
      if (!this.timer) this.forget();
    }
  }

  private async read(): Promise<void> {
    const path = this.path();
    if (path === undefined) return;
    const isNew = !this.begun;
    if (this.file !== null && this.file.path === path) await this.readMore(this.file, false);
    if (!(await this.isStill(path))) {
      this.forget();
      const handle = await openLog(path);
      const { ino, size } = await handle.stat();
      this.file = { path, handle, ino, offset: isNew ? Math.max(0, size - MOST_BYTES) : 0 };
      await this.readMore(this.file, isNew);
    }
    this.begun = true;
  }

  /** Rotation puts another file in its place. */
  private async isStill(path: string): Promise<boolean> {
    if (this.file === null || this.file.path !== path) return false;
    const handle = await openLog(path);
    try {
      return (await handle.stat()).ino === this.file.ino;
    } finally {
      await handle.close();
    }
  }

  private async readMore(file: NonNullable<LogTail['file']>, isPast: boolean): Promise<void> {
    const { size } = await file.handle.stat();
    if (size < file.offset) file.offset = 0; // It was cut.
    const isCut = size - file.offset > MOST_BYTES || (isPast && file.offset > 0);
    if (size - file.offset > MOST_BYTES) {
      file.offset = size - MOST_BYTES;
      this.rest = '';
    }
    if (size === file.offset) return;
    const buffer = Buffer.alloc(size - file.offset);
    const { bytesRead } = await file.handle.read(buffer, 0, buffer.length, file.offset);
    file.offset += bytesRead;
    const lines = (this.rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
    this.rest = lines.pop()!.slice(0, MOST_BYTES);
    if (isCut) lines.shift(); // It begins in the middle.
    const shown = lines.slice(isPast ? -PAST_LINES : 0).map((line) => line.slice(0, LONGEST_LINE));
    if (shown.length === 0 || !this.timer) return;
    this.recent = [...this.recent, ...shown].slice(-PAST_LINES);
    this.tell(shown);
  }
}
