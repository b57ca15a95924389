/** Where things lie (DESIGN section 8, Folders). Pure: the environment, the user and the home folder are handed in. */
import { dirname, isAbsolute, join } from 'node:path';
import { ZdsupError } from './errors.js';

type Env = Readonly<Record<string, string | undefined>>;

/** A unix socket's path may be this long on Linux (sun_path less its final zero), in bytes. */
export const MAX_SOCKET_PATH_BYTES = 107;
/** Parent of the run folders of system units, one for each app. */
export const SYSTEM_RUN_PARENT = '/run/zdsup';
/** Parent of the state folders of system units, one for each app. */
export const SYSTEM_STATE_PARENT = '/var/lib/zdsup';

/** The folder of a new master's control socket. `$ZDSUP_HOME/run`, else that of its system unit, else the state folder's. */
export function runDirForStart(env: Env, home: string): string {
  return (
    (env.ZDSUP_HOME ? undefined : ofUnit(env.RUNTIME_DIRECTORY, SYSTEM_RUN_PARENT)) ?? join(stateDir(env, home), 'run')
  );
}

/** Of the folders that systemd has made for a unit (`RuntimeDirectory=`, `StateDirectory=`), the one that is zdsup's: another unit's own say nothing to us. */
const ofUnit = (folders: string | undefined, parent: string): string | undefined =>
  folders?.split(':').find((folder) => dirname(folder) === parent);

/** Journal, releases, logs, tokens. */
export function stateDir(env: Env, home: string): string {
  if (env.ZDSUP_HOME) return env.ZDSUP_HOME;
  const ofSystemUnit = ofUnit(env.STATE_DIRECTORY, SYSTEM_STATE_PARENT);
  if (ofSystemUnit !== undefined) return ofSystemUnit;
  // A relative one is to be ignored (XDG Base Directory Specification).
  return env.XDG_STATE_HOME && isAbsolute(env.XDG_STATE_HOME)
    ? join(env.XDG_STATE_HOME, 'zdsup')
    : join(home, '.local', 'state', 'zdsup');
}

/**
 * Where to look for control sockets. With `ZDSUP_HOME` set, only there: it names a world of its own.
 * @param systemApps folders found in {@link SYSTEM_RUN_PARENT}
 */
export function runDirsToSearch(env: Env, home: string, systemApps: string[]): string[] {
  if (env.ZDSUP_HOME) return [join(env.ZDSUP_HOME, 'run')];
  const own = runDirForStart(env, home);
  const byDefault = join(home, '.local', 'state', 'zdsup', 'run');
  return [...new Set([...systemApps.map((app) => join(SYSTEM_RUN_PARENT, app)), own, byDefault])];
}

/**
 * Where to look for what is remembered of apps. With `ZDSUP_HOME` set, only there.
 * @param systemApps folders found in {@link SYSTEM_STATE_PARENT}
 */
export function stateDirsToSearch(env: Env, home: string, systemApps: string[]): string[] {
  if (env.ZDSUP_HOME) return [env.ZDSUP_HOME];
  const byDefault = join(home, '.local', 'state', 'zdsup');
  return [...new Set([...systemApps.map((app) => join(SYSTEM_STATE_PARENT, app)), stateDir(env, home), byDefault])];
}

/** Of a system unit: what starts such an app is systemd. */
export const isSystemState = (state: string): boolean => state.startsWith(`${SYSTEM_STATE_PARENT}/`);

/** Folder of the records in a state folder, a file `<app>.json` for each app. */
export const recordsDir = (state: string): string => join(state, 'apps');

/** What a daemon and its workers write. */
export const logPath = (state: string, app: string): string => join(state, 'logs', `${app}.log`);

/** What befell an app: one JSON object a line. The entries before those are in `<path>.1`. */
export const journalPath = (state: string, app: string): string => join(state, 'journal', `${app}.jsonl`);
/** What opens the page of an app, where its config names no token. */
export const tokenPath = (state: string, app: string): string => join(state, 'tokens', app);
/** The store of an app's releases (docs/releases.md). */
export const releasesDir = (state: string, app: string): string => join(state, 'releases', app);

/** What a deploy of an app listens at for as long as it is at work. No longer than the path of a control socket, and not taken for one. */
export const deployLockPath = (runDir: string, app: string): string => join(runDir, `.${app}.d`);

/** @throws ZdsupError ZDSUP_SOCKET_PATH_LONG: bind(2) would cut it or fail with EINVAL */
export function controlSocketPath(runDir: string, app: string): string {
  const path = join(runDir, `${app}.sock`);
  const length = Buffer.byteLength(path);
  if (length <= MAX_SOCKET_PATH_BYTES) return path;
  throw new ZdsupError({
    code: 'ZDSUP_SOCKET_PATH_LONG',
    message: `the control socket's path is ${length} bytes long, at most ${MAX_SOCKET_PATH_BYTES} are allowed: ${path}`,
    hint: 'set ZDSUP_HOME to a shorter folder, or give the app a shorter name',
    exitStatus: 2,
  });
}
