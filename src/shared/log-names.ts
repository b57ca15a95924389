/**
 * Where a log file keeps what was put aside of it, and what is known of its lines. Pure.
 *
 * `api.log` is put aside as `api.log.2026-11-26T09-15-00-123Z`, then `….gz`: such a name never changes, and names sort as they were written.
 * Beside each lies its index, hidden: `.api.log.idx`, `.api.log.2026-11-26T09-15-00-123Z.idx`.
 */
import { basename, dirname, join } from 'node:path';

const STAMP = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/;
const COMPRESSED = '.gz';

export const archivePath = (path: string, at: number): string =>
  `${path}.${new Date(at).toISOString().replace(/[:.]/g, '-')}`;

export const compressedPath = (archive: string): string => archive + COMPRESSED;
/** While it is being made. */
export const unfinishedPath = (archive: string): string =>
  join(dirname(archive), `.${basename(archive)}${COMPRESSED}.tmp`);

/** Of a log file, or of one that was put aside, compressed or not. */
export function indexPath(path: string): string {
  const name = basename(path);
  return join(dirname(path), `.${name.endsWith(COMPRESSED) ? name.slice(0, -COMPRESSED.length) : name}.idx`);
}

export interface Archive {
  /** Its name without what compression adds: the same before and after. */
  id: string;
  path: string;
  compressed: boolean;
}

/**
 * @param names in the folder of the log file at `path`
 * @returns the oldest first; where both forms are there (compression is at work, or was killed) the plain one
 */
export function archivesAmong(path: string, names: string[]): Archive[] {
  const prefix = `${basename(path)}.`;
  const found = new Map<string, Archive>();
  for (const name of names) {
    if (!name.startsWith(prefix)) continue;
    const compressed = name.endsWith(COMPRESSED);
    const id = compressed ? name.slice(0, -COMPRESSED.length) : name;
    if (!STAMP.test(id.slice(prefix.length))) continue;
    if (!compressed || !found.has(id)) found.set(id, { id, path: join(dirname(path), name), compressed });
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A file of that name, in the folder of the log file at `path`, is the log, was put aside of it, or is an index of either. */
export function isOfLog(path: string, name: string): boolean {
  const plain = name.replace(/^\.(.*)\.(?:idx|gz\.tmp)$/, '$1').replace(/\.gz$/, '');
  const base = basename(path);
  return plain === base || (plain.startsWith(`${base}.`) && STAMP.test(plain.slice(base.length + 1)));
}
