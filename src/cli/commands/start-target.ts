/** Runs in the CLI. What `zdsup start` is to start: a script, a config file, or an app that is remembered; with the flags that win over it. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import type { RunningApp } from '../../client/apps.js';
import type { KnownApp } from '../../client/known-apps.js';
import type { Remembered } from '../../client/records.js';
import type { DeployedRelease } from '../../releases/store.js';
import { isAppName } from '../../shared/app-name.js';
import type { StartRequest } from '../../shared/app-record.js';
import { CONFIG_FILE_NAMES, isConfigPath } from '../../shared/config-file-names.js';
import type { ErrorCode } from '../../shared/errors.js';
import { ZdsupError } from '../../shared/errors.js';
import { nearestWord } from '../../shared/nearest.js';
import { releasesDir, SYSTEM_STATE_PARENT, stateDir } from '../../shared/paths.js';
import { noteUnitless } from '../render/unitless.js';
import type { StartOptions } from './start.js';

export interface Wanted {
  request: StartRequest;
  /** What its first generation runs, where that is not the folder in place. */
  release?: DeployedRelease | undefined;
  daemon: boolean;
  logFormat: 'json' | 'pretty' | undefined;
}

/** It runs already: with what its start by name would have been. */
interface Runs {
  running: RunningApp;
  request: StartRequest;
}

/**
 * @param baseDir the shell's folder
 * @returns what to start; or the app that runs already, where its name was given
 * @throws ZdsupError ZDSUP_USAGE, ZDSUP_CONFIG_MISSING, ZDSUP_SCRIPT_*, ZDSUP_RECORD_BROKEN, ZDSUP_STATE_FOREIGN
 */
export async function resolveTarget(
  target: string | undefined,
  args: string[],
  options: StartOptions,
  baseDir: string,
): Promise<Wanted | Runs> {
  if (target === '') throw nothing('the script to start is an empty word', options);
  const overrides = overridesOf(options, args, baseDir);
  if (target !== undefined && isAppName(target)) {
    const named = await byName(target, overrides, options, !isFile(target, options, baseDir));
    if (named) return named;
  }
  const configFile = target === undefined ? findConfigFile(baseDir) : isConfigPath(target) ? target : undefined;
  if (target === undefined && configFile === undefined)
    throw nothing(
      `nothing to start: no script was given, and ${baseDir} has no zdsup.config file`,
      options,
      await appHere(baseDir),
    );
  if (configFile !== undefined && !existsSync(resolve(baseDir, configFile)))
    throw missing('config file', 'ZDSUP_CONFIG_MISSING', configFile, resolve(baseDir, configFile));
  if (configFile === undefined)
    overrides.script = await scriptOf(target!, resolve(baseDir, options.cwd ?? '.'), baseDir);
  return {
    request: {
      overrides,
      baseDir,
      ...(configFile === undefined ? {} : { configPath: resolve(baseDir, configFile) }),
      ...(options.only === undefined ? {} : { only: options.only }),
    },
    daemon: options.daemon === true,
    logFormat: options.logFormat,
  };
}

/** Null where no app of that name is known, or where a script of that name wins: then it says which. */
async function byName(
  name: string,
  overrides: Record<string, unknown>,
  options: StartOptions,
  noScript: boolean,
): Promise<Wanted | Runs | null> {
  const { knownApps } = await import('../../client/known-apps.js');
  const app = (await knownApps()).find((known) => known.name === name);
  if (!app) return null;
  if (!noScript) {
    process.stderr.write(
      `note: ${name} is taken for the script in this folder, not for the app ${name} that zdsup remembers; that one comes back from any other folder\n`,
    );
    return null;
  }
  if (options.name !== undefined && options.name !== name)
    throw keepsItsName(name, options.name, app.remembered?.record?.request, options);
  if (!app.running) return wantedAgain(app.remembered!, overrides, options);
  const asked = app.remembered?.record?.request ?? { overrides: {}, baseDir: '/' };
  return { running: app.running, request: { ...asked, overrides: { ...asked.overrides, ...overrides } } };
}

/**
 * What a start by name runs.
 * @throws ZdsupError ZDSUP_RECORD_BROKEN, ZDSUP_STATE_FOREIGN, and what a release of the store may be refused with
 */
