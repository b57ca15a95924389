/**
 * Runs in the CLI. The contents of all releases, each once, under its hash. A new one lies in the temporary folder until
 * it is on the disk, and is then renamed: an object is whole or not there.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { Unsteady } from './failure.js';
import { objectPath, objectsDir } from './layout.js';
import type { Entry, FileEntry } from './manifest.js';
import { isSameInstant } from './manifest.js';
import type { Look } from './scan.js';
import { vanished } from './scan.js';

/** A file's bytes are held in memory up to this size; a larger one is written as it is read. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** More new files than these are made durable by one flush of the file system, fewer one by one. */
const FLUSHED_ONE_BY_ONE = 64;
/** A change so short after another one may have the same time: kernels keep time in ticks. */
const TICK_MS = 100;

/** Never more than its owner had given: read and execute bits. */
export const modeOf = ({ mode }: Pick<Stats, 'mode'>): number => (mode & 0o555) | 0o400;

export class NewObjects {
  /** By where they will lie, where they lie yet. */
  private readonly pending = new Map<string, string>();
  /** Of those that are pending. */
  private readonly hashes = new Set<string>();
  private readonly chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  /** Where those lie of which the disk has not been told yet. */
  private unflushed: string[] = [];
  private flushing: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly store: string,
    private readonly temporary: string,
  ) {}

  /** Is the content of that entry in the store, and has nobody written into it? */
  has(entry: FileEntry): boolean {
    const object = objectPath(this.store, entry.hash, entry.mode);
    return isAsStored(this.pending.get(object) ?? object, entry);
  }

  /**
   * Reads a file and keeps its content, where it is not in the store yet.
   * @throws Unsteady where it is not, to its end, the file that was seen
   */
  add(path: string, absolute: string, seen: Look): FileEntry {
    const fd = openSteady(absolute);
    try {
      const readAt = Date.now();
      const before = fstatSync(fd);
      if (!isSame(before, seen)) throw new Unsteady(absolute);
      const mode = modeOf(before);
      const { hash, written } = this.copy(fd, before.size, absolute);
      if (!isSame(fstatSync(fd), before)) throw new Unsteady(absolute);
      const storedMs = this.keep(hash, written, before, mode);
      const isOld = before.ctimeMs < readAt - TICK_MS && before.mtimeMs < readAt - TICK_MS;
      const source = isOld ? ([before.ino, before.mtimeMs, before.ctimeMs] as const) : null;
      return { kind: 'file', path, mode, size: before.size, hash, storedMs, source: source && [...source] };
    } finally {
      closeSync(fd);
    }
  }

  /** Of a file up to one chunk the bytes; a larger one lies in the temporary folder when it has been hashed. */
  private copy(fd: number, size: number, absolute: string): { hash: string; written: Buffer | string } {
    const hash = createHash('sha256');
    if (size < CHUNK_BYTES) {
      const length = readFully(fd, this.chunk);
      if (length !== size) throw new Unsteady(absolute);
      const bytes = this.chunk.subarray(0, length);
      return { hash: hash.update(bytes).digest('hex'), written: bytes };
    }
    const place = `${this.temporary}/object-${this.pending.size}`;
    const out = openSync(place, 'w', 0o600);
    try {
      for (let total = 0; ; ) {
        const length = readFully(fd, this.chunk);
        if (length === 0 && total !== size) throw new Unsteady(absolute);
        if (length === 0) return { hash: hash.digest('hex'), written: place };
        total += length;
        hash.update(this.chunk.subarray(0, length));
        writeFully(out, this.chunk.subarray(0, length));
      }
    } finally {
      closeSync(out);
    }
  }

  /** @returns the time that the object bears */
  private keep(hash: string, content: Buffer | string, { size, mtimeMs }: Stats, mode: number): number {
    const object = objectPath(this.store, hash, mode);
    const there = this.pending.has(object) ? lstatSync(this.pending.get(object)!) : intact(object, size, hash);
    if (there !== null) {
      if (typeof content === 'string') unlinkSync(content);
      return there.mtimeMs;
    }
    const place = typeof content === 'string' ? content : `${this.temporary}/object-${this.pending.size}`;
    const fd = openSync(place, typeof content === 'string' ? 'r+' : 'w', 0o600);
    try {
      if (typeof content !== 'string') writeFully(fd, content);
      fchmodSync(fd, mode);
      futimesSync(fd, mtimeMs / 1000, mtimeMs / 1000);
      this.pending.set(object, place);
      this.hashes.add(hash);
      this.unflushed.push(place);
      return fstatSync(fd).mtimeMs;
    } finally {
      closeSync(fd);
    }
  }

  /** Has the disk take what is new so far, while this process goes on. */
  beginFlush(): void {
    const places = this.unflushed;
    if (places.length === 0) return;
    this.unflushed = [];
    this.flushing = Promise.all([this.flushing, flush(places)]);
    this.flushing.catch(() => {}); // Awaited where they are published.
  }

  /** What the release of these entries has of it is no longer in the store as it was: lost, or written into. */
  mends(entries: readonly Entry[]): boolean {
    return this.pending.size > 0 && this.neededOf(entries).length > 0;
  }

  /**
   * Puts those of these entries in their places, once they are on the disk: a host that goes down leaves no half an object under a whole one's
   * name. That the names are there still is not waited for: a release has names of its own for the same files.
   * @returns how many bytes they have
   */
  async publish(entries: readonly Entry[]): Promise<number> {
    if (this.pending.size === 0) return 0;
    this.beginFlush();
    await this.flushing;
    const needed = this.neededOf(entries);
    for (const folder of new Set(needed.map(([object]) => dirname(object))))
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    let bytes = 0;
    for (const [object, place] of needed) {
      bytes += lstatSync(place).size;
      renameSync(place, object);
    }
    this.pending.clear();
    this.hashes.clear();
    return bytes;
  }

  /** By the hash first: a path for each of thousands of entries would take longer than all else here. */
  private neededOf(entries: readonly Entry[]): [object: string, place: string][] {
    const found = new Map<string, string>();
    for (const entry of entries) {
      if (entry.kind !== 'file' || !this.hashes.has(entry.hash)) continue;
      const object = objectPath(this.store, entry.hash, entry.mode);
      const place = this.pending.get(object);
      if (place !== undefined) found.set(object, place);
    }
    return [...found];
  }
}

