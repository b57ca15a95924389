/** Runs in the planner. Resolves what one generation runs: entry, folder, arguments, environment, policy. */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Limits, Policy } from '../../domain/types.js';
import { deriveAppName, nameInPackage } from '../../shared/app-name.js';
import type { Amount, AppConfig, HttpConfig, LogConfig } from '../../shared/config.js';
import { ZdsupError } from '../../shared/errors.js';
import type { Identity } from '../../shared/identity.js';
import { unixPathsOf } from '../../shared/listen-address.js';
import { nearestWord } from '../../shared/nearest.js';
import { MANAGER_VARIABLES } from '../../shared/service-manager.js';
import { fingerprint } from '../fingerprint.js';
import type { Plan, PlanRequest } from '../plan.js';
import { typescriptArgs } from '../typescript-entry.js';
import type { HostLimits } from './cgroup.js';
import { hostLimits } from './cgroup.js';
import { readEnvFile } from './env-file.js';
import { identityOf } from './identity.js';
import { settleIdentity } from './readable.js';
import type { Relocate } from './relocate.js';
import { outOfRelease, relocation } from './relocate.js';
import { refuseWeak, WHY_CONFIG } from './root-only.js';

/** Settings that say how this process was started and would mislead a worker. */
const NOT_INHERITED = ['NODE_UNIQUE_ID', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', ...MANAGER_VARIABLES];

/** Of root's own login: folders that another user cannot use, and who called sudo. */
const OF_A_LOGIN = [
  ...['XDG_RUNTIME_DIR', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME', 'MAIL'],
  ...['SUDO_USER', 'SUDO_UID', 'SUDO_GID', 'SUDO_COMMAND'],
];

export interface PlanOptions {
  scaled?: PlanRequest['scaled'] | undefined;
  release?: PlanRequest['release'];
  /** Where `config` was read. */
  configPath?: string | undefined;
}

/**
 * Resolves symbolic links now, for this generation alone.
 * @param baseDir logical folder that relative paths in `config` start from (its links are followed afresh each time)
 * @param masterEnv environment of the master at its start
 * @throws ZdsupError where the script, the folder or an env file is not there
 */
export async function makePlan(
  config: AppConfig,
  baseDir: string,
  masterEnv: NodeJS.ProcessEnv,
  { scaled = null, release, configPath }: PlanOptions = {},
): Promise<Plan> {
  const relocate = relocation(release);
  const wanted = identityOf(config.user, config.group);
  const envFiles = config.envFile.map((file) => relocate(resolve(baseDir, file)));
  const log = config.log && logIn(config.log, resolve(baseDir, config.cwd ?? '.'), outOfRelease(release));
  const http = config.http && httpIn(config.http, resolve(baseDir, config.cwd ?? '.'), outOfRelease(release));
  if (wanted !== null) refuseWhatOthersWrite({ ...config, log, http }, configPath, envFiles);
  const logicalCwd = relocate(resolve(baseDir, config.cwd ?? '.'));
  const cwd = await realpath(logicalCwd).catch(() => {
    throw new ZdsupError({
      code: 'ZDSUP_CWD_MISSING',
      message: `the folder ${logicalCwd} is not there`,
      hint: 'restore it, or give another one with --cwd',
      exitStatus: 2,
    });
  });
  const script = relocate(resolve(logicalCwd, config.script));
  const entry = await resolveEntry(script);
  const path = release
    ? await realpath(release.path)
    : await releaseFolder(entry, cwd, await linkedFolder(script, cwd));
  const readAt = Date.now();
  const baseline = await fingerprint(path, entry);
  const fromFiles = await readEnvFiles(envFiles);
  const { identity, warnings } = wanted ? settleIdentity(wanted, entry, cwd) : { identity: null, warnings: [] };
  const id = release?.id ?? createHash('sha256').update(path).update(baseline).digest('hex').slice(0, 8);
  return {
    appName: config.name ?? deriveAppName(await nameSource(await releaseFolder(entry, cwd, null))),
    config: { ...config, log, http },
    release: { id, path },
    deployed: release ?? null,
    entry,
    execArgv: [...config.nodeArgs, ...typescriptArgs(entry)],
    args: config.args,
    cwd,
    identity,
    env: { ...inherited(masterEnv, identity), ...loginOf(identity), PWD: cwd, ...fromFiles.env, ...config.env },
    policy: policyOf(config, scaled),
    baseline,
    readAt,
    warnings: [...warnings, ...fromFiles.warnings],
  };
}

/** Never within a release of the store: a log outlives it, also where the config itself was read there. */
const logIn = (log: LogConfig, folder: string, home: Relocate): LogConfig => ({
  ...log,
  out: log.out && home(resolve(folder, log.out)),
  error: log.error && home(resolve(folder, log.error)),
});

/** As a log: it is of the app, whatever release runs. */
const httpIn = (http: HttpConfig, folder: string, home: Relocate): HttpConfig => ({
  ...http,
  socket: http.socket && home(resolve(folder, http.socket)),
});

async function resolveEntry(logical: string): Promise<string> {
  const info = await stat(logical).catch(() => null);
  if (!info && extname(logical) === '' && (await stat(`${logical}.js`).catch(() => null))?.isFile())
    return realpath(`${logical}.js`);
  if (!info) {
    const near = nearestWord(basename(logical), await readdir(dirname(logical)).catch(() => []));
    throw new ZdsupError({
      code: 'ZDSUP_SCRIPT_MISSING',
      message: `no such script: ${logical}`,
      hint: near ? `did you mean ${near}?` : 'check the path, or restore the release it belongs to',
      exitStatus: 2,
    });
  }
  if (!info.isFile())
    throw new ZdsupError({
      code: 'ZDSUP_SCRIPT_NOT_A_FILE',
      message: `${logical} is a folder, not a script`,
      hint: `name the script in it: zdsup start ${join(logical, 'index.js')}`,
      exitStatus: 2,
    });
  return realpath(logical);
}

/** What a link on the way from the working folder to the script points to, the nearest to the script: a `current` that a deploy moves. */
async function linkedFolder(script: string, cwd: string): Promise<string | null> {
  for (let folder = dirname(script); folder !== dirname(folder); folder = dirname(folder)) {
    const real = await realpath(folder).catch(() => null);
    if (real === null || real === cwd) return null;
    if ((await lstat(folder)).isSymbolicLink()) return real;
  }
  return null;
}

/** The package the entry belongs to, not above the link that led to it, nor the working folder where the entry lies in it; else the entry's folder. */
async function releaseFolder(entry: string, cwd: string, linked: string | null): Promise<string> {
  const up = relative(cwd, entry);
  const top = linked ?? (up.startsWith('..') || isAbsolute(up) ? null : cwd);
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    if (await stat(join(folder, 'package.json')).catch(() => null)) return folder;
    if (folder === top) return folder;
    if (folder === dirname(folder)) return top ?? dirname(entry);
  }
}

async function readEnvFiles(paths: string[]): Promise<{ env: Record<string, string>; warnings: string[] }> {
  const env: Record<string, string> = {};
  const warnings: string[] = [];
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new ZdsupError({
        code: 'ZDSUP_ENV_FILE',
        message: `cannot read the env file ${path}: ${error.code ?? error.message}`,
        hint: 'check envFile / --env-file',
        exitStatus: 2,
      });
    });
    const nul = text.split('\n').findIndex((line) => line.includes('\0'));
    if (nul !== -1)
      throw new ZdsupError({
        code: 'ZDSUP_ENV_FILE',
        message: `${path}:${nul + 1} has a NUL byte, which no variable can hold`,
        hint: 'is it a text file? take the byte out',
        exitStatus: 2,
      });
    const read = readEnvFile(text);
    Object.assign(env, read.env);
    // The line itself may be half a secret.
    for (const line of read.unread) warnings.push(`${path}:${line} is no NAME=value and sets nothing`);
  }
  return { env, warnings };
}

