/**
 * Runs in the CLI. Starts masters as daemons, one for each app, one after another: a process in a session of its own that
 * writes to one log file. Waits until the app serves or has failed; Ctrl-C ends the waiting alone.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runningApps } from '../../client/apps.js';
import type { StartRequest } from '../../shared/app-record.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import { runsAlready } from '../../shared/control-socket.js';
import type { DaemonAnswer, DaemonOrder, StartResult } from '../../shared/daemon.js';
import { ORDER_FD } from '../../shared/daemon.js';
import { toReport, ZdsupError } from '../../shared/errors.js';
import { notForked } from '../../shared/not-forked.js';
import { controlSocketPath, logPath, runDirForStart, stateDir } from '../../shared/paths.js';
import type { ProgressView } from '../render/progress.js';
import { makeProgress } from '../render/progress.js';
import { carryOutOne, detachOnInterrupt, progressOf, tell } from './carry-out.js';
import { noteStartedOtherwise } from './started-otherwise.js';

export const BIN = fileURLToPath(new URL('../../../bin/zdsup.js', import.meta.url));

export interface StartDaemonsOptions {
  /** Of the masters and their workers. */
  env: NodeJS.ProcessEnv;
  claimFolder(folder: string): void;
  /** With those above it, where they are missing. */
  makeFolder(folder: string): void;
  /** Null where this host has none. */
  makePipe(folder: string): { read: number; write: number } | null;
  logFormat: 'json' | 'pretty' | undefined;
  json: boolean;
  orReload: boolean;
  /** Others are started meanwhile: no line is redrawn in place, and Ctrl-C is the caller's to hear. */
  beside?: boolean;
  /** Where its steps are shown. @default this process's own terminal or stderr */
  progress?: ProgressView;
  /** Gives the start up: it settles when the daemon has ended again. */
  signal?: AbortSignal;
}

/** What the command looks at of a plan. */
interface PlannedApp {
  appName: string;
  config: { log: { out: string | null } | null; http: object | null };
}

export type Outcome = ControlResult | StartResult;

/**
 * @param plans what each first generation runs, as the planner has judged it
 * @returns the highest exit status; what one app comes to does not keep the next from its turn
 */
export async function startDaemons(
  plans: PlannedApp[],
  request: StartRequest,
  options: StartDaemonsOptions,
): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const plan of plans) {
    const own = plans.length > 1 ? { ...request, only: plan.appName } : request;
    const outcome = await startOne(plan, own, options);
    if (!options.json) tell(plan.appName, outcome, plans.length > 1);
    if (outcome.ok && plan.config.http && !options.json && process.stderr.isTTY)
      await showPage(plan.appName, options.env);
    outcomes.push(outcome);
  }
  if (options.json) {
    const named = outcomes.map((outcome, index) => ({ app: plans[index]!.appName, ...outcome }));
    process.stdout.write(`${JSON.stringify(plans.length > 1 ? named : named[0], null, 2)}\n`);
  }
  return Math.max(...outcomes.map((outcome) => outcome.exitStatus));
}

/** On a terminal alone: the link has the token, and what is no terminal may be a log. */
async function showPage(app: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { askDashboard, linkOf } = await import('./dashboard.js');
  const result = await askDashboard(app, controlSocketPath(resolve(runDirForStart(env, homedir())), app));
  if (result.ok && result.command === 'dashboard') process.stderr.write(`dashboard: ${linkOf(result)}\n`);
}

