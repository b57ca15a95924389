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
import { controlSocketPath, journalPath, releasesDir, runDirForStart, stateDir } from '../shared/paths.js';
import { VERSION } from '../shared/version.cjs';
import { keepRecord } from './app-record.js';
import { handleCommand } from './commands/handle.js';
import { failure } from './commands/rollouts.js';
import { listenForControl } from './control-server.js';
import type { Observer, RolloutEnd } from './effects.js';
import { Effects } from './effects.js';
import { History } from './history.js';
import { openJournal } from './journal-keeper.js';
import { Listeners } from './listeners.js';
import { watchLiveness } from './liveness.js';
import type { LogFormat } from './log.js';
import { makeLogger } from './log.js';
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

/** What zdsup writes in its state folder. */
const OWN_FOLDERS = ['apps', 'journal', 'logs', 'releases'];

export interface MasterOptions {
  logFormat?: LogFormat | undefined;
  /** Its output goes to this file, absolute, and nobody waits at a terminal. */
  daemon?: { logFile: string };
  /** Hears of the first rollout, and of all that follow. */
  observer?: Observer;
}

/**
 * Runs one app until it has been stopped.
 * @param request what to run; read afresh at each reload
 * @param firstPlan what was read of it for the first generation
 * @param masterEnv the environment that workers inherit
 * @returns the exit status
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

  const listeners = new Listeners();
  const logger = await makeLogger(appName, options.logFormat);
  let end: (failed: boolean) => void;
  const ended = new Promise<boolean>((resolve_) => {
    end = resolve_;
  });
  // What was read to learn the name is what the first generation runs.
  let waiting: Plan | null = first;
  const effects: Effects = new Effects({
    appName,
    listeners,
    logger,
    output: process.stdout.isTTY ? 'labelled' : 'plain',
    store: releasesDir(state, appName),
    makePlan: async (scaled, release) => {
      const plan = waiting ?? (await readPlan({ ...request, scaled, release }, masterEnv));
      waiting = null;
      refuseRename(appName, plan);
      return plan;
    },
    post: (event) => supervisor.post(event),
    ended: (failed) => end(failed),
  });
  const supervisor: Supervisor = new Supervisor(effects.perform);
  const time = { now: () => supervisor.now(), wallOf: (at: number) => supervisor.wallOf(at) };
  const history = new History(() => supervisor.state, time);
  effects.observers.add(history);
  if (options.observer) effects.observers.add(options.observer);
  const snapshot = () => takeSnapshot(appName, startedAt, () => supervisor.state, effects, listeners, time);

  const temporary = join(runDir, `.${process.pid}`);
  const control = await listenForControl(temporary, (request, tell) =>
    handleCommand(
      { appName, supervisor, effects, history, snapshot, ended, store: releasesDir(state, appName) },
      request,
      tell,
    ),
  );
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
      request: asked,
      startedAt: new Date(startedAt).toISOString(),
      masterPid: process.pid,
      version: VERSION,
      daemon: options.daemon !== undefined,
      logFile: options.daemon?.logFile ?? null,
      logFormat: options.logFormat ?? null,
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
      if (firstEnd === null) void prepareUsage();
      firstEnd ??= rolloutEnd;
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
  if (failed && firstEnd !== null) throwFailure(firstEnd);
  logger.info('stopped');
  return failed ? 1 : 0;
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
