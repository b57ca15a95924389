/** What `describe` tells of one app, beyond the snapshot (types alone). */
import type { AppRecord } from './app-record.js';
import type { AppConfig, HttpConfig } from './config.js';
import type { AppSnapshot, RolloutSnapshot } from './snapshot.js';

/** Made by the master. */
export interface AppDescription extends AppSnapshot {
  /** What the serving generation runs; null until the first one serves. */
  config: ConfigInForce | null;
  /** The last ones, the latest first. */
  exits: ExitSnapshot[];
  /** The last ones that ended, the latest first. */
  rollouts: RolloutSnapshot[];
}

/** As the command prints it. */
export interface DescribedApp extends AppDescription {
  /** What is remembered of it; null where that cannot be read. */
  record: AppRecord | null;
}

/** The config with its defaults, and what came of it. Of the environment only names: values are secrets. */
export interface ConfigInForce
  extends Omit<AppConfig, 'name' | 'env' | 'cwd' | 'instances' | 'surge' | 'unavailable' | 'http'> {
  /** Its token is a secret: whether the config has one. */
  http: (Omit<HttpConfig, 'token'> & { token: 'in the config' | 'random' }) | null;
  /** Resolved: the file that runs. */
  entry: string;
  cwd: string;
  /** ISO 8601 instant: its folder as it was then. */
  readAt: string;
  /** Arguments of Node itself, those that zdsup adds for the entry included. */
  execArgv: string[];
  /** As numbers of workers. */
  instances: number;
  surge: number;
  unavailable: number;
  /** Names of the variables that `env` of the config sets. */
  envNames: string[];
  /** Names of all others: from env files and inherited from the master. */
  otherEnvNames: string[];
}

export interface ExitSnapshot {
  /** ISO 8601 instant. */
  at: string;
  slot: number;
  generation: number;
  pid: number | null;
  code: number | null;
  signal: string | null;
  /** Where it could not be started at all. */
  error: string | null;
  /** It was told to end. */
  expected: boolean;
  /** The last lines it wrote to stderr. */
  stderr: string[];
}
