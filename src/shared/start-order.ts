/** What a program that starts an app by the API and the process that it starts for it say to each other: the order by a pipe (ORDER_FD), the answers over an IPC channel. */
import type { FailedResult, Progress } from './control-protocol.js';

/** Once. */
export interface StartOrder {
  /** A script, a config file, or the name of an app; left out: the config file of the folder, or none where `isWhole`. */
  target?: string | undefined;
  /** The overrides are the config as a whole. */
  isWhole: boolean;
  overrides: Record<string, unknown>;
  args: string[];
  only?: string | undefined;
  /** Absolute. */
  baseDir: string;
  daemon: boolean;
  inPlace: boolean;
  logFormat?: 'json' | 'pretty' | undefined;
}

/** Any number of steps, and one outcome. */
export type StartAnswer = Progress | Served | FailedResult;

export interface Served {
  type: 'served';
  app: string;
  socketPath: string;
  masterPid: number;
}
