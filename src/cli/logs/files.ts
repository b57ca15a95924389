/** Runs in the CLI. The files that a log consists of: the one that is written, and what was put aside of it. */
import {
  closeSync,
  createReadStream,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { IndexEntry } from '../../shared/log-index.js';
import { parseIndex } from '../../shared/log-index.js';
import type { Archive } from '../../shared/log-names.js';
import { archivesAmong, compressedPath, indexPath } from '../../shared/log-names.js';

/** Put aside of the log at `path`, the oldest first. */
export function archivesOf(path: string): Archive[] {
  try {
    return archivesAmong(path, readdirSync(dirname(path)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function indexOf(path: string): IndexEntry[] {
  try {
    return parseIndex(readFileSync(indexPath(path), 'utf8'));
  } catch {
    return []; // None is there, or none for us: the lines are read all the same.
  }
}

/** All of one that was put aside. It may be compressed, or removed, meanwhile. */
export async function* bytesOf({ path, compressed }: Archive): AsyncGenerator<Buffer> {
  if (!compressed && statSync(path, { throwIfNoEntry: false }) !== undefined) {
    yield* createReadStream(path) as AsyncIterable<Buffer>;
    return;
  }
  const packed = compressed ? path : compressedPath(path);
  if (statSync(packed, { throwIfNoEntry: false }) === undefined) return;
  const unpacked: Readable = pipeline(createReadStream(packed), createGunzip(), () => {});
  yield* unpacked as AsyncIterable<Buffer>;
}

export function openLog(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const CHUNK_BYTES = 64 * 1024;

/** @param to exclusive; what is not there yet is not waited for */
export function* bytesBetween(file: number, from: number, to: number): Generator<Buffer> {
  for (let at = from; at < to; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
    const read = readSync(file, chunk, 0, chunk.length, at);
    if (read === 0) return;
    yield chunk.subarray(0, read);
    at += read;
  }
}

export const sizeOf = (file: number): number => fstatSync(file).size;

/** Does the name lead to another file by now? One that has gone may still be written to. */
export function isReplaced(path: string, file: number | null): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  if (now === undefined || file === null) return now !== undefined;
  const own = fstatSync(file);
  return now.ino !== own.ino || now.dev !== own.dev;
}

export const close = (file: number): void => closeSync(file);
