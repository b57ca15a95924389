/**
 * Runs in the master. What one generation runs, resolved once and pinned: a worker that is respawned in an hour starts from
 * this and not from what the files say then. Made by a short-lived child (planning/planner.ts): the config is
 * user code, and neither its module cache nor the schema that judges it stays in the master's memory.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Fleet, Policy } from '../domain/types.js';
import { keepNonBlocking } from '../node-internals/stdio.cjs';
import type { StartRequest } from '../shared/app-record.js';
import type { AppConfig } from '../shared/config.js';
import type { ErrorCode, ErrorReport } from '../shared/errors.js';
import { ZdsupError } from '../shared/errors.js';
import type { Identity } from '../shared/identity.js';
import { withoutManager } from '../shared/service-manager.js';
import { noConfig } from './no-config.js';
import { relocation } from './planning/relocate.js';
import { typescriptArgs } from './typescript-entry.js';

export interface Plan {
  /** Given, else derived from package.json or the folder. */
  appName: string;
  config: AppConfig;
  release: { id: string; path: string };
  /** It runs from a release in the store; null: from a folder that is edited in place. */
  deployed: DeployedRelease | null;
  entry: string;
  execArgv: string[];
  args: string[];
  cwd: string;
  /** Whom the workers run as; null: as the master does. */
  identity: Identity | null;
  /** The whole environment of a worker, but for what names its slot and generation. */
  env: Record<string, string>;
  policy: Policy;
  /** Fingerprint of the release as it was before the first worker of this generation was forked. */
  baseline: string;
  /** When the release was looked at, in ms since 1970: what has changed since is not what this generation runs. */
  readAt: number;
  /** What was passed over, a line each: told once, when the generation is prepared. */
  warnings: string[];
}

/** The same release of the store, settings and environment, however many workers there are. Of a folder in place it cannot be known. */
export function runsTheSame(one: Plan, other: Plan): boolean {
  if (one.deployed === null) return false;
  const ran = ({ appName: _, policy: __, readAt: ___, warnings: ____, ...rest }: Plan) => rest;
  return isDeepStrictEqual(ran(one), ran(other));
}

/** A release in the store (src/releases): what the plan names in the folder `from` lies in `path` instead. */
export interface DeployedRelease {
  id: string;
  /** Absolute. */
  path: string;
  /** Absolute; its real path counts as well. */
  from: string;
}

/** The same for every generation, but for the release. */
export interface PlanRequest extends StartRequest {
  /** Of the master: a planner of another version refuses to answer. */
  version: string;
  /** Who asks, where an error is to be told in its words. @default a start or a reload */
  command?: 'check' | 'start()';
  /** The last scale; the master's to fill in. */
  scaled?: Fleet['scaled'];
  /** @default the folder in place */
  release?: DeployedRelease | undefined;
}

/** What the planner is asked: one plan, or with `every` one for each app of the config. */
export type PlannerQuestion = PlanRequest & { every: boolean };
export type PlanAnswer = { ok: true; plans: Plan[] } | { ok: false; error: ErrorReport };

const PLANNER = fileURLToPath(new URL('planning/planner.js', import.meta.url));
/** A config that has not returned by then never will, in ms. */
const TIMEOUT_MS = 10_000;
/** By so much less urgent than the workers (nice values): a third of the CPU, where there is not enough. */
const LOWER = 5;
const ENDING: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

type Outcome = PlanAnswer | { ended: number | null } | { unforked: string } | 'timeout';

