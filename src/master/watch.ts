/**
 * Runs in the master, of an app that is developed: a change of its files is a reload, as any other. Owns the watchers; decides nothing. chokidar is
 * loaded here, where it is wanted: `fs.watch` with `recursive` blocks the master for a second or two on a folder with node_modules, which it
 * cannot leave out (ADR 21).
 */
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { FSWatcher } from 'chokidar';
import type { Event } from '../domain/types.js';
import type { Effects } from './effects.js';
import { gathered } from './gathered.js';
import type { Plan } from './plan.js';
import type { Ignored } from './watch-ignore.js';
import { ignoring } from './watch-ignore.js';

export interface WatchOptions {
  /** The plan of the generation that serves. */
  serving(): { generation: number; plan: Plan } | null;
  effects: { observers: Effects['observers']; plans: Pick<Effects['plans'], 'isUnchanged'> };
  post(event: Event): void;
  /** Absolute: the config file, where there is one. */
  configPath: string | undefined;
  /** Of zdsup itself: what it writes there is no change of the app. Absolute. */
  ownFolders: string[];
  say(message: string): void;
  warn(message: string): void;
}

/** What is watched, as far as it can be told before. */
interface Watched extends Ignored {
  roots: string[];
}

/** Begins with what serves, and follows the config from reload to reload. */
export function watchFiles(options: WatchOptions): void {
  let current: { key: string; watcher: FSWatcher } | null = null;
  let toldOfDeployed = false;

  const changed = gathered((paths) => {
    const serving = options.serving();
    if (!serving) return;
    const more = paths.length === 1 ? '' : ` and ${paths.length - 1} more`;
    const cause = `${shown(paths[0]!, serving.plan)}${more} changed`;
    options.say(`${cause}: reloading`);
    options.post({ type: 'rollout-requested', kind: 'reload', source: 'watch', allowListeners: false, cause });
  });

  const follow = async (): Promise<void> => {
    const serving = options.serving();
    if (!serving) return;
    const { plan, generation } = serving;
    if (plan.config.watch !== false && plan.deployed !== null && !toldOfDeployed) {
      toldOfDeployed = true;
      options.warn(
        'nothing is watched: the app runs a release of the store, which does not change; zdsup deploy brings in the next one',
      );
    }
    const watched = watchedOf(plan, options);
    const key = JSON.stringify(watched);
    if (key === (current?.key ?? 'null')) return;
    const before = current?.watcher;
    current = null;
    if (watched) {
      const { watch } = await import('chokidar');
      const isIgnored = ignoring(watched);
      const watcher = watch(watched.roots, {
        ignoreInitial: true,
        followSymlinks: false,
        ignored: (path, stats) => !watched.roots.includes(path) && isIgnored(path, stats?.isDirectory() ?? false),
      });
      current = { key, watcher };
      // A folder that comes or goes is told by the files in it.
      for (const kind of ['add', 'change', 'unlink'] as const) watcher.on(kind, changed);
      watcher.on('error', (error) => warnOf(error as NodeJS.ErrnoException, options));
      watcher.once('ready', async () => {
        // What was saved between the start of the workers and this moment.
        if (!(await options.effects.plans.isUnchanged(generation))) changed(plan.release.path);
        options.say(`watching ${watched.roots.map((root) => shown(root, plan)).join(', ')}`);
      });
    }
    await before?.close();
  };

  const followOn = (): void =>
    void follow().catch((error: Error) => options.warn(`files cannot be watched: ${error.message}`));
  options.effects.observers.add({
    rolloutEnded({ rollout }) {
      if (rollout.outcome === 'succeeded') followOn();
    },
  });
  followOn();
}

/** As people know it: within the app's folder, else by its whole path. */
function shown(path: string, { release }: Plan): string {
  const name = relative(release.path, path);
  return name === '' ? "the app's folder" : name.startsWith('..') ? path : name;
}

function warnOf(error: NodeJS.ErrnoException, { warn }: WatchOptions): void {
  const why =
    error.code === 'ENOSPC' || error.code === 'EMFILE'
      ? `${error.code}, the host's limit of watched files: raise fs.inotify.max_user_watches, or name fewer folders in watch`
      : error.message;
  warn(`some files cannot be watched: ${why}`);
}

/** Null where nothing is to be watched. */
function watchedOf({ config, cwd, release, deployed }: Plan, { configPath, ownFolders }: WatchOptions): Watched | null {
  const { watch, watchIgnore, shared, envFile } = config;
  if (watch === false || deployed !== null) return null;
  const code = watch === true ? [release.path] : watch.map((path) => resolve(cwd, path));
  const base = configPath === undefined ? cwd : dirname(configPath);
  const settings = [
    ...(configPath === undefined ? [] : [configPath]),
    ...envFile.map((file) => (isAbsolute(file) ? file : join(base, file))),
  ];
  return {
    roots: [...new Set([...code, ...settings])],
    base: watch === true ? release.path : cwd,
    patterns: watchIgnore,
    folders: [...ownFolders, ...shared.map((folder) => join(release.path, folder))],
  };
}
