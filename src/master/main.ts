/**
 * Runs in the master: puts its parts together, from the config to the end of the last worker. Runs no user code.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Event } from '../domain/types.js';
import { missingServerHandle } from '../node-internals/server-handle.cjs';
import { noteGood, noteNext, passOver } from '../releases/current.js';
import { runsAlready } from '../shared/control-socket.js';
import { ZdsupError } from '../shared/errors.js';
import { controlSocketPath, journalPath, logPath, releasesDir, runDirForStart, stateDir } from '../shared/paths.js';
import { STOPPED_FOR_GOOD } from '../shared/service-manager.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { VERSION } from '../shared/version.cjs';
import { keepRecord } from './app-record.js';
import { handleCommand } from './commands/handle.js';
import { failure } from './commands/rollouts.js';
import { listenForControl } from './control-server.js';
import type { Observer, RolloutEnd } from './effects.js';
import { Effects } from './effects.js';
import type { Feed } from './feed.js';
import { History } from './history.js';
import { takeInheritance } from './inherited.js';
import { openJournal } from './journal-keeper.js';
import { KeptOutput } from './kept-output.js';
import { Listeners } from './listeners.js';
import { watchLiveness } from './liveness.js';
import type { LogFormat, Logger } from './log.js';
import { makeLogger } from './log.js';
import type { LogProcess } from './log-process.js';
import { watchLimits } from './outgrown.js';
import type { Plan, PlanRequest } from './plan.js';
import { readPlan, refuseRename } from './plan.js';
import { markReleases } from './release-marks.js';
import { Service, sendOf, watchdogOf } from './service.js';
import { installSignals } from './signals.js';
import { takeSnapshot } from './snapshot.js';
import type { FileId } from './state-folder.js';
import { claimFolder, leaveSocketPath, takeSocketPath } from './state-folder.js';
import { Supervisor } from './supervisor.js';
import { prepareUsage } from './usage.js';

/** Once its workers have run as another user, the config is judged before it is evaluated. */
const GUARDED = { guarded: true } as const;
/** Of the samples for whoever watches, which come once a second. */
const LOOKS_AT_RELEASE_EVERY = 10;
/** What zdsup writes in its state folder. */
const OWN_FOLDERS = ['apps', 'journal', 'logs', 'releases'];

export interface MasterOptions {
  logFormat?: LogFormat | undefined;
  /** Its output goes to this file, absolute, and nobody waits at a terminal. */
  daemon?: { logFile: string /** Reads its output already. */; logs?: LogProcess | undefined };
  /** It is the main process of a systemd unit that zdsup wrote. */
  isUnit?: boolean;
  /** Hears of the first rollout, and of all that follow. */
  observer?: Observer;
}

/**
 * Runs one app until it has been stopped.
 * @param request what to run; read afresh at each reload
 * @param firstPlan what was read of it for the first generation
 * @param masterEnv the environment that workers inherit
 * @returns the exit status; of a unit that was stopped by the command, STOPPED_FOR_GOOD
 * @throws ZdsupError where it cannot start at all; nothing is left behind then
 */
