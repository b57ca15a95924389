/** Runs in the CLI. Which releases a store has, newest first, and their manifests. Reads, and never writes. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { broken, noSuchRelease } from './failure.js';
import { manifestPath, RELEASE_ID, treePath } from './layout.js';
import type { Head, Manifest } from './manifest.js';
import { decode, decodeHead } from './manifest.js';

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

/** @throws ZdsupError ZDSUP_RELEASE_BROKEN */
export function readManifest(store: string, id: string): Manifest {
  const manifest = decode(textOf(store, id));
  if ('fault' in manifest) throw broken(id, `its manifest ${manifestPath(store, id)}: ${manifest.fault}`, HINT);
  return manifest;
}

/** @throws ZdsupError ZDSUP_RELEASE_BROKEN */
export function readHead(store: string, id: string): Head {
  const head = decodeHead(textOf(store, id));
  if ('fault' in head) throw broken(id, `its manifest ${manifestPath(store, id)}: ${head.fault}`, HINT);
  return head;
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
