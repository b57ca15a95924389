/** What the master and its log process say to each other (types alone). */
import type { LogRotation } from './config.js';

/** Who has written it; null: the master itself. */
export type LogWriter = { slot: number; generation: number } | null;
export type LogStream = 'out' | 'err';

export interface LogTarget {
  /** Absolute. */
  file: string;
  rotation: LogRotation;
}

/** To the log process. */
export type LogOrder =
  /** With the read end of a pipe. It is read until its end, and by nobody else. */
  | { act: 'carry'; id: number; writer: LogWriter; stream: LogStream; target: LogTarget }
  /** Files are closed, and opened by their names. */
  | { act: 'reopen' }
  /** Asked for when all that lies in the pipes by now is in the files. */
  | { act: 'flush'; seq: number }
  | { act: 'ping'; seq: number };

/** To the master. */
export type LogNews =
  /** The pipe has ended. `lines`: the last ones of it, of a stderr. */
  | { act: 'ended'; id: number; lines: string[] }
  | { act: 'flushed'; seq: number }
  | { act: 'pong'; seq: number }
  /** When it changes, at most once a second. */
  | ({ act: 'state' } & LogState);

export interface LogState {
  /** Lines that found no room, since the log process began. */
  droppedLines: number;
  droppedBytes: number;
  /** Why nothing can be written now; null: it can. */
  trouble: string | null;
}
