/**
 * Runs in the master: puts its parts together, from the config to the end of the last worker. Runs no user code.
 */

import { unlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { missingServerHandle } from '../node-internals/server-handle.cjs';
import { deriveAppName } from '../shared/app-name.js';
import type { AppConfig } from '../shared/config.js';
import { parseConfig } from '../shared/config-schema.js';
import { ZdsupError } from '../shared/errors.js';
import { controlSocketPath, runDirForStart } from '../shared/paths.js';
import { failure, handleCommand } from './commands.js';
import { loadConfigFile } from './config-file.js';
import { listenForControl } from './control-server.js';
import type { RolloutEnd } from './effects.js';
import { Effects } from './effects.js';
import { Listeners } from './listeners.js';
import type { LogFormat } from './log.js';
import { makeLogger } from './log.js';
import type { Plan } from './release.js';
import { makePlan, nameSource } from './release.js';
import { installSignals } from './signals.js';
import { takeSnapshot } from './snapshot.js';
import { claimFolder, takeSocketPath } from './state-folder.js';
import { Supervisor } from './supervisor.js';

export interface MasterOptions {
  configFile?: string;
  /** Which app of a config with several. */
  only?: string;
  /** Raw config keys from flags; they win over the file. */
  overrides: Record<string, unknown>;
  /** Logical: `$PWD` where it is the same folder, so that a symbolic link in it is followed afresh at each reload. */
  baseDir: string;
  logFormat?: LogFormat;
}

/**
 * Runs one app in the foreground until it has been stopped.
 * @returns the exit status
 * @throws ZdsupError where it cannot start at all; nothing is left behind then
 */
export async function runMaster(options: MasterOptions): Promise<number> {
  const missing = missingServerHandle();
  if (missing !== null)
    throw new ZdsupError({
      code: 'ZDSUP_NODE_UNSUPPORTED',
      message: `Node ${process.version} has no ${missing}`,
      hint: 'use a Node that this zdsup supports: 20.19 or newer, even majors',
      exitStatus: 2,
    });
  const startedAt = Date.now();
  const masterEnv = { ...process.env };
  const readPlan = planReader(options, masterEnv);
  const first = await readPlan();
  const appName = first.config.name ?? deriveAppName(await nameSource(first));
  const runDir = runDirForStart(masterEnv, homedir());
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
    makePlan: async () => {
      const plan = waiting ?? (await readPlan());
      waiting = null;
      return plan;
    },
    post: (event) => supervisor.post(event),
    ended: (failed) => end(failed),
  });
  const supervisor: Supervisor = new Supervisor(effects.perform);
  const snapshot = () => takeSnapshot(appName, startedAt, () => supervisor.state, effects, listeners);

  const temporary = join(runDir, `.${process.pid}`);
  const control = await listenForControl(temporary, (request, tell) =>
    handleCommand({ appName, supervisor, effects, snapshot, ended }, request, tell),
  );
  try {
    await takeSocketPath(temporary, socketPath, appName);
  } catch (error) {
    await control.close();
    throw error;
  }

  let firstEnd: RolloutEnd | null = null;
  effects.observers.add({ rolloutEnded: (rolloutEnd) => (firstEnd ??= rolloutEnd) });
  const removeSignals = installSignals({
    reload: () => supervisor.post({ type: 'reload-requested', source: 'signal', allowListeners: false }),
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

  supervisor.post({ type: 'reload-requested', source: 'start', allowListeners: false });
  const failed = await ended;

  listeners.closeAllBut(new Set());
  removeQuietly(socketPath);
  await control.close();
  removeSignals();
  if (failed && firstEnd !== null) throwFailure(firstEnd, appName);
  logger.info('stopped');
  return failed ? 1 : 0;
}

function throwFailure(end: RolloutEnd, appName: string): void {
  if (end.rollout.outcome !== 'failed' || end.rollout.from !== null) return;
  const result = failure(end, appName);
  if (!result.ok) throw new ZdsupError(result.error);
}

/** Reads the config file and the flags afresh at each call, and makes a plan of the one app. */
function planReader(options: MasterOptions, masterEnv: NodeJS.ProcessEnv): () => Promise<Plan> {
  const { configFile, only, overrides, baseDir } = options;
  const configPath = configFile === undefined ? undefined : resolve(baseDir, configFile);
  return async () => {
    const folder = configPath === undefined ? baseDir : dirname(configPath);
    const raw = configPath === undefined ? {} : await loadConfigFile(configPath);
    const config = chooseApp(
      parseConfig(withOverrides(raw, overrides, only), configPath ?? 'the command line'),
      only,
      configPath,
    );
    return makePlan(config, folder, masterEnv);
  };
}

/** Flags win over the file, for each key as a whole; with several apps they are for the one that was picked. */
function withOverrides(raw: unknown, overrides: Record<string, unknown>, only: string | undefined): unknown {
  if (typeof raw !== 'object' || raw === null || Object.keys(overrides).length === 0) return raw;
  const { apps } = raw as { apps?: unknown };
  if (!Array.isArray(apps)) return { ...raw, ...overrides };
  return {
    ...raw,
    apps: apps.map((app: unknown) =>
      only === undefined || (app as { name?: unknown } | null)?.name === only
        ? { ...(app as object), ...overrides }
        : app,
    ),
  };
}

function chooseApp(apps: AppConfig[], only: string | undefined, configPath: string | undefined): AppConfig {
  const source = configPath === undefined ? 'the command line' : basename(configPath);
  const names = apps.map((app) => app.name ?? '(no name)').join(', ');
  if (only !== undefined) {
    const found = apps.find((app) => app.name === only);
    if (found) return found;
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `${source} has no app ${only}; it has ${names}`,
      hint: 'pick one of them with --only <name>',
      exitStatus: 2,
    });
  }
  if (apps.length === 1) return apps[0]!;
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `${source} has ${apps.length} apps: ${names}; in the foreground zdsup runs one`,
    hint: 'pick one of them with --only <name>',
    exitStatus: 2,
  });
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
