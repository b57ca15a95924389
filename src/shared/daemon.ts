/** What the command and the daemon it starts say to each other until the app serves: the order by a pipe, the answers over an IPC channel. */
import type { StartRequest } from './app-record.js';
import type { FailedResult, Progress } from './control-protocol.js';

/** Where the daemon reads its order: a pipe, and not the channel, which would take it along where the command goes at once. */
export const ORDER_FD = 4;

/** The read end of the pipe that is its stdout and stderr, for its log process. */
export const LOG_FD = 5;

/** To the daemon, once. */
export interface DaemonOrder {
  app: string;
  request: StartRequest;
  /** What the first generation runs; the master's own shape, unread by the command. */
  plan: unknown;
  logFile: string;
  /** By the pipe at {@link LOG_FD}; else, on a host without `mkfifo`, it writes to the file itself. */
  piped: boolean;
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
  | FailedResult
);
