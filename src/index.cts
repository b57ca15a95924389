/** The public API for `require`: the same functions, in front of the same modules. */
import type * as zdsup from './index.js' with { 'resolution-mode': 'import' };

export type {
  App,
  AppConfigInput,
  AppDescription,
  AppFigures,
  AppSnapshot,
  AppState,
  ChildApp,
  ConfigInput,
  ErrorCode,
  ExitStatus,
  Progress,
  ProgressKind,
  PromoteOptions,
  RecycleOptions,
  RecycleResult,
  ReloadOptions,
  RollbackOptions,
  RolloutOptions,
  RolloutResult,
  RolloutSnapshot,
  ScaleResult,
  Snapshot,
  StartOptions,
  StartTarget,
  StopResult,
  WaitOptions,
  WatchOptions,
  WorkerFigures,
  WorkerSnapshot,
  WorkOptions,
  ZdsupError,
} from './index.js' with { 'resolution-mode': 'import' };

export const defineConfig = ((config: zdsup.AppConfigInput) => config) as typeof zdsup.defineConfig;

export const start = (async (target?: zdsup.StartTarget, options?: zdsup.StartOptions) =>
  (await import('./api/start.js')).start(target, options)) as typeof zdsup.start;

export const connect: typeof zdsup.connect = async (name, options) =>
  (await import('./api/connect.js')).connect(name, options);

export const isZdsupError = ((error) =>
  error instanceof Error && error.name === 'ZdsupError') as typeof zdsup.isZdsupError;
