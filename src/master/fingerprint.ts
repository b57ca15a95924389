/**
 * Runs in the master. A directory edited in place cannot be pinned, so its code is fingerprinted by name, size, inode
 * and modification time. Only what Node loads as code counts: an app that writes data or logs into its own folder
 * has not become another release.
 */
import { opendir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

const CODE = new Set(['.js', '.cjs', '.mjs', '.jsx', '.ts', '.cts', '.mts', '.tsx', '.node', '.wasm']);
const NAMED = new Set(['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock']);
/** What an installer rewrites when it is done: stands for everything in node_modules. */
const INSTALLED = ['.package-lock.json', '.modules.yaml', '.yarn-state.yml'];
/** Larger trees are fingerprinted up to here. */
const MAX_FILES = 20_000;

export type Fingerprint = ReadonlyMap<string, string>;

/** Takes the fingerprint of `folder`; `entry` is in it wherever it lies. What cannot be read is left out. */
export async function fingerprint(folder: string, entry: string): Promise<Fingerprint> {
  const found = new Map<string, string>();
  await note(found, entry);
  await walk(folder, found);
  return found;
}

export function sameFingerprint(one: Fingerprint, other: Fingerprint): boolean {
  if (one.size !== other.size) return false;
  for (const [path, mark] of one) if (other.get(path) !== mark) return false;
  return true;
}

async function walk(folder: string, found: Map<string, string>): Promise<void> {
  const entries = await opendir(folder).catch(() => null);
  if (!entries) return;
  for await (const entry of entries) {
    if (found.size >= MAX_FILES) return;
    const path = join(folder, entry.name);
    if (entry.name === 'node_modules') for (const name of INSTALLED) await note(found, join(path, name));
    else if (entry.isDirectory()) {
      if (!entry.name.startsWith('.')) await walk(path, found);
    } else if (CODE.has(extname(entry.name)) || NAMED.has(entry.name)) await note(found, path);
  }
}

async function note(found: Map<string, string>, path: string): Promise<void> {
  const info = await stat(path).catch(() => null);
  if (info) found.set(path, `${info.size}:${info.ino}:${info.mtimeMs}`);
}
