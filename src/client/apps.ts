/** Runs in the CLI. Finds the masters that run, by their control sockets, and the one a command is meant for. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { byName, deriveAppName, isAppName, nameInPackage } from '../shared/app-name.js';
import { isAnswered } from '../shared/control-socket.js';
import { ZdsupError } from '../shared/errors.js';
import { nearestWord } from '../shared/nearest.js';
import {
  recordsDir,
  runDirsToSearch,
  SYSTEM_RUN_PARENT,
  SYSTEM_STATE_PARENT,
  stateDirsToSearch,
} from '../shared/paths.js';
import { asOwner } from './as-owner.js';
import { othersSockets, ownerIn } from './others.js';

export interface RunningApp {
  /** Of another user's, `<user>/<name>`. */
  name: string;
  socketPath: string;
  /** Of another user's, which root alone sees: who that is. */
  owner?: string;
}

/** Masters whose control socket answers, by name. Others' are left out, but for root. */
export async function runningApps(): Promise<RunningApp[]> {
  const found = controlSockets().map(async (paths) => {
    for (const app of paths) if (await answers(app.socketPath)) return app;
    return null;
  });
  return (await Promise.all(found)).filter((app) => app !== null);
}

/**
 * The control sockets of each app, by name. The first at which somebody answers is the app's: a master that was killed has
 * left one behind at which nobody does.
 */
export function controlSockets(): [RunningApp, ...RunningApp[]][] {
  const found = new Map<string, [RunningApp, ...RunningApp[]]>();
  const add = (app: RunningApp): void => {
    const others = found.get(app.name);
    if (others) others.push(app);
    else found.set(app.name, [app]);
  };
  const searched = runDirsToSearch(process.env, homedir(), namesIn(SYSTEM_RUN_PARENT));
  for (const folder of searched) {
    for (const file of namesToSee(folder)) {
      if (!file.endsWith('.sock') || file.startsWith('.')) continue;
      const app = { name: basename(file, '.sock'), socketPath: join(folder, file) };
      if (isOurs(app.socketPath)) add(app);
    }
  }
  // With ZDSUP_HOME set, root looks nowhere else either.
  if (process.geteuid?.() === 0 && !process.env.ZDSUP_HOME) for (const app of othersSockets(searched)) add(app);
  return [...found.values()].sort(([one], [other]) => byName(one, other));
}

/** Where something is remembered of an app. The names alone, since what is in the files is wanted of those only that do not run. */
export function recordFiles(): { name: string; state: string }[] {
  const states = stateDirsToSearch(process.env, homedir(), namesIn(SYSTEM_STATE_PARENT));
  return states.flatMap((state) =>
    namesToSee(recordsDir(state))
      .filter((file) => file.endsWith('.json'))
      .map((file) => ({ name: basename(file, '.json'), state }))
      .filter(({ name }) => isAppName(name)),
  );
}

/**
 * The apps a command is meant for: the named one, `all`, else the app of the current folder, else the only one.
 * @throws ZdsupError ZDSUP_APP_NOT_RUNNING (exit 3), ZDSUP_APP_AMBIGUOUS (exit 2)
 */
export async function chooseApps(name: string | undefined): Promise<RunningApp[]> {
  const running = await runningApps();
  if (name === 'all') {
    if (running.length === 0) throw noneRuns();
    // A master of another user's that never answers holds up none of one's own.
    return running.sort((one, other) => Number(one.owner !== undefined) - Number(other.owner !== undefined));
  }
  if (name !== undefined) {
    const found = named(name, running);
    if (!found) throw await notRunning(name, running);
    return [found];
  }
  const own = running.filter(({ owner }) => owner === undefined);
  if (own.length === 0) throw running.length === 0 ? await nothingRuns() : whichOf(running, 'are running');
  return [pickApp(own, 'are running')];
}

/**
 * The one of that name; for root also another user's without saying whose, where only one has it.
 * @throws ZdsupError ZDSUP_APP_AMBIGUOUS (exit 2)
 */
export function named<T extends { name: string }>(name: string, apps: T[]): T | undefined {
  const own = apps.find((app) => app.name === name);
  if (own) return own;
  const others = apps.filter((app) => app.name.endsWith(`/${name}`));
  return others.length > 1 ? pickApp(others, 'are running') : others[0];
}

/**
 * Which of `apps` a command without a name means: that of the current folder, else `otherwise`, else the only one.
 * @throws ZdsupError ZDSUP_APP_AMBIGUOUS (exit 2)
 */
export function pickApp<T extends { name: string }>(apps: T[], are: string, otherwise?: T): T {
  const here = namesHere(logicalFolder());
  const found = apps.find((app) => here.includes(app.name)) ?? otherwise ?? (apps.length === 1 ? apps[0] : undefined);
  if (found) return found;
  throw whichOf(apps, are);
}

export const whichOf = (apps: { name: string }[], are: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_APP_AMBIGUOUS',
    message: `which app? ${apps.map((app) => app.name).join(', ')} ${apps.length === 1 ? are.replace('are', 'is') : are}`,
    hint: "name one, or 'all'",
    exitStatus: 2,
  });

