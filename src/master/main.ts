/**
 * Runs in the master: puts its parts together, from the config to the end of the last worker. Runs no user code.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { missingServerHandle } from '../node-internals/server-handle.cjs';
import { runsAlready } from '../shared/control-socket.js';
import { ZdsupError } from '../shared/errors.js';
import {
  controlSocketPath,
  journalPath,
  logPath,
  releasesDir,
  runDirForStart,
  stateDir,
  tokenPath,
} from '../shared/paths.js';
import { STOPPED_FOR_GOOD } from '../shared/service-manager.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { VERSION } from '../shared/version.cjs';
import { keepRecord } from './app-record.js';
import type { CommandContext } from './commands/context.js';
import { handleCommand } from './commands/handle.js';
import { noWayBack } from './commands/rollback.js';
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
import { noteNextStart } from './next-start.js';
import { watchLimits } from './outgrown.js';
import type { Plan, PlanRequest } from './plan.js';
import { readPlan, refuseRename } from './plan.js';
import { markReleases } from './release-marks.js';
import { installSignals } from './signals.js';
import { takeSnapshot } from './snapshot.js';
import type { FileId } from './state-folder.js';
import { claimFolder, leaveSocketPath, takeSocketPath } from './state-folder.js';
import { Supervisor } from './supervisor.js';
import { prepareUsage } from './usage.js';
import { watchWhereWanted } from './watch-where-wanted.js';
import type { WebOptions } from './web/open.js';
import { WebDoor } from './web-door.js';

/** Once its workers have run as another user, the config is judged before it is evaluated. */
const GUARDED = { guarded: true } as const;
/** Of the samples for whoever watches, which come once a second. */
const LOOKS_AT_RELEASE_EVERY = 10;
/** What zdsup writes in its state folder. */
const OWN_FOLDERS = ['apps', 'journal', 'logs', 'releases', 'tokens'];

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
    ...noWayBack({ store, effects, supervisor }),
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
  // Loaded where a manager asks to be told; a daemon has left the service that started it.
  const manager = options.daemon || !masterEnv.NOTIFY_SOCKET ? null : await import('./service.js');
  const send = manager?.sendOf(masterEnv, inheritance.notifyFd);
  const service =
    manager &&
    send &&
    new manager.Service({
      send,
      watchdogMs: manager.watchdogOf(masterEnv),
      state: () => supervisor.state,
      turn: () => supervisor.request({ type: 'timer' }),
      now: time.now,
      warn: (message) => logger.warn(message),
    });
  if (service) effects.observers.add(service);

  const warn = (message: string): void => {
    logger.warn(message);
    // Of a daemon on a full disk, the log has no room either.
    options.observer?.progress?.({ type: 'progress', kind: 'warning', at: new Date().toISOString(), message });
  };
  const store = releasesDir(state, appName);
  const say = (message: string): void => logger.info(message);
  const warnAll = (message: string): void => effects.warn(message);
  const web: WebDoor = new WebDoor({
    load: async () => {
      const { Web } = await import('./web/open.js');
      const carryOut: WebOptions['carryOut'] = (request, send) =>
        handleCommand(context, request, { send, left: new Promise(() => {}) });
      return new Web({ ...context, carryOut, say, warn: warnAll, tokenPath: tokenPath(state, appName) });
    },
    effects,
    warn: warnAll,
    show:
      options.daemon || options.logFormat === 'json' || !process.stderr.isTTY
        ? null
        : (text) => void process.stderr.write(text),
  });
  const configPath = request.configPath ?? null;
  const context: CommandContext = {
    ...{ appName, supervisor, effects, history, snapshot, ended, store, feed },
    ...{ web, configPath },
  };
  listeners.inUse = (spec) => {
    if (supervisor.state.rollout?.outcome !== null || spec.protocol === 'udp' || !web.holds(spec)) return;
    const where = spec.port === null ? spec.address : `port ${spec.port}`;
    effects.blame(
      `the app cannot listen on ${where}: zdsup's own HTTP does (http in the config, or --http)`,
      `zdsup's own HTTP has ${where}: give http, or the app, another one`,
    );
  };

  const temporary = join(runDir, `.${process.pid}`);
  let stoppedByCommand = false;
  const control = await listenForControl(temporary, (request, connection) => {
    stoppedByCommand ||= request.command === 'stop';
    return handleCommand(context, request, connection);
  });
  let socket: FileId;
  try {
    socket = await takeSocketPath(temporary, socketPath, () => runsAlready(appName));
  } catch (error) {
    await control.close();
    throw error;
  }
  // Only now is the name ours.
  try {
    await web.start(first.config.http);
  } catch (error) {
    leaveSocketPath(socketPath, socket);
    await control.close();
    throw error;
  }
  const { version: _, release: __, ...asked } = request;
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
  const journal = openJournal(
    journalPath(state, appName),
    { supervisor, effects },
    { masterPid: process.pid, version: VERSION, daemon: options.daemon !== undefined },
    (why) => warn(`the journal cannot be written: ${why}`),
  );

  const nextStart = noteNextStart({ appName, state, plans: effects.plans, say, warn });
  effects.observers.add(nextStart);
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
  const ownFolders = [runDir, ...OWN_FOLDERS.map((name) => join(state, name))];
  watchWhereWanted({
    ...{ serving, effects, configPath: request.configPath, ownFolders, warn, say },
    post: (event) => supervisor.post(event),
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
  if (failedStart && first.deployed) nextStart.passOver(first.deployed);
  const reason = failedStart ? firstEnd!.rollout.reason : failed ? 'ended at once' : null;
  // Both in this very turn: the command that waits for the stop is answered in the next.
  record.end(how, reason);
  leaveSocketPath(socketPath, socket);
  journal.append({ type: 'master-ended', masterPid: process.pid, how, reason });
  await journal.close();
  await web.close();
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