export async function wantedAgain(
  remembered: Remembered,
  overrides: Record<string, unknown>,
  options: StartOptions,
): Promise<Wanted> {
  const { brokenRecord } = await import('../../client/records.js');
  const { name, record, uid } = remembered;
  if (record === null) throw brokenRecord(remembered);
  if (dirname(remembered.state) === SYSTEM_STATE_PARENT)
    throw new ZdsupError({
      code: 'ZDSUP_STATE_FOREIGN',
      message: `${name} is an app of systemd's: it starts as its unit says, as the user that it names`,
      hint: `systemctl start zdsup-${name}`,
      exitStatus: 2,
    });
  // What root would run here, somebody else has written.
  if (uid !== process.geteuid?.())
    throw new ZdsupError({
      code: 'ZDSUP_STATE_FOREIGN',
      message: `${name} was started by user ${uid}, who alone can bring it back`,
      hint: `as that user: zdsup start ${name}`,
      exitStatus: 2,
    });
  const stored = options.inPlace ? undefined : await releaseToRun(remembered);
  const release = stored?.release;
  if (stored)
    process.stderr.write(
      `note: ${name} runs its release ${stored.release.id}, ${stored.why}; zdsup start ${name} --in-place runs ${stored.release.from} as it is now\n`,
    );
  return {
    release,
    request: {
      ...record.request,
      overrides: { ...record.request.overrides, ...overrides },
      ...(options.only === undefined ? {} : { only: options.only }),
    },
    daemon: options.daemon ?? record.daemon,
    logFormat: options.logFormat ?? record.logFormat ?? undefined,
  };
}

/** One that was deployed since the app has ended or shortly before, else the last good one; undefined where that was no release, but a folder in place. */
async function releaseToRun({
  state,
  name,
}: Pick<Remembered, 'state' | 'name'>): Promise<{ release: DeployedRelease; why: string } | undefined> {
  const store = releasesDir(state, name);
  const found = await chosenIn(store);
  if (found === undefined) return undefined;
  const { findRelease } = await import('../../releases/store.js');
  return { release: findRelease(store, name, found.id), why: found.why };
}

/** As a start by name runs it, for the unit of an app. @param env of the master to be */
export async function releaseOfUnit(app: string, env: NodeJS.ProcessEnv): Promise<DeployedRelease | undefined> {
  const stored = await releaseToRun({ state: resolve(stateDir(env, homedir())), name: app });
  if (stored) process.stderr.write(`note: ${app} runs its release ${stored.release.id}, ${stored.why}\n`);
  return stored?.release;
}

async function chosenIn(store: string): Promise<{ id: string; why: string } | undefined> {
  const { readCurrent, readNext } = await import('../../releases/current.js');
  const next = readNext(store);
  const id = next ?? readCurrent(store);
  if (id === null) return undefined;
  return {
    id,
    why: next === null ? 'which was good last' : 'which was deployed last and has yet to prove itself',
  };
}

/** Of apps that a script or config has named, and that a start by name would run otherwise. @param env of the master to be */
export async function noteInPlace(plans: { appName: string }[], env: NodeJS.ProcessEnv): Promise<void> {
  for (const { appName } of plans) {
    const found = await chosenIn(releasesDir(resolve(stateDir(env, homedir())), appName));
    if (found === undefined) continue;
    const { runningApps } = await import('../../client/apps.js');
    if ((await runningApps()).some(({ name }) => name === appName)) continue; // It is refused, or reloaded.
    process.stderr.write(
      `note: ${appName} runs its folder as it is; zdsup start ${appName} runs its release ${found.id}, ${found.why}\n`,
    );
  }
}

/** A second app of the same script or config is another start, and none that brings this one back. */
function keepsItsName(
  app: string,
  name: string,
  request: StartRequest | undefined,
  { forCaller = false }: StartOptions,
): ZdsupError {
  const source = request?.configPath ?? request?.overrides.script ?? '<script>';
  const only = request?.only === undefined ? '' : ` --only ${request.only}`;
  return new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `${app} is brought back by its name, and keeps it: ${forCaller ? 'name:' : '--name'} ${name} is for a second app`,
    hint: forCaller
      ? `start('${source}', { overrides: { name: '${name}' } })`
      : `zdsup start ${source}${only} --name ${name}`,
    exitStatus: 2,
  });
}

/** @param here the app that was started from this folder */
const nothing = (message: string, { forCaller = false }: StartOptions, here?: KnownApp): ZdsupError =>
  new ZdsupError({ code: 'ZDSUP_USAGE', message, hint: whatToStart(here, forCaller), exitStatus: 2 });

function whatToStart(here: KnownApp | undefined, forCaller: boolean): string {
  if (here === undefined) return forCaller ? "start('app.js')" : 'zdsup start app.js';
  const { name, running } = here;
  if (running)
    return `${name} of this folder runs: ${forCaller ? `connect('${name}') finds it, and its reload()` : `zdsup reload ${name}`} brings in new code`;
  return `${forCaller ? `start('${name}')` : `zdsup start ${name}`} brings back the one of this folder`;
}

