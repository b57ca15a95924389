/**
 * What the CLI and the master say to each other over the control socket.
 *
 * Framing: one JSON value a line (UTF-8, `\n`), one request a connection. The master answers with any number of
 * `progress` lines (`watch`: and `sample` lines) and exactly one `result` line, then ends the connection. A client that hangs up only detaches.
 */
import type { AppDescription } from './description.js';
import type { ErrorReport, ExitStatus } from './errors.js';
import type { AppSnapshot } from './snapshot.js';

/** A request line may be this long; longer is answered with `ZDSUP_CONTROL_PROTOCOL`. */
export const MAX_REQUEST_BYTES = 64 * 1024;
/** A client must have sent its whole request by then. */
export const REQUEST_TIMEOUT_MS = 5_000;
/** A master that has not answered `status` or `ping` by then is `unresponsive` (DESIGN section 8). */
export const ANSWER_TIMEOUT_MS = 500;

/** `4`, `+1`, `-2`. */
export const SCALE_TO = /^[+-]?\d{1,6}$/;

/** The new generation's part of the traffic, in percent: `0` to `100`. */
export const WEIGHT = /^(\d{1,2}|100)$/;

export type ControlRequest =
  /** `looksAtRelease`: whether its folder was edited is looked at anew, for which the master goes through its files. @default true */
  | { command: 'status'; looksAtRelease?: boolean }
  /** Is anybody there? Asks no worker, so that a busy host answers in time. */
  | { command: 'ping' }
  /** A `sample` at once and then each second, and `progress` lines as they come, until the client hangs up; a result where the master ends. */
  | { command: 'watch' }
  | {
      /** `restart`: without an overlap of old and new. */
      command: 'reload' | 'restart';
      /** Accept a release that opens other listeners than the serving one. @default false */
      allowListeners?: boolean;
      /** Answer as soon as the rollout was accepted. @default false */
      noWait?: boolean;
      /** Of a reload: hold where the new generation has this much of the traffic, 1 to 99 percent. @default it takes all */
      weight?: number | undefined;
      /** Take all the traffic at once, whatever canary the config has. @default false */
      noCanary?: boolean;
      /** Of a reload: run this release of the store, whatever the config names in the folder `from`. @default the folder in place */
      release?: { id: string; path: string; from: string } | undefined;
    }
  /** Of a rollout that is held: 0 to 100 percent; 100 promotes. */
  | { command: 'canary'; weight: number }
  /** To the next step of its canary. `full`: to the end. */
  | { command: 'promote'; full?: boolean }
  /** The steps of a canary wait where they are. */
  | { command: 'pause' }
  /** `to`: a release of the store, by its id or how that begins. @default what was good before */
  | { command: 'rollback'; to?: string | undefined }
  /** Any rollout under way: back to the old generation. */
  | { command: 'abort' }
  /** `to`: a number of workers, or by how many: `+1`, `-2`. */
  | { command: 'scale'; to: string }
  /** The worker of that slot of the serving generation, by a new one of the same release. `noWait`: answer as soon as it is begun. */
  | { command: 'recycle'; slot: number; noWait?: boolean }
  | { command: 'stop' }
  | { command: 'describe' }
  /** The link to the page, with its token. */
  | { command: 'dashboard' }
  /** A name of `os.constants.signals`, to every worker that listens for it. */
  | { command: 'signal'; signal: string };

/**
 * Steps of a rollout or a stop, told while it runs; `message` is one plain line for people.
 * `serving` is the promotion: from there on the new generation serves alone and only the drain is waited for.
 */