export async function runMaster(
  request: PlanRequest,
  firstPlan: Promise<Plan>,
  masterEnv: NodeJS.ProcessEnv,
  options: MasterOptions = {},
): Promise<number> {
  refuseUnsupportedNode();
  const startedAt = Date.now();
  const first = await firstPlan;
  const { appName } = first;
  // Relative ones, before the master moves to /.
  const runDir = resolve(runDirForStart(masterEnv, homedir()));
  const state = resolve(stateDir(masterEnv, homedir()));
  const socketPath = controlSocketPath(runDir, appName);
  claimFolder(runDir);

  const inheritance = takeInheritance(masterEnv);
  const listeners = new Listeners(false, inheritance.sockets);
  const logger = await makeLogger(appName, options.logFormat);
  for (const message of inheritance.warnings) logger.warn(message);
  const kept = new KeptOutput({
    app: appName,
    folder: runDir,
    file: logPath(state, appName),
    daemon: options.daemon?.logs ?? null,
    tell: (message) => logger.warn(message),
  });
  let end: (failed: boolean) => void;
  const ended = new Promise<boolean>((resolve_) => {
    end = resolve_;
  });
  // What was read to learn the name is what the first generation runs.
  let waiting: Plan | null = first;
  let guard: { guarded?: true } = first.identity === null ? {} : GUARDED;
  const effects: Effects = new Effects({
    appName,
    listeners,
    logger,
    output: process.stdout.isTTY ? 'labelled' : 'plain',
    kept,
    store: releasesDir(state, appName),
    makePlan: async (scaled, release) => {
      const plan = waiting ?? (await readPlan({ ...request, ...guard, scaled, release }, masterEnv));
      waiting = null;
      if (plan.identity !== null) guard = GUARDED;
      refuseRename(appName, plan);
      return plan;
    },
    post: (event) => supervisor.post(event),
    queue: {
      measure: (on) => supervisor.measureDelay(on),
      takeLongestMs: () => supervisor.takeLongestDelayMs(),
    },
    ended: (failed) => end(failed),
  });
  const supervisor: Supervisor = new Supervisor(effects.perform);
  const time = { now: () => supervisor.now(), wallOf: (at: number) => supervisor.wallOf(at) };
  const history = new History(() => supervisor.state, time);
  effects.observers.add(history);
  if (options.observer) effects.observers.add(options.observer);
  const snapshot = async (looksAtRelease = true) => ({
    ...(await takeSnapshot(appName, startedAt, () => supervisor.state, effects, listeners, time, looksAtRelease)),
    ...kept.snapshot(),
  });
  let feeding: Promise<Feed> | null = null;
  const makeFeed = async (): Promise<Feed> => {
    const { Feed } = await import('./feed.js'); // Most masters are watched by nobody.
    const { observers, figures } = effects;
    let samples = 0;
    // To look at the release goes through all of its files.
    const sample = (): Promise<AppSnapshot> => snapshot(samples++ % LOOKS_AT_RELEASE_EVERY === 0);
    return new Feed({ snapshot: sample, observers, figures, warn: (message) => logger.warn(message) });
  };
  const feed = (): Promise<Feed> => {
    feeding ??= makeFeed();
    return feeding;
  };
  const send = options.daemon ? null : sendOf(masterEnv, inheritance.notifyFd); // A daemon has left the service that started it.
  const service =
    send &&
    new Service({
      send,
      watchdogMs: watchdogOf(masterEnv),
      state: () => supervisor.state,
      turn: () => supervisor.request({ type: 'timer' }),
      now: time.now,
      warn: (message) => logger.warn(message),
    });
  if (service) effects.observers.add(service);

  const temporary = join(runDir, `.${process.pid}`);
  let stoppedByCommand = false;
  const control = await listenForControl(temporary, (request, connection) => {
    stoppedByCommand ||= request.command === 'stop';
    return handleCommand(
      { appName, supervisor, effects, history, snapshot, ended, store: releasesDir(state, appName), feed },
      request,
      connection,
    );
  });
  let socket: FileId;
  try {
    socket = await takeSocketPath(temporary, socketPath, () => runsAlready(appName));
  } catch (error) {
    await control.close();
    throw error;
  }
  // Only now is the name ours.
  const { version: _, release: __, ...asked } = request;
  const warn = (message: string): void => {
    logger.warn(message);
    // Of a daemon on a full disk, the log has no room either.
    options.observer?.progress?.({ type: 'progress', kind: 'warning', at: new Date().toISOString(), message });
  };
  const record = keepRecord(
    state,
    {
      name: appName,
      request: { ...asked, ...guard },
      startedAt: new Date(startedAt).toISOString(),
      masterPid: process.pid,
      version: VERSION,
      daemon: options.daemon !== undefined,
      logFile: options.daemon?.logFile ?? null,
      logFormat: options.logFormat ?? null,
      log: filesOf(kept, first),
    },
    (why) => warn(`the app cannot be remembered: ${why}`),
  );
  const journal = openJournal(journalPath(state, appName), { supervisor, effects }, (why) =>
    warn(`the journal cannot be written: ${why}`),
  );
  journal.append({
    ...{ type: 'master-started', masterPid: process.pid, version: VERSION },
    daemon: options.daemon !== undefined,
  });

  effects.observers.add({
    proven(generation, leavesLoop) {
      const plan = effects.plans.get(generation);
      if (!plan) return; // It has gone already, so nothing is to be started from it.
      try {
        noteGood(state, appName, plan.deployed, leavesLoop);
      } catch (error) {
        warn(`which release was good last cannot be noted: ${(error as Error).message}`);
      }
    },
    soakStopped(generation) {
      const deployed = effects.plans.get(generation)?.deployed;
      if (!deployed) return; // What lies in a folder is what a start by name runs, as ever.
      try {
        noteNext(state, appName, deployed);
        logger.info(`release ${deployed.id} was still in its soak: the next zdsup start ${appName} tries it`);
      } catch (error) {
        warn(`that the next start is to try release ${deployed.id} cannot be noted: ${(error as Error).message}`);
      }
    },
  });
  effects.observers.add(markReleases(releasesDir(state, appName), { effects, supervisor }, warn));
  watchLiveness(
    effects,
    () => supervisor.state,
    (event) => supervisor.post(event),
  );
  watchLimits(
    effects,
    () => supervisor.state,
    (event) => supervisor.post(event),
    () => supervisor.now(),
  );
  let firstEnd: RolloutEnd | null = null;
  effects.observers.add({
    rolloutEnded(rolloutEnd) {
      if (firstEnd === null) {
        void prepareUsage();
        tellUnused(listeners, logger);
      }
      firstEnd ??= rolloutEnd;
      const { outcome, to } = rolloutEnd.rollout;
      const plan = outcome === 'succeeded' && to !== null ? effects.plans.get(to) : undefined;
      if (plan) record.logs(filesOf(kept, plan));
    },
  });
  const serving = () => {
    const generation = supervisor.state.serving ?? -1;
    const plan = effects.plans.get(generation);
    return plan ? { generation, plan } : null;
  };
  let watches = false;
  effects.observers.add({
    rolloutEnded() {
      // Loaded where it is wanted: an app in production has no such thing.
      if (watches || (serving()?.plan.config.watch ?? false) === false) return;
      watches = true;
      const { configPath } = request;
      const ownFolders = [runDir, ...OWN_FOLDERS.map((name) => join(state, name))];
      const post = (event: Event): void => supervisor.post(event);
      import('./watch.js').then(
        ({ watchFiles }) =>
          watchFiles({ serving, effects, post, configPath, ownFolders, warn, say: (message) => logger.info(message) }),
        (error: Error) => warn(`files cannot be watched: ${error.message}`),
      );
    },
  });
  installSignals({
    reload: () =>
      supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'signal', allowListeners: false }),
    stop: (signal) => {
      logger.info({ signal }, `${signal}: stopping`);
      supervisor.post({ type: 'stop-requested' });
    },
    endAtOnce: () => supervisor.post({ type: 'end-at-once' }),
    reopenLogs: () => kept.reopen(),
  });
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  process.title = `zdsup ${appName}`;
  process.chdir('/'); // Whoever deletes the release's folder takes no working directory from the master.

  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  const failed = await ended;

  listeners.closeAllBut(new Set());
  // Before the socket goes: who finds none must find the end.
  const failedStart = failed && isFailedStart(firstEnd);
  const how = failedStart ? 'crashed' : 'stopped';
  if (failedStart && first.deployed) passOverFailed(state, appName, first.deployed, warn);
  const reason = failedStart ? firstEnd!.rollout.reason : failed ? 'ended at once' : null;
  // Both in this very turn: the command that waits for the stop is answered in the next.
  record.end(how, reason);
  leaveSocketPath(socketPath, socket);
  journal.append({ type: 'master-ended', masterPid: process.pid, how, reason });
  await journal.close();
  await control.close();
  await service?.end();
  if (!failedStart) logger.info('stopped');
  await kept.close();
  if (failed && firstEnd !== null) throwFailure(firstEnd);
  if (failed) return 1;
  return options.isUnit && stoppedByCommand ? STOPPED_FOR_GOOD : 0;
}

