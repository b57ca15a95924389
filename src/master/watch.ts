/**
 * Runs in the master, of an app that is developed: a change of its files is a reload, as any other. Owns the watchers; decides nothing. chokidar is
 * loaded here, where it is wanted: `fs.watch` with `recursive` blocks the master for a second or two on a folder with node_modules, which it
 * cannot leave out (ADR 21).
 *
 * A watcher follows a folder and not its name: one that was replaced (`rm -rf dist && tsc`, a swap by `mv`) is silent from then on. So after a
 * change the folders are looked at, and all is watched anew where one is another; what is named in the config is looked at every second.
 */
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { FSWatcher } from 'chokidar';
import type { Event } from '../domain/types.js';
import type { Effects } from './effects.js';
import { gathered } from './gathered.js';
import { Places } from './places.js';
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

/** How often it is looked whether what is named in the config is still the same folder or file, in ms. */
const LOOK_MS = 1_000;
/** The clock that files are dated by is read once a tick, in ms. What has led to a look is older: it waits for quiet. */
const CLOCKS_APART_MS = 20;

/** Begins with what serves, and follows the config from reload to reload. */
export function watchFiles(options: WatchOptions): void {
  let watched: Watched | null = null;
  let places = new Places();
  let watcher: FSWatcher | null = null;
  let toldOfDeployed = false;
  /** Nobody has seen what changed from then on, by the clock of files; null: somebody sees it. */
  let blindSince: number | null = null;

  const changed = gathered((paths) => {
    const serving = options.serving();
    if (!serving) return;
    const more = paths.length === 1 ? '' : ` and ${paths.length - 1} more`;
    const cause = `${shown(paths[0]!, serving.plan)}${more} changed`;
    options.say(`${cause}: reloading`);
    options.post({ type: 'rollout-requested', kind: 'reload', source: 'watch', allowListeners: false, cause });
    if (watched !== null && places.someReplaced()) void watchAnew(watched);
  });

  const close = async (): Promise<void> => {
    const before = watcher;
    watcher = null;
    await before?.close();
  };

  /** The old one first: two of chokidar's share what they have opened by the same name. @returns when it sees changes, or another one is to */
  const watchAnew = async (what: Watched): Promise<void> => {
    const seen = new Places();
    for (const root of what.roots) seen.note(root);
    places = seen;
    blindSince ??= Date.now() - CLOCKS_APART_MS;
    await close();
    const { watch } = await import('chokidar');
    if (watched !== what || watcher !== null) return;
    const isIgnored = ignoring(what);
    const mine = watch(what.roots, {
      alwaysStat: true,
      followSymlinks: false,
      ignored: (path, stats) => !what.roots.includes(path) && isIgnored(path, stats?.isDirectory() ?? false),
    });
    watcher = mine;
    // A folder that comes or goes is told by the files in it.
    for (const kind of ['change', 'unlink'] as const) mine.on(kind, (path) => changed(path));
    mine.on('addDir', (path, stats) => what.roots.includes(path) || seen.note(path, stats));
    mine.on('unlinkDir', (path) => what.roots.includes(path) || seen.forget(path));
    mine.on('add', (path, stats) => {
      // At first all that is there is told.
      if (blindSince === null || stats === undefined || stats.ctimeMs >= blindSince) changed(path);
    });
    mine.on('error', (error) => warnOf(error as NodeJS.ErrnoException, options));
    await new Promise<void>((resolve) => mine.once('ready', resolve));
    if (watcher === mine) blindSince = null;
  };

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
    const what = watchedOf(plan, options);
    if (JSON.stringify(what) === JSON.stringify(watched)) return;
    watched = what;
    if (what === null) {
      blindSince = null;
      await close();
      return;
    }
    await watchAnew(what);
    // What was saved between the start of the workers and this moment.
    if (!(await options.effects.plans.isUnchanged(generation))) changed(plan.release.path);
    options.say(`watching ${what.roots.map((root) => shown(root, plan)).join(', ')}`);
  };

  const followOn = (): void =>
    void follow().catch((error: Error) => options.warn(`files cannot be watched: ${error.message}`));
  options.effects.observers.add({
    rolloutEnded({ rollout }) {
      if (rollout.outcome === 'succeeded') followOn();
    },
  });
  setInterval(() => {
    for (const root of watched?.roots ?? []) if (places.replaced(root)) changed(root);
  }, LOOK_MS).unref();
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
