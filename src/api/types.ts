/** The shapes of the API (types alone): what is asked of an app, and what comes of it. Durations are in ms, instants are ISO 8601. */
import type { AppConfigInput } from '../shared/config-keys.js';
import type { Progress } from '../shared/control-protocol.js';
import type { AppDescription } from '../shared/description.js';
import type { ErrorCode, ExitStatus } from '../shared/errors.js';
import type { AppSnapshot } from '../shared/snapshot.js';

/** Of whatever waits for a master. */
export interface WaitOptions {
  /**
   * Ends the waiting: the promise is rejected with the signal's reason. What was asked for goes on where it has begun, as after Ctrl-C in a command;
   * `abort()` gives a rollout up.
   */
  signal?: AbortSignal | undefined;
}

export interface WorkOptions extends WaitOptions {
  /** Called with each step, as it comes. What it throws rejects the promise; the work goes on. */
  onProgress?: ((step: Progress) => void) | undefined;
}

export interface RolloutOptions extends WorkOptions {
  /** Accept a release that opens other listeners than the serving one. @default false */
  allowListeners?: boolean | undefined;
  /** Until the new generation serves and the old workers have gone; `false`: until the rollout has begun. @default true */
  wait?: boolean | undefined;
}

export interface ReloadOptions extends RolloutOptions {
  /** Hold where the new generation has so many percent of the traffic: a whole number from 1 to 99. @default as the config says */
  weight?: number | undefined;
  /** `false`: all of the traffic at once, whatever canary the config has. @default true */
  canary?: boolean | undefined;
}

export interface PromoteOptions extends WorkOptions {
  /** Past all steps that are left. @default false: to the next step of its canary */
  full?: boolean | undefined;
}

export interface RollbackOptions extends WorkOptions {
  /** A release of the store: its id, or how that begins. @default what was good before */
  to?: string | undefined;
}

export interface RecycleOptions extends WorkOptions {
  /** Until the new worker serves; `false`: until the recycling has begun. @default true */
  wait?: boolean | undefined;
}

/** Of a rollout, and of what changes its course. */
export interface RolloutResult {
  /** The one that serves; of a hold, the one that is held. */
  generation: number | null;
  /** Percent of the traffic that a held generation has; else left out. */
  weight?: number;
  /** It is on trial (`soak`) for so many ms still; else left out. */
  trialMs?: number;
  durationMs: number;
  /** One line for people. */
  message: string;
}

export interface ScaleResult {
  /** So many serve now. */
  workers: number;
  durationMs: number;
  message: string;
}

export interface RecycleResult {
  slot: number;
  /** Of the new worker; `null` where it was not waited for. */
  pid: number | null;
  durationMs: number;
  message: string;
}

export interface StopResult {
  durationMs: number;
  message: string;
}

export interface WatchOptions {
  /** Ends the watching: the loop ends as after the last snapshot. */
  signal?: AbortSignal | undefined;
  /** Called with each step of a rollout, a scale, a recycling or a stop, whoever asked for it. What it throws ends the loop with it. */
  onProgress?: ((step: Progress) => void) | undefined;
}

/**
 * One app that runs, by its master's control socket. Each call is a connection of its own, so calls may overlap and nothing has to be closed.
 *
 * Every method rejects with a {@link ZdsupError}; beside what it names itself, with `ZDSUP_APP_NOT_RUNNING` (3) where the master has gone, `ZDSUP_APP_UNRESPONSIVE` (1) where it
 * does not answer within 500 ms whether it is there, `ZDSUP_CONTROL_PROTOCOL` (1) where it ends in the middle, and with the reason of an aborted `signal`.
 */
export interface App {
  /** As `zdsup status` lists it. */
  readonly name: string;

  /** What `zdsup status --json` prints of it. Settles within 500 ms. */
  status(options?: WaitOptions): Promise<AppSnapshot>;

  /**
   * Snapshots as they come, the first at once and then one each second, with figures: `for await (const app of shop.watch())`. Ends when the app ends, or `signal` aborts; leaving the loop hangs up.
   * Whoever is slow misses some and gets the latest, never a backlog. The master measures while somebody watches.
   */
  watch(options?: WatchOptions): AsyncIterableIterator<AppSnapshot>;

  /** The snapshot, the config in force, the last exits and rollouts. Of the environment names alone. Settles within 2 s. */
  describe(options?: WaitOptions): Promise<AppDescription>;

  /**
   * New code, config and environment, without losing a request. Settles when the new generation serves and the old workers have gone; with a weight, when it is held there.
   * @throws ZDSUP_ROLLOUT_FAILED (1): the old generation serves on, `stderr` has the last lines of the worker that failed; ZDSUP_ROLLOUT_UNDER_WAY (4); ZDSUP_CONFIG_* and others that a start
   * is refused with (2)
   */
  reload(options?: ReloadOptions): Promise<RolloutResult>;

