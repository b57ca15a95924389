/** Runs in the CLI. The folders that an app writes to: beside the releases, and linked into each, so that what is in them outlives all. */
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sharedDir, temporaryDir } from './layout.js';

/** Sockets, fifos and devices are made by the process that uses them, and hold nothing. */
function canBeCopied(path: string): boolean {
  const info = lstatSync(path, { throwIfNoEntry: false });
  return info !== undefined && (info.isFile() || info.isDirectory() || info.isSymbolicLink());
}

/**
 * Makes those that are not there yet, with what the app's own folder has in them.
 * @returns what a user should know, a line each
 */
export function seedShared(
  store: string,
  source: string,
  shared: readonly string[],
  step: (name: string) => void,
): string[] {
  return shared.flatMap((path) => {
    const place = join(sharedDir(store), path);
    const own = join(source, path);
    const info = lstatSync(own, { throwIfNoEntry: false });
    if (existsSync(place) || info?.isSymbolicLink()) return [];
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    if (!info?.isDirectory() || readdirSync(own).length === 0) {
      mkdirSync(place, { mode: 0o755 });
      return [];
    }
    // Beside it and renamed: one that was killed half way would else be taken for whole.
    const copy = join(temporaryDir(store), 'shared');
    rmSync(copy, { recursive: true, force: true });
    cpSync(own, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: canBeCopied });
    step('shared folder copied');
    renameSync(copy, place);
    return [
      `${path} was copied to ${place}, where every release finds it from now on; what is still written to ${own} stays there`,
    ];
  });
}
