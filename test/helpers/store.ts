/** A folder with an app in it, and a store for its releases, without a command or a master around them. */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Taken, TakeRequest } from '../../src/releases/take.js';
import { takeRelease } from '../../src/releases/take.js';
import { temporaryFolder } from './cleanup.js';
import type { Project } from './project.js';
import { makeProject } from './project.js';
import { until } from './until.js';

export const APP = 'shop';

export interface Store {
  path: string;
  project: Project;
  /** Takes a release of the folder as it is. */
  take(options?: Partial<TakeRequest>): Promise<Taken>;
  /** Settles when no file is so new that it would be read again for that alone. */
  settled(): Promise<void>;
}

export function makeStore(files: Record<string, string>, path: string = join(temporaryFolder(), 'store')): Store {
  const project = makeProject(files);
  mkdirSync(path, { recursive: true });
  const source = realpathSync(project.folder);
  return {
    path,
    project,
    take: (options = {}) => takeRelease({ ...requestOf(path, source), ...options }),
    async settled() {
      await until(
        'a tick has passed',
        () => Date.now() - youngest(source),
        (age) => age > 150,
      );
    },
  };
}

export const requestOf = (store: string, source: string): TakeRequest => ({
  ...{ store, app: APP, source, logical: source, from: source },
  ...{ shared: [], logs: [], label: null, message: null, inUse: new Set<string>() },
});

const youngest = (folder: string): number =>
  Math.max(
    ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => lstatSync(join(folder, name)).ctimeMs),
  );

/** What a tree has: of a file its content and mode, of a link its target, of a folder its name with a slash. */
export function contentsOf(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of namesIn(folder, '')) {
    const path = join(folder, name);
    const info = lstatSync(path);
    if (info.isDirectory()) found[`${name}/`] = '';
    else if (info.isSymbolicLink()) found[name] = `→ ${readlinkSync(path)}`;
    else found[name] = `${(info.mode & 0o777).toString(8)} ${readFileSync(path, 'utf8')}`;
  }
  return found;
}

/** Follows no link, as readdir's own recursion does. */
const namesIn = (folder: string, prefix: string): string[] =>
  readdirSync(join(folder, prefix), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ name }) => [
      prefix + name,
      ...(isFolder(join(folder, prefix + name)) ? namesIn(folder, `${prefix}${name}/`) : []),
    ]);

const isFolder = (path: string): boolean => lstatSync(path).isDirectory();
