/** Runs in the CLI. Which releases a store has, newest first, and their manifests. Reads, and never writes. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { broken, noSuchRelease } from './failure.js';
import { manifestPath, RELEASE_ID, treePath } from './layout.js';
import type { Head, Manifest } from './manifest.js';
import { decodeEntries, decodeHead } from './manifest.js';

export interface Listed {
  id: string;
  /** When it was deployed last, in ms since 1970. */
  at: number;
}

/** Of a store that is not there: none. */
export function listReleases(store: string): Listed[] {
  return namesIn(store)
    .filter((name) => RELEASE_ID.test(name))
    .flatMap((id) => {
      const info = lstatSync(manifestPath(store, id), { throwIfNoEntry: false });
      return info ? [{ id, at: info.mtimeMs }] : [];
    })
    .sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const HINT = 'zdsup deploy makes another one; the folder can be removed where nothing runs from it';

/** A manifest whose hash is right, and no more of it parsed than its head. */
export interface OpenManifest {
  id: string;
  head: Head;
  text: string;
}

/** @throws ZdsupError ZDSUP_RELEASE_BROKEN */
export function openManifest(store: string, id: string): OpenManifest {
  const text = textOf(store, id);
  const head = decodeHead(text);
  if ('fault' in head) throw broken(id, `its manifest ${manifestPath(store, id)}: ${head.fault}`, HINT);
  return { id, head, text };
}

/** @throws ZdsupError ZDSUP_RELEASE_BROKEN */
export const readManifest = (store: string, id: string): Manifest => wholeOf(openManifest(store, id));

/** @throws ZdsupError ZDSUP_RELEASE_BROKEN */
export const readHead = (store: string, id: string): Head => openManifest(store, id).head;

const wholeOf = ({ head, text }: OpenManifest): Manifest => ({ head, entries: decodeEntries(text) });

/** Of the release that was deployed last, where it can be read; what cannot is told by {@link readLatest}. */
export function openLatest(store: string): OpenManifest | undefined {
  for (const { id } of listReleases(store))
    try {
      return openManifest(store, id);
    } catch {
      // An older one will do.
    }
  return undefined;
}

export interface Latest {
  /** Null where there is none that can be read. */
  manifest: Manifest | null;
  /** Of newer ones what is wrong with them, a line each. */
  warnings: string[];
}

/** @param opened by whoever has held the store's lock since: it is not read again */
export function readLatest(store: string, opened?: OpenManifest): Latest {
  const warnings: string[] = [];
  for (const { id } of listReleases(store))
    try {
      return { manifest: opened?.id === id ? wholeOf(opened) : readManifest(store, id), warnings };
    } catch (error) {
      warnings.push((error as Error).message);
    }
  return { manifest: null, warnings };
}

function textOf(store: string, id: string): string {
  try {
    return readFileSync(manifestPath(store, id), 'utf8');
  } catch (error) {
    throw broken(id, `its manifest cannot be read: ${(error as NodeJS.ErrnoException).code}`, HINT);
  }
}

export interface DeployedRelease {
  id: string;
  /** Of its tree. */
  path: string;
  /** What of the app's paths it stands for. */
  from: string;
}

/**
 * The release of that id, or of the only one that begins so.
 * @throws ZdsupError ZDSUP_RELEASE_MISSING, ZDSUP_RELEASE_BROKEN
 */
export function findRelease(store: string, app: string, wanted: string): DeployedRelease {
  const ids = listReleases(store).map(({ id }) => id);
  const found = ids.filter((id) => id === wanted || (wanted.length >= 4 && id.startsWith(wanted)));
  if (found.length !== 1) throw noSuchRelease(app, wanted, ids);
  const id = found[0]!;
  return { id, path: treePath(store, app, id), from: readHead(store, id).from };
}