export type ProgressKind =
  | 'accepted'
  | 'prepared'
  | 'emptying'
  | 'scaling'
  | 'waiting'
  | 'worker-started'
  | 'worker-ready'
  | 'smoke'
  | 'warm-up'
  | 'worker-active'
  | 'worker-retired'
  /** As it was told to. */
  | 'worker-ended'
  /** By itself: a crash, or never ready. */
  | 'worker-exited'
  /** It does not answer: its replacement comes first. */
  | 'unresponsive'
  /** A worker that serves is to be replaced: it is past a limit, or a person says so. */
  | 'recycling'
  | 'recycled'
  /** It serves on: its replacement has failed, or would be past its limit as soon. */
  | 'recycle-failed'
  /** The folder was edited in place. */
  | 'recycling-paused'
  | 'crash-looping'
  | 'recovered'
  | 'serving'
  /** Replaced, alive, without traffic: the way back. */
  | 'worker-parked'
  /** Nobody waits for the parked ones any more. */
  | 'unparked'
  /** At a weight, until a person acts or its step is over. */
  | 'held'
  /** On to the next weight of a canary. */
  | 'stepping'
  /** The steps of a canary wait for a person. */
  | 'paused'
  /** What its traffic says of a canary so far. */
  | 'verdict'
  /** It has come through its time on trial. */
  | 'soaked'
  /** By itself, out of its time on trial. */
  | 'rolling-back'
  /** By hand, out of a hold. */
  | 'promoting'
  | 'failed'
  | 'aborting'
  | 'draining'
  | 'drained'
  | 'stopping'
  /** Nothing that keeps the app from running. */
  | 'warning';

export interface Progress {
  type: 'progress';
  kind: ProgressKind;
  /** ISO 8601 instant. */
  at: string;
  message: string;
  generation?: number;
  slot?: number;
  pid?: number;
  /** How far the rollout is: new workers active, and wanted. */
  activeCount?: number;
  wantedCount?: number;
}

export type ControlResult =
  | { type: 'result'; ok: true; exitStatus: 0; command: 'status'; app: AppSnapshot }
  | { type: 'result'; ok: true; exitStatus: 0; command: 'ping' | 'watch' }
  | {
      type: 'result';
      ok: true;
      exitStatus: 0;
      command: 'reload' | 'restart' | 'rollback' | 'canary' | 'pause' | 'promote' | 'abort';
      /** The one that serves, or of a hold the one that is held. */
      generation: number | null;
      /** Of the generation that is held. */
      weight?: number;
      /** It is in its soak for so long still. */
      trialMs?: number;
      durationMs: number;
      message: string;
    }
  | {
      type: 'result';
      ok: true;
      exitStatus: 0;
      command: 'scale';
      workers: number;
      durationMs: number;
      message: string;
    }
  | {
      type: 'result';
      ok: true;
      exitStatus: 0;
      command: 'recycle';
      slot: number;
      /** Of the new worker; null where it was not waited for. */
      pid: number | null;
      durationMs: number;
      message: string;
    }
  | { type: 'result'; ok: true; exitStatus: 0; command: 'stop'; durationMs: number; message: string }
  | { type: 'result'; ok: true; exitStatus: 0; command: 'describe'; app: AppDescription }
  | {
      type: 'result';
      ok: true;
      exitStatus: 0;
      command: 'dashboard';
      /** Null where the master has a unix socket. */
      url: string | null;
      /** Null where it has a port. */
      socket: string | null;
      /** The page and the token, without the host. */
      path: string;
    }
  | {
      type: 'result';
      ok: true;
      exitStatus: 0;
      command: 'signal';
      signal: string;
      sent: SignalledWorker[];
      /** Those without a handler, which it would have ended. */
      unheard: SignalledWorker[];
      message: string;
    }
  | FailedResult;

export interface FailedResult {
  type: 'result';
  ok: false;
  exitStatus: Exclude<ExitStatus, 0>;
  error: ErrorReport;
  /** The last lines the failed worker wrote to stderr, where there are any. */
  stderr?: string[];
}

export const failedResult = (error: ErrorReport, stderr: string[] = []): FailedResult => ({
  type: 'result',
  ok: false,
  exitStatus: error.exitStatus === 0 ? 1 : error.exitStatus,
  error,
  ...(stderr.length > 0 ? { stderr } : {}),
});

export interface SignalledWorker {
  slot: number;
  generation: number;
  pid: number;
}

/** One look, told to whoever watches. A client that reads slowly misses some: each is whole. */
export interface Sample {
  type: 'sample';
  app: AppSnapshot;
}

export type ControlAnswer = Progress | Sample | ControlResult;