/** Undefined where none is known, or several are. */
async function appHere(folder: string): Promise<KnownApp | undefined> {
  const { appOf } = await import('../../client/app-to-change.js');
  const { knownApps } = await import('../../client/known-apps.js');
  try {
    return appOf(
      folder,
      (await knownApps()).filter(({ running }) => running?.owner === undefined),
    );
  } catch {
    return undefined;
  }
}

/** The config file of a folder, where it has one. */
export const findConfigFile = (folder: string): string | undefined =>
  CONFIG_FILE_NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));

/** Where a script may lie, as given on the command line. */
const candidatesFor = (target: string, cwd: string, baseDir: string): string[] => [
  resolve(baseDir, target),
  resolve(cwd, target),
];

const isFile = (target: string, { cwd = '.' }: StartOptions, baseDir: string): boolean =>
  candidatesFor(target, resolve(baseDir, cwd), baseDir).some((path) =>
    statSync(path, { throwIfNoEntry: false })?.isFile(),
  );

/** As given on the command line it is relative to the shell's folder; the config wants it relative to --cwd. */
async function scriptOf(target: string, cwd: string, baseDir: string): Promise<string> {
  const candidates = candidatesFor(target, cwd, baseDir);
  const path = candidates.find(
    (candidate) => existsSync(candidate) || (extname(candidate) === '' && existsSync(`${candidate}.js`)),
  );
  if (path === undefined) {
    const apps = isAppName(target) ? await appNames() : [];
    throw missing('script', 'ZDSUP_SCRIPT_MISSING', target, candidates[0]!, apps);
  }
  if (existsSync(path) && statSync(path).isDirectory() && !existsSync(`${path}.js`))
    throw new ZdsupError({
      code: 'ZDSUP_SCRIPT_NOT_A_FILE',
      message: `${target} is a folder, not a script`,
      hint: `name the script in it, or its config: zdsup start ${join(target, entryOf(path))}`,
      exitStatus: 2,
    });
  return path;
}

async function appNames(): Promise<string[]> {
  const { knownApps } = await import('../../client/known-apps.js');
  return (await knownApps()).map(({ name }) => name);
}

function entryOf(folder: string): string {
  const names = readdirSync(folder);
  return (
    [...CONFIG_FILE_NAMES, 'app.js', 'server.js', 'index.js', 'main.js'].find((name) => names.includes(name)) ??
    'app.js'
  );
}

/** @param apps what the target may have been meant for too */
function missing(what: string, code: ErrorCode, target: string, path: string, apps: string[] = []): ZdsupError {
  const folder = dirname(path);
  const near = nearestWord(basename(path), [...(existsSync(folder) ? readdirSync(folder) : []), ...apps]);
  return new ZdsupError({
    code,
    message: `no such ${what}: ${path}`,
    hint: near
      ? `did you mean ${join(dirname(target), near)}?`
      : 'check the path; zdsup start takes a script, a config file, or the name of an app that zdsup status shows',
    exitStatus: 2,
  });
}

/** What is no word of it is most often a path without its slash. */
export function refuseUnknownCheck(ready: string | undefined): void {
  if (ready === undefined || ready === 'listening' || ready === 'message' || ready.startsWith('/')) return;
  const near = nearestWord(ready, ['listening', 'message']) ?? (/^[\w.-]+(?:\/|$)/.test(ready) ? `/${ready}` : null);
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `--ready ${ready} is neither listening, message nor a path`,
    hint: near === null ? 'a path starts with a slash: --ready /healthz' : `did you mean --ready ${near}?`,
    exitStatus: 2,
  });
}

/** What was given on the command line, as config keys. Paths are relative to the shell's folder, not to a config file's. */
function overridesOf(options: StartOptions, args: string[], baseDir: string): Record<string, unknown> {
  const { name, instances, cwd, envFile, nodeArgs, ready, drainTimeout, watch, http } = options;
  noteUnitless('--drain-timeout', drainTimeout);
  refuseUnknownCheck(ready);
  const given = {
    watch,
    http,
    name,
    instances,
    nodeArgs,
    drainTimeout,
    cwd: cwd === undefined ? undefined : resolve(baseDir, cwd),
    envFile: envFile?.map((file) => resolve(baseDir, file)),
    args: args.length > 0 ? args : undefined,
    ready: ready?.startsWith('/') ? { path: ready } : ready,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