/** Is the content of that entry in the store, and has nobody written into it? */
export const isStored = (store: string, entry: FileEntry): boolean =>
  isAsStored(objectPath(store, entry.hash, entry.mode), entry);

function isAsStored(path: string, { size, storedMs }: FileEntry): boolean {
  const info = lstatSync(path, { throwIfNoEntry: false });
  return info?.size === size && isSameInstant(info.mtimeMs, storedMs);
}

/** Null where it is not there, was not on the disk yet when the host went down, or somebody wrote into it. */
function intact(object: string, size: number, hash: string): Stats | null {
  const info = lstatSync(object, { throwIfNoEntry: false });
  return info?.size === size && hashOf(object) === hash ? info : null;
}

/** Piece by piece: Node reads no file beyond 2 GiB in one. */
export function hashOf(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, fstatSync(fd).size + 1));
    for (;;) {
      const length = readFully(fd, chunk);
      hash.update(chunk.subarray(0, length));
      if (length < chunk.length) return hash.digest('hex');
    }
  } finally {
    closeSync(fd);
  }
}

function openSteady(absolute: string): number {
  try {
    // What was a file a moment ago may be a link or a fifo by now.
    return openSync(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw vanished(error, absolute);
  }
}

const isSame = (a: Stats, b: Look): boolean =>
  a.isFile() &&
  a.ino === b.ino &&
  a.size === b.size &&
  a.mtimeMs === b.mtimeMs &&
  a.ctimeMs === b.ctimeMs &&
  a.mode === b.mode;

function readFully(fd: number, into: Buffer): number {
  let length = 0;
  while (length < into.length) {
    const more = readSync(fd, into, length, into.length - length, null);
    if (more === 0) break;
    length += more;
  }
  return length;
}

function writeFully(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** fsync(2) on whatever descriptor of a file writes that file, so one for reading will do. */
export function fsyncPath(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const run = promisify(execFile);

/**
 * 5,000 times fsync(2) take minutes on a disk that turns; syncfs(2), which Node has not, waits once. A few are waited for
 * together: a file system takes them in one go.
 */
async function flush(paths: string[]): Promise<void> {
  if (paths.length > FLUSHED_ONE_BY_ONE) {
    try {
      await run('sync', ['-f', paths[0]!]);
      return;
    } catch {
      // A host without it, or with another one.
    }
  }
  await Promise.all(paths.map(syncPath));
}

/** As {@link fsyncPath}, while this process goes on. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes the objects that no release has: their own name is the only one. */
export function sweepObjects(store: string): void {
  for (const name of readdirSync(objectsDir(store))) {
    const folder = `${objectsDir(store)}/${name}`;
    for (const file of readdirSync(folder)) {
      const object = `${folder}/${file}`;
      if (lstatSync(object).nlink === 1) unlinkSync(object);
    }
  }
}
