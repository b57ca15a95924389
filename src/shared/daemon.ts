/** What the command and the daemon it starts say to each other over their IPC channel, until the app serves (types alone). */
import type { StartRequest } from './app-record.js';
import type { Progress } from './control-protocol.js';
import type { ErrorReport, ExitStatus } from './errors.js';

/** To the daemon, once. */
export interface DaemonOrder {
  app: string;
  request: StartRequest;
  /** What the first generation runs; the master's own shape, unread by the command. */
  plan: unknown;
  logFile: string;
  logFormat?: 'json' | 'pretty';
}

/** To the command: any number of steps, and one result. */
export type DaemonAnswer = Progress | StartResult;

export type StartResult = { app: string } & (
  | {
      type: 'result';
      ok: true;
      exitStatus: 0;
      command: 'start';
      masterPid: number;
      generation: number | null;
      logFile: string;
      durationMs: number;
      message: string;
    }
  | {
      type: 'result';
      ok: false;
      exitStatus: Exclude<ExitStatus, 0>;
      error: ErrorReport;
      /** The last lines the failed worker wrote to stderr, where there are any. */
      stderr?: string[];
    }
);