/** Never rejects: what it comes to is the result. */
export async function startOne(
  plan: PlannedApp,
  request: StartRequest,
  options: StartDaemonsOptions,
): Promise<Outcome> {
  const app = plan.appName;
  try {
    const running = (await runningApps()).find((one) => one.name === app);
    if (running && options.orReload) {
      await noteStartedOtherwise(app, request);
      return await carryOutOne(running, { command: 'reload' }, { json: options.json, verb: 'reload', isRollout: true });
    }
    if (running) throw runsAlready(app);
    const kept = logPath(resolve(stateDir(options.env, homedir())), app);
    options.claimFolder(dirname(kept));
    const logFile = plan.config.log?.out ?? kept;
    const { logFormat } = options;
    const order = { app, request, plan, logFile, ...(logFormat ? { logFormat } : {}) };
    return await launch(order, dirname(kept), options);
  } catch (error) {
    return { app, ...failedResult(toReport(error)) };
  }
}

/** @param folder for what has a name for a moment */
async function launch(
  order: Omit<DaemonOrder, 'piped'>,
  folder: string,
  { env, json, makeFolder, makePipe, beside = false, progress: shown, signal }: StartDaemonsOptions,
): Promise<StartResult> {
  const startedAt = Date.now();
  const progress = shown ?? (beside ? makeProgress(order.app, json ? 'none' : 'lines') : progressOf(order.app, json));
  const attached = beside ? null : detachOnInterrupt(order.app, 'start', progress);
  try {
    const log = openLog(order.logFile, makeFolder); // Also where it is written by the log process: who may not is told now.
    const pipe = makePipe(folder);
    const output = pipe?.write ?? log;
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [...process.execArgv, BIN, 'start', '--as-daemon'], {
        cwd: '/',
        env,
        detached: true,
        stdio: ['ignore', output, output, 'ipc', 'pipe', ...(pipe ? [pipe.read] : [])],
      });
      // In the kernel's hands by the next line: also where this process goes at once, the daemon has its order.
      (child.stdio[ORDER_FD] as Writable | null)
        ?.on('error', () => {})
        .end(JSON.stringify({ ...order, piped: pipe !== null }));
    } finally {
      for (const fd of [log, ...(pipe ? [pipe.read, pipe.write] : [])]) closeSync(fd);
    }
    const giveUp = (): void => void child.kill('SIGTERM');
    if (signal?.aborted) giveUp();
    signal?.addEventListener('abort', giveUp);
    const result = await answerOf(child, order.app, (answer) => progress.show(answer));
    signal?.removeEventListener('abort', giveUp);
    return result.ok ? { ...result, durationMs: Date.now() - startedAt } : result;
  } finally {
    progress.end();
    attached?.end();
  }
}

/**
 * As the log process opens it: also for reading, with which a named pipe that nobody reads holds up nobody.
 * @throws ZdsupError ZDSUP_LOG_UNWRITABLE
 */
function openLog(path: string, makeFolder: (folder: string) => void): number {
  try {
    makeFolder(dirname(path));
    return openSync(path, 'a+', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ZdsupError({
      code: 'ZDSUP_LOG_UNWRITABLE',
      message: `cannot write the log ${path}: ${code ?? message}`,
      hint: 'make it writable for this user, or name another file: log.out in the config',
      exitStatus: 2,
    });
  }
}

/** After a failure the process is waited for as well: whoever starts again at once must not meet it. */
function answerOf(
  child: ChildProcess,
  app: string,
  show: (step: Extract<DaemonAnswer, { type: 'progress' }>) => void,
): Promise<StartResult> {
  return new Promise((resolve_, reject) => {
    let failure: StartResult | null = null;
    child.on('message', (message) => {
      const answer = message as DaemonAnswer;
      if (answer.type === 'progress') show(answer);
      else if (!answer.ok) failure = answer;
      else {
        if (child.connected) child.disconnect();
        child.unref();
        resolve_(answer);
      }
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) reject(notForked(error));
    });
    // Not `exit`, which may overtake an answer that is in the channel still.
    child.on('close', (code, signal) => (failure ? resolve_(failure) : reject(died(app, signal ?? `code ${code}`))));
  });
}

const died = (app: string, how: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_START_DIED',
    message: `the master of ${app} ended before the app served (${how})`,
    hint: `its last words: zdsup logs ${app}`,
    exitStatus: 1,
  });