export interface PlannerOptions {
  /** Who the config is read as: root runs no code of another user's. @default who this process is */
  reader?: Reader | undefined;
  /** Ends the planner: nobody wants its answer any more. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads config, env files and release afresh.
 * @param masterEnv environment of the master at its start
 * @throws ZdsupError ZDSUP_CONFIG_*, ZDSUP_SCRIPT_*, ZDSUP_CWD_MISSING, ZDSUP_ENV_FILE, ZDSUP_ENTRY_TYPESCRIPT
 */
export async function readPlan(
  request: PlanRequest,
  masterEnv: NodeJS.ProcessEnv,
  options: PlannerOptions = {},
): Promise<Plan> {
  return (await askPlanner({ ...request, every: false }, masterEnv, options))[0]!;
}

/** A user, as far as a planner is started as one. */
export interface Reader {
  uid: number;
  gid: number;
  home: string;
}

/** As {@link readPlan}, for each app of a config with several where `only` picks none. */
export const readPlans = (request: PlanRequest, masterEnv: NodeJS.ProcessEnv): Promise<Plan[]> =>
  askPlanner({ ...request, every: true }, masterEnv);

/**
 * What a reload of a running app refuses, and a check of it too. A name that was only derived may change.
 * @throws ZdsupError ZDSUP_CONFIG_INVALID
 */
export function refuseRename(from: string, { config: { name: to } }: Plan): void {
  if (to === undefined || to === from) return;
  throw failed(
    'ZDSUP_CONFIG_INVALID',
    `the config names the app ${to}, it runs as ${from}: a reload cannot rename it`,
    `put the name back, or zdsup stop ${from} and start it again`,
  );
}

async function askPlanner(
  question: PlannerQuestion,
  masterEnv: NodeJS.ProcessEnv,
  { reader, signal }: PlannerOptions = {},
): Promise<Plan[]> {
  const asked = question.configPath;
  const configPath = asked === undefined ? undefined : relocation(question.release)(asked);
  if (configPath !== undefined && !existsSync(configPath)) throw noConfig(configPath, question.release);
  const child = fork(PLANNER, [], {
    cwd: configPath === undefined ? '/' : dirname(configPath),
    ...(reader && process.geteuid?.() === 0 ? { uid: reader.uid, gid: reader.gid } : {}),
    env: { ...withoutManager(masterEnv), ...(reader ? { HOME: reader.home } : {}) }, // A config that speaks to systemd would do so in the master's name.
    execArgv: configPath === undefined ? [] : typescriptArgs(configPath),
    // A session of its own: a signal to the terminal's or the service's process group is the master's to judge.
    detached: true,
    ...(signal && { signal, killSignal: 'SIGKILL' }),
    // What the config file prints is shown, but is not the app's output.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  keepNonBlocking(process.stderr);
  if (child.pid !== undefined) yieldToWorkers(child.pid);
  let timer: NodeJS.Timeout | undefined;
  const unbind = endWithThisProcess(child);
  try {
    const outcome = await new Promise<Outcome>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), TIMEOUT_MS);
      child.once('message', (message) => resolve(message as PlanAnswer));
      child.once('error', (error: NodeJS.ErrnoException) => resolve({ unforked: error.code ?? error.message }));
      // Not `exit`, which may overtake an answer that is in the channel still.
      child.once('close', (code) => resolve({ ended: code }));
      if (child.pid === undefined) return; // `error` tells why.
      child.send(question, (error) => error && resolve({ ended: null }));
    });
    return unwrap(outcome, configPath);
  } finally {
    clearTimeout(timer);
    unbind();
    child.kill('SIGKILL');
  }
}

/** Nobody waits for a plan as clients wait for their answers. For good: to take it back would need a privilege. */
function yieldToWorkers(pid: number): void {
  try {
    setPriority(pid, Math.min(constants.priority.PRIORITY_LOW, getPriority() + LOWER));
  } catch {
    // It has ended, or this host does not allow it.
  }
}

/** A config in an endless loop does not hear that whoever asked has gone, and its session gets no signal of the terminal. */
function endWithThisProcess(child: ChildProcess): () => void {
  const end = (): void => void child.kill('SIGKILL');
  // Whoever has a listener of its own decides by itself, and ends with `exit`.
  const signals = ENDING.filter((name) => process.listenerCount(name) === 0);
  const unbind = (): void => {
    process.off('exit', end);
    for (const name of signals) process.off(name, pass);
  };
  const pass = (name: NodeJS.Signals): void => {
    end();
    unbind();
    process.kill(process.pid, name);
  };
  process.on('exit', end);
  for (const name of signals) process.on(name, pass);
  return unbind;
}

function unwrap(outcome: Outcome, configPath: string | undefined): Plan[] {
  if (typeof outcome === 'object' && 'ok' in outcome) {
    if (outcome.ok) return outcome.plans;
    throw new ZdsupError(outcome.error);
  }
  if (typeof outcome === 'object' && 'unforked' in outcome)
    throw new ZdsupError({
      code: 'ZDSUP_FORK_FAILED',
      message: `no process could be started to read the release: ${outcome.unforked}`,
      hint: 'look at the limits of this user: ulimit -a',
      exitStatus: 1,
    });
  const what = configPath === undefined ? 'reading the release' : basename(configPath);
  if (outcome === 'timeout')
    throw failed(
      'ZDSUP_CONFIG_TIMEOUT',
      `${what} did not return within ${TIMEOUT_MS / 1000} s`,
      'a config exports data; take out what it waits for',
    );
  throw failed(
    'ZDSUP_CONFIG_EXITED',
    `${what} ended the process (exit code ${outcome.ended}) instead of exporting a config`,
    'take process.exit() out of it',
  );
}

const failed = (code: ErrorCode, message: string, hint: string): ZdsupError =>
  new ZdsupError({ code, message, hint, exitStatus: 2 });
