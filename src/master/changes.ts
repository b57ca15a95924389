/** Runs in the command. What a reload would change: the files, the config, the names of variables, the listeners. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { Changes, ConfigChange } from '../shared/check-report.js';
import type { AppDescription, ConfigInForce } from '../shared/description.js';
import type { ListenerSnapshot } from '../shared/snapshot.js';
import { codeFiles } from './fingerprint.js';

/** What is told apart from the config's own keys. */
const NOT_CONFIG = new Set(['envNames', 'otherEnvNames', 'readAt', 'entry', 'cwd', 'execArgv']);

/**
 * @param running as its master describes it
 * @param coming what a reload would bring in, and the listeners that its worker has opened
 */
export async function changesBetween(
  running: AppDescription & { config: ConfigInForce; release: NonNullable<AppDescription['release']> },
  coming: { config: ConfigInForce; release: { id: string; path: string }; listeners: ListenerSnapshot[] },
): Promise<Changes> {
  const names = (config: ConfigInForce): string[] => [...config.envNames, ...config.otherEnvNames];
  const here = coming.listeners.map(labelOf);
  const there = running.listeners.map(labelOf);
  return {
    release: { from: running.release, to: coming.release },
    files:
      running.release.path === coming.release.path
        ? await changedSince(coming.release.path, Date.parse(running.config.readAt))
        : await differing(running.release.path, coming.release.path),
    config: configChanges(running.config, coming.config),
    env: {
      added: without(names(coming.config), names(running.config)),
      removed: without(names(running.config), names(coming.config)),
    },
    listeners: { added: without(here, there), missing: without(there, here) },
  };
}

const without = (all: string[], known: string[]): string[] => all.filter((one) => !known.includes(one)).sort();

/** As people know it: what it was before a free port was picked is not told apart. */
export const labelOf = ({ address, port, path, protocol }: ListenerSnapshot): string =>
  path ?? `${protocol}://${address?.includes(':') ? `[${address}]` : address}:${port}`;

function configChanges(from: ConfigInForce, to: ConfigInForce): ConfigChange[] {
  const keys = Object.keys({ ...from, ...to }).filter((key) => !NOT_CONFIG.has(key)) as (keyof ConfigInForce)[];
  return keys
    .map((key) => ({ key, from: from[key] ?? null, to: to[key] ?? null }))
    .filter((change) => JSON.stringify(change.from) !== JSON.stringify(change.to));
}

/**
 * Of a folder edited in place nobody has the old files: those whose inode has changed since, and the folders that an entry was
 * taken out of (or moved into under its old name).
 */
async function changedSince(root: string, at: number): Promise<string[]> {
  const files = await codeFiles(root);
  const changed = (await Promise.all(files.map(async (file) => ((await ctimeOf(file)) > at ? [file] : [])))).flat();
  const folders = [...new Set([root, ...files.map((file) => dirname(file))])];
  const emptied = await Promise.all(
    folders.map(async (folder) => {
      const isTold = changed.some((file) => dirname(file) === folder);
      const { mtimeMs } = (await stat(folder).catch(() => null)) ?? { mtimeMs: 0 };
      return mtimeMs > at && !isTold ? [`${relative(root, folder) || '.'}/ (its entries have changed)`] : [];
    }),
  );
  return [...changed.map((file) => relative(root, file)), ...emptied.flat()].sort();
}

const ctimeOf = async (file: string): Promise<number> => (await stat(file).catch(() => null))?.ctimeMs ?? 0;

/** Two folders, as a deploy that moves a symbolic link has them. */
async function differing(from: string, to: string): Promise<string[]> {
  const listed = async (root: string): Promise<Set<string>> =>
    new Set((await codeFiles(root)).map((file) => relative(root, file)));
  const [before, after] = await Promise.all([listed(from), listed(to)]);
  const names = [...new Set([...before, ...after])].sort();
  const differs: string[] = [];
  for (const name of names) {
    const [old, now] = await Promise.all([contentOf(`${from}/${name}`), contentOf(`${to}/${name}`)]);
    if (old !== now) differs.push(name);
  }
  return differs;
}

const contentOf = (path: string): Promise<string | null> => readFile(path, 'latin1').catch(() => null);
