/** Runs in the CLI. A line of a log with what the index knows of it, and which of them are wanted. Pure. */
import type { LogStream, LogWriter } from '../../shared/log-messages.js';

export interface LogLine {
  /** Without its newline, as it was written. */
  bytes: Buffer;
  /** The newline is not there yet. */
  unfinished: boolean;
  origin: Origin | null;
}

/** Null where no index covers the line. */
export interface Origin {
  /** In ms since 1970. */
  at: number;
  /** Null: the master. */
  writer: LogWriter;
  stream: LogStream;
}

export interface Wanted {
  worker?: number | undefined;
  generation?: number | undefined;
  /** In ms since 1970. */
  since?: number | undefined;
  grep?: RegExp | undefined;
}

/** What is of unknown origin is no worker's and of no time. */
export function isWanted({ bytes, origin }: LogLine, { worker, generation, since, grep }: Wanted): boolean {
  if (worker !== undefined && origin?.writer?.slot !== worker) return false;
  if (generation !== undefined && origin?.writer?.generation !== generation) return false;
  if (since !== undefined && !(origin !== null && origin.at >= since)) return false;
  return grep === undefined || grep.test(bytes.toString());
}

/** @param logs each in its order; lines of unknown origin stay behind the line before them */
export function byTime(logs: LogLine[][]): LogLine[] {
  if (logs.length === 1) return logs[0]!;
  const dated = logs.flatMap((lines) => {
    let at = 0;
    return lines.map((line) => {
      at = Math.max(at, line.origin?.at ?? 0);
      return { at, line };
    });
  });
  return dated.sort((a, b) => a.at - b.at).map(({ line }) => line);
}
