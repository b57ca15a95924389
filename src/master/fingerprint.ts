/**
 * Runs in the planner and in the master. A directory edited in place cannot be pinned, so its code is fingerprinted by
 * name, size, inode and modification time. Only what Node loads as code counts: an app that writes data or logs into
 * its own folder has not become another release.
 */
import { opendir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

const CODE = new Set(['.js', '.cjs', '.mjs', '.jsx', '.ts', '.cts', '.mts', '.tsx', '.node', '.wasm']);
const NAMED = new Set(['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock']);
/** What an installer rewrites when it is done: stands for everything in node_modules. */
const INSTALLED = ['.package-lock.json', '.modules.yaml', '.yarn-state.yml'];
/** Larger trees are fingerprinted up to here. */
const MAX_FILES = 20_000;

/** Takes the fingerprint of `folder`, as 16 hex digits; `entry` is in it wherever it lies. What cannot be read is left out. */
export async function fingerprint(folder: string, entry: string): Promise<string> {
  const files = new FileMarks();
  await note(files, entry);
  await walk(folder, files);
  return files.digest();
}

/**
 * A sum over the files' hashes, whatever order they come in. No cryptography: it tells a changed folder from an unchanged
 * one, not friend from foe, and OpenSSL would cost the master 2.8 MB.
 */
class FileMarks {
  count = 0;
  private high = 0;
  private low = 0;

  add(mark: string): void {
    this.count += 1;
    this.high = (this.high + fnv1a(mark, 0x811c9dc5)) >>> 0;
    this.low = (this.low + fnv1a(mark, 0x01234567)) >>> 0;
  }

  digest(): string {
    return hex(this.high) + hex(this.low);
  }
}

/** FNV-1a over UTF-16 units, 32 bits (Fowler, Noll, Vo; draft-eastlake-fnv). */
function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');

async function walk(folder: string, files: FileMarks): Promise<void> {
  const entries = await opendir(folder).catch(() => null);
  if (!entries) return;
  for await (const entry of entries) {
    if (files.count >= MAX_FILES) return;
    const path = join(folder, entry.name);
    if (entry.name === 'node_modules') for (const name of INSTALLED) await note(files, join(path, name));
    else if (entry.isDirectory()) {
      if (!entry.name.startsWith('.')) await walk(path, files);
    } else if (CODE.has(extname(entry.name)) || NAMED.has(entry.name)) await note(files, path);
  }
}

async function note(files: FileMarks, path: string): Promise<void> {
  const info = await stat(path).catch(() => null);
  if (info) files.add(`${path}:${info.size}:${info.ino}:${info.mtimeMs}`);
}