/** Where people look for what it writes; undefined: nowhere, or where every daemon's is. */
function filesOf(kept: KeptOutput, { config }: Plan): { out: string; error: string } | undefined {
  const targets = config.log === null ? null : kept.targetsOf(config.log);
  return targets === null ? undefined : { out: targets.out.file, error: targets.err.file };
}

/** Whoever connects there waits for an answer that does not come. */
function tellUnused(listeners: Listeners, logger: Logger): void {
  for (const label of listeners.unusedInherited())
    logger.warn(
      `the service manager has handed over the socket ${label}, and the app does not listen on it: its clients wait in vain`,
    );
}

/** One that was deployed while the app did not run: it is tried once. */
function passOverFailed(state: string, app: string, release: { id: string }, warn: (message: string) => void): void {
  try {
    if (passOver(state, app, release))
      warn(
        `release ${release.id} did not come up: the next zdsup start ${app} runs what was good before it was deployed`,
      );
  } catch (error) {
    warn(`that release ${release.id} did not come up cannot be noted: ${(error as Error).message}`);
  }
}

const isFailedStart = (end: RolloutEnd | null): boolean =>
  end !== null && end.rollout.outcome === 'failed' && end.rollout.from === null;

function throwFailure(end: RolloutEnd): void {
  if (!isFailedStart(end)) return;
  const result = failure(end);
  if (!result.ok) throw new ZdsupError(result.error);
}

function refuseUnsupportedNode(): void {
  const missing = missingServerHandle();
  if (missing === null) return;
  throw new ZdsupError({
    code: 'ZDSUP_NODE_UNSUPPORTED',
    message: `Node ${process.version} has no ${missing}`,
    hint: 'use a Node that this zdsup supports: 20.19 or newer, even majors',
    exitStatus: 2,
  });
}
