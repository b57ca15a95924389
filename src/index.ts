/**
 * The public API: a typed config, and the verbs of the command for programs. A config file imports this as well, each time that it is read: what is behind the verbs is
 * loaded with the first call.
 */
import type { App, ChildApp, StartOptions, StartTarget, WaitOptions, ZdsupError } from './api/types.js';
import type { AppConfigInput, ConfigInput } from './shared/config-keys.js';

export type {
  App,
  ChildApp,
  PromoteOptions,
  RecycleOptions,
  RecycleResult,
  ReloadOptions,
  RollbackOptions,
  RolloutOptions,
  RolloutResult,
  ScaleResult,
  StartOptions,
  StartTarget,
  StopResult,
  WaitOptions,
  WatchOptions,
  WorkOptions,
  ZdsupError,
} from './api/types.js';
export type { AppConfigInput, ConfigInput } from './shared/config-keys.js';
export type { Progress, ProgressKind } from './shared/control-protocol.js';
export type { AppDescription } from './shared/description.js';
export type { ErrorCode, ExitStatus } from './shared/errors.js';
export type { AppFigures, WorkerFigures } from './shared/figures.js';
export type { AppSnapshot, AppState, RolloutSnapshot, Snapshot, WorkerSnapshot } from './shared/snapshot.js';

/** Returns its argument: gives a config file types and completion. */
export function defineConfig(config: AppConfigInput): AppConfigInput;
export function defineConfig(config: ConfigInput): ConfigInput;
export function defineConfig(config: AppConfigInput | ConfigInput): AppConfigInput | ConfigInput {
  return config;
}

/**
 * Starts one app and resolves when it serves. When it rejects, nothing of it is left: no process, and no socket.
 * @param target @default the config file of the folder
 * @throws ZdsupError ZDSUP_APP_RUNNING (4); ZDSUP_ROLLOUT_FAILED (1): it never became ready, `stderr` has its last lines; ZDSUP_START_DIED (1); ZDSUP_CONFIG_*, ZDSUP_SCRIPT_*, ZDSUP_USAGE and others (2).
 * The reason of `signal`, once what was begun has ended again
 */
export function start(target: StartTarget | undefined, options: StartOptions & { daemon: true }): Promise<App>;
export function start(target?: StartTarget, options?: StartOptions & { daemon?: false | undefined }): Promise<ChildApp>;
export function start(target?: StartTarget, options?: StartOptions): Promise<App>;
export async function start(target?: StartTarget, options?: StartOptions): Promise<App> {
  const api = await import('./api/start.js');
  return api.start(target, options);
}

/**
 * Finds an app that runs, whoever started it and however, as the command does: in `$ZDSUP_HOME`, else where its state lies by default.
 * @param name @default the app of the current folder, else the only one that runs
 * @throws ZdsupError ZDSUP_APP_NOT_RUNNING (3), ZDSUP_APP_AMBIGUOUS (2)
 */
export async function connect(name?: string, options?: WaitOptions): Promise<App> {
  const api = await import('./api/connect.js');
  return api.connect(name, options);
}

/** Is it one that the API has rejected with? Told by its name, so that it holds for every copy of zdsup in the process. */
export const isZdsupError = (error: unknown): error is ZdsupError =>
  error instanceof Error && error.name === 'ZdsupError';