  /** As a reload, but old and new never run at once: clients wait in the socket's queue meanwhile. @throws as {@link reload} */
  restart(options?: RolloutOptions): Promise<RolloutResult>;

  /**
   * Another part of the traffic for the generation that is held.
   * @param weight a whole number from 0 to 100 percent; 100 promotes
   * @throws ZDSUP_ROLLOUT_REFUSED (4) where none is held, ZDSUP_USAGE (2)
   */
  canary(weight: number, options?: WorkOptions): Promise<RolloutResult>;

  /** To the next step of the canary. Settles when it is held there; of the last step, as a reload. @throws as {@link canary} and {@link reload} */
  promote(options?: PromoteOptions): Promise<RolloutResult>;

  /** The steps of a canary wait where they are, until {@link canary}, {@link promote} or {@link abort}. @throws as {@link canary} */
  pause(options?: WorkOptions): Promise<RolloutResult>;

  /** Gives up the rollout under way; settles when the old generation serves as before. @throws ZDSUP_ROLLOUT_REFUSED (4) */
  abort(options?: WorkOptions): Promise<RolloutResult>;

  /** Back to what was good before. @throws ZDSUP_ROLLBACK_NOTHING (4), ZDSUP_RELEASE_* (1), and as {@link reload} */
  rollback(options?: RollbackOptions): Promise<RolloutResult>;

  /**
   * Another number of workers; it stands until the number in the config is edited.
   * @param to how many, or by how many more or fewer: `4`, `'+1'`, `'-2'`
   * @throws ZDSUP_SCALE_FAILED (1), ZDSUP_SCALE_REFUSED (4), ZDSUP_USAGE (2)
   */
  scale(to: number | `+${number}` | `-${number}`, options?: WorkOptions): Promise<ScaleResult>;

  /** The worker of that slot is replaced by a new one of the same release (`zdsup reload --worker`). @throws ZDSUP_RECYCLE_FAILED (1), ZDSUP_RECYCLE_REFUSED (4) */
  recycle(slot: number, options?: RecycleOptions): Promise<RecycleResult>;

  /** What is in flight is answered, then the app ends. Settles when no process of it is left but its master, which ends at once. */
  stop(options?: WorkOptions): Promise<StopResult>;
}

/** An app whose master is a child of this process. */
export interface ChildApp extends App {
  /** Process id of the master. */
  readonly masterPid: number;
  /**
   * Settles when the master has ended, however that came: with its exit code, `null` where a signal has ended it. Never rejects.
   * Until then the child keeps this process alive.
   */
  readonly exited: Promise<number | null>;
  /** As {@link App.stop}, and settles when the master has ended as well. */
  stop(options?: WorkOptions): Promise<StopResult>;
}

export interface StartOptions extends WorkOptions {
  /**
   * `false`: the master is a child of this process, as `zdsup start` is one of the shell. It stops the app, gracefully, when this process ends in whatever way, a crash and SIGKILL included.
   * `true`: it is a process in a session of its own and outlives this one. @default false
   */
  daemon?: boolean | undefined;
  /** Config keys that win over those of the file; each as a whole. */
  overrides?: Partial<AppConfigInput> | undefined;
  /** The app's own arguments. */
  args?: readonly string[] | undefined;
  /** Which app of a config file with several. */
  only?: string | undefined;
  /** Relative paths start here, and the config file is looked for here where none is named. @default the folder of this process */
  cwd?: string | undefined;
  /** Of the master, and so of its workers; `ZDSUP_HOME` in it is where its state lies. @default that of this process */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where a child's master and workers write: to this process's own stdout and stderr, or nowhere. Daemons write to their log file. @default 'inherit' */
  output?: 'inherit' | 'ignore' | undefined;
  /** Of zdsup's own log. @default pretty on a terminal, else json */
  logFormat?: 'json' | 'pretty' | undefined;
  /** Of an app that was deployed, started by its name: its folder as it is, not the release that was good last. @default false */
  inPlace?: boolean | undefined;
}

/** What a start takes: a script, a config file (told by its name), the name of an app that ran before; or the config itself, of one app. */
export type StartTarget = string | URL | AppConfigInput;

/** What the API rejects with. Told from other errors by `isZdsupError`. Codes are listed in docs/errors.md. */
export interface ZdsupError extends Error {
  readonly name: 'ZdsupError';
  /** Stable: `ZDSUP_<AREA>_<FACT>`. */
  readonly code: ErrorCode;
  /** What to do about it, where there is something. */
  readonly hint: string | undefined;
  /** What the command would have ended with: 1 failed, 2 wrong usage or config, 3 not running, 4 refused. */
  readonly exitStatus: ExitStatus;
  /** The last lines that the failed worker wrote to stderr; else empty. */
  readonly stderr: readonly string[];
}