function inherited(masterEnv: NodeJS.ProcessEnv, identity: Identity | null): Record<string, string> {
  const left = identity === null ? NOT_INHERITED : [...NOT_INHERITED, ...OF_A_LOGIN];
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(masterEnv))
    if (value !== undefined && !left.includes(name)) env[name] = value;
  return env;
}

/**
 * What root reads for workers that run as somebody else, and where it makes their unix sockets and its own, and writes their log. Not the script: nothing of it is executed by root.
 * @throws ZdsupError ZDSUP_NOT_ROOTS_ALONE
 */
function refuseWhatOthersWrite(config: AppConfig, configPath: string | undefined, envFiles: string[]): void {
  if (configPath !== undefined) refuseWeak('the config', configPath, WHY_CONFIG);
  for (const file of envFiles)
    refuseWeak('the env file', file, 'root reads it, so its writer could have root read another');
  for (const path of unixPathsOf(config.listen ?? []))
    refuseWeak('the folder', dirname(path), `root binds ${path} in it, so its writer could lead root astray`);
  const socket = config.http?.socket ?? null;
  // Whoever had another listen in its place would be shown the token, and could order what root does.
  if (socket !== null)
    refuseWeak('the folder', dirname(socket), `root is asked at ${socket}, with its token`, 'folder-of-new-files');
  const { out = null, error = null } = config.log ?? {};
  for (const file of new Set([out, error].filter((one) => one !== null))) {
    // A link in it would have root write, cut or pack another file, with what the workers say.
    refuseWeak('the folder of the log', dirname(file), `root writes ${file} in it`, 'folder-of-new-files');
    refuseWeak('the log', file, 'root writes it');
  }
}