/** Says how it ended, where it is remembered. */
export async function notRunning(name: string, running: RunningApp[]): Promise<ZdsupError> {
  const { rememberedApps, endOf } = await import('./records.js');
  const known = rememberedApps();
  const remembered = known.find((one) => one.name === name && one.record !== null);
  if (remembered) {
    const { how, reason } = endOf(remembered);
    return new ZdsupError({
      code: 'ZDSUP_APP_NOT_RUNNING',
      message: `${name} is not running: ${how === 'stopped' ? 'it was stopped' : `it crashed${reason === null ? '' : ` (${reason})`}`}`,
      hint: `bring it back with zdsup start ${name}`,
      exitStatus: 3,
    });
  }
  const owner = process.geteuid?.() === 0 ? ownerIn(name) : null;
  if (owner !== null)
    return new ZdsupError({
      code: 'ZDSUP_APP_NOT_RUNNING',
      message: `${name} is not running, as far as root sees: what is remembered of it is ${owner}'s own`,
      hint: `as that user: ${asOwner(owner, name)}`,
      exitStatus: 3,
    });
  const near = nearestWord(
    name,
    [...running, ...known].map((app) => app.name),
  );
  const isAnyKnown = running.length + known.length > 0;
  const others = running.length === 0 ? 'no app is' : `running: ${running.map((app) => app.name).join(', ')}`;
  return new ZdsupError({
    code: 'ZDSUP_APP_NOT_RUNNING',
    message: `${name} is not running (${others})`,
    hint: near
      ? `did you mean ${near}?`
      : isAnyKnown
        ? 'zdsup status lists the apps that are known'
        : 'start it with zdsup start <script>',
    exitStatus: 3,
  });
}

/** One that answered a moment ago. */
export const gone = (name: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_APP_NOT_RUNNING',
    message: `${name} is not running any more`,
    hint: `bring it back with zdsup start ${name}`,
    exitStatus: 3,
  });

const noneRuns = (): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_APP_NOT_RUNNING',
    message: 'no app is running',
    hint: 'start one with zdsup start <script>',
    exitStatus: 3,
  });

/** Of the app of the current folder, else of the only one that is remembered, it is said how it ended. */
async function nothingRuns(): Promise<ZdsupError> {
  const { rememberedApps } = await import('./records.js');
  const known = rememberedApps().filter(({ record }) => record !== null);
  if (known.length === 0) return noneRuns(); // Also in a folder that was deleted.
  const here = logicalFolder();
  const names = namesHere(here);
  const from = known.filter(({ record }) => {
    const { configPath, baseDir } = record!.request;
    return (configPath === undefined ? baseDir : dirname(configPath)) === here;
  });
  const found =
    known.find(({ name }) => names.includes(name)) ?? [from, known].find((some) => some.length === 1)?.[0] ?? null;
  return found === null ? noneRuns() : notRunning(found.name, []);
}

/** `$PWD` names the links that were followed to get here; process.cwd() has resolved them. */
export function logicalFolder(): string {
  const { PWD } = process.env;
  try {
    if (PWD) {
      const [logical, real] = [statSync(PWD), statSync('.')];
      if (logical.ino === real.ino && logical.dev === real.dev) return PWD;
    }
  } catch {
    // A PWD of another process, or a folder that has gone.
  }
  return process.cwd();
}

/** What `start` has named an app of this folder: as its package.json says, else as the folder; or as the package around it. */
export function namesHere(folder: string): string[] {
  const names: string[] = [];
  for (let at = folder; ; at = dirname(at)) {
    const isPackage = existsSync(join(at, 'package.json'));
    if (isPackage) return [...names, packageName(at)];
    if (at === folder) names.push(deriveAppName(basename(at)));
    if (at === dirname(at)) return names;
  }
}

function packageName(folder: string): string {
  try {
    return deriveAppName(nameInPackage(readFileSync(join(folder, 'package.json'), 'utf8')) ?? basename(folder));
  } catch {
    return deriveAppName(basename(folder)); // It cannot be read.
  }
}

/** Of one that was named (`ZDSUP_HOME`) nobody is told that nothing is there, where he may not look. @throws ZdsupError ZDSUP_STATE_FOREIGN */
function namesToSee(folder: string): string[] {
  if (!process.env.ZDSUP_HOME) return namesIn(folder);
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') throw closed(folder, process.env.ZDSUP_HOME);
    return [];
  }
}

/** @throws ZdsupError ZDSUP_STATE_FOREIGN, where that is so */
export const refuseClosedHome = (): void => void recordFiles();

function closed(folder: string, home: string): ZdsupError {
  let at = folder;
  for (; dirname(at) !== at; at = dirname(at)) if (existsSync(at)) break;
  const owner = statSync(at).uid;
  if (owner === process.geteuid?.())
    return new ZdsupError({
      code: 'ZDSUP_STATE_UNWRITABLE',
      message: `cannot look into the state folder ${home}: ${at} is closed to its own user`,
      hint: `chmod u+rwx ${at}`,
      exitStatus: 2,
    });
  return new ZdsupError({
    code: 'ZDSUP_STATE_FOREIGN',
    message: `the state folder ${home} cannot be looked into: ${at} belongs to user ${owner}, zdsup runs as user ${process.geteuid?.()}`,
    hint: 'run as its owner, or set ZDSUP_HOME to a folder of your own',
    exitStatus: 2,
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not there, or not for us to see.
  }
}

function isOurs(path: string): boolean {
  const uid = process.geteuid?.() ?? 0;
  try {
    return uid === 0 || statSync(path).uid === uid;
  } catch {
    return false;
  }
}

export const answers = (socketPath: string): Promise<boolean> => isAnswered(connect(socketPath));