/** As a login of that user has it. */
const loginOf = (identity: Identity | null): Record<string, string> =>
  identity === null ? {} : { HOME: identity.home, USER: identity.user, LOGNAME: identity.user, SHELL: identity.shell };

/** @param scaled stands for as long as the config says the number that it was scaled from */
export function policyOf(config: AppConfig, scaled: PlanRequest['scaled'], host: HostLimits = hostLimits()): Policy {
  const configuredInstances = config.instances === 'max' ? host.cpus : config.instances;
  const instances = scaled?.configured === configuredInstances ? scaled.count : configuredInstances;
  const { ready } = config;
  const surge = countOf(config.surge, instances, Math.ceil);
  const unavailable = countOf(config.unavailable, instances, Math.floor);
  return {
    instances,
    configuredInstances,
    check: typeof ready.check === 'string' ? ready.check : 'http',
    readyDeadlineMs: ready.deadlineMs,
    minReadyMs: config.minReadyMs,
    surge,
    // A percentage of few workers may come to 0, and with no surge a reload could then do nothing: 1, as Kubernetes has it.
    unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable,
    atomic: config.atomic,
    drainTimeoutMs: config.drainTimeoutMs,
    killTimeoutMs: config.killTimeoutMs,
    stopTimeoutMs: config.stopTimeoutMs,
    backoff: config.backoff,
    maxDraining: config.maxDraining,
    sticky: config.sticky === 'ip',
    smoke: config.smoke !== null,
    warmup: config.warmup === null ? 'none' : config.warmup.required ? 'required' : 'wanted',
    crashLoop: config.crashLoop,
    canary: canaryPolicyOf(config),
    soakMs: config.soakMs,
    keepWarmMs: config.keepWarmMs,
    limits: limitsOf(config, host),
  };
}

/** A share is one of what all workers together may have, so that the number of workers is nobody's sum to do. */
function limitsOf({ maxMemory, maxAgeMs, maxRequests }: AppConfig, { memoryBytes }: HostLimits): Limits {
  const memory: Limits['memory'] =
    maxMemory === null
      ? null
      : 'bytes' in maxMemory
        ? { bytes: maxMemory.bytes, of: 'each' }
        : { bytes: maxMemory.share * memoryBytes, of: 'all' };
  return { memory, ageMs: maxAgeMs, requests: maxRequests };
}

function canaryPolicyOf({ canary }: AppConfig): Policy['canary'] {
  if (!canary) return null;
  const { steps, sticky, analysis } = canary;
  return { steps, sticky, inconclusive: analysis.inconclusive };
}

const countOf = (amount: Amount, instances: number, round: (value: number) => number): number =>
  'count' in amount ? amount.count : round((amount.percent * instances) / 100);

/** The name of an app that was given none: its package's, else its folder's. */
async function nameSource(folder: string): Promise<string> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => null);
  return (text === null ? null : nameInPackage(text)) ?? basename(folder);
}
