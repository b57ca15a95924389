/** The normalised config of one app: plain data, durations in ms, defaults filled in. Made by config-schema.ts. */
export interface AppConfig {
  /** `[a-z][a-z0-9._-]{0,62}`; undefined: derived from package.json or the folder. */
  name?: string;
  /** As given, relative to `cwd`. */
  script: string;
  args: string[];
  nodeArgs: string[];
  /** As given, relative to the config file's folder (or the shell's); undefined: that folder. */
  cwd?: string;
  env: Record<string, string>;
  envFile: string[];
  instances: number | 'max';
  ready: ReadyConfig;
  /** Ready this long before it is activated, where other workers serve meanwhile. @default 1000; 250 where files are watched */
  minReadyMs: number;
  surge: Amount;
  unavailable: Amount;
  atomic: boolean;
  drainTimeoutMs: number;
  killTimeoutMs: number;
  /** WebSockets still open are closed evenly over this long before the drain deadline. @default 5000 */
  closeSpreadMs: number;
  /** The whole stop. */
  stopTimeoutMs: number;
  backoff: BackoffConfig;
  /** So many crashes of one slot within so long are a crash loop. @default 5 in 60 s */
  crashLoop: { count: number; windowMs: number };
  /** A worker whose event loop has not answered for this long is replaced; 0: never. @default 30000 */
  livenessTimeoutMs: number;
  /** A script that tries the first worker of every rollout before it takes traffic. */
  smoke: SmokeConfig | null;
  /** What each new worker is asked before it takes traffic. */
  warmup: WarmUpConfig | null;
  /** Every reload is a canary, in these steps. */
  canary: CanaryConfig | null;
  /** So long after a promotion the new generation is judged on; 0: not at all. @default 30000 */
  soakMs: number;
  /** So long the old generation stays, ready and without traffic, so that a rollback needs no boot. @default 0 */
  keepWarmMs: number;
  /** A worker that has more memory is recycled. `share`: of what the cgroup, or the host, gives, for all workers together, 0 to 1. */
  maxMemory: { bytes: number } | { share: number } | null;
  /** A worker that runs so long is recycled; null: as long as it likes. */
  maxAgeMs: number | null;
  maxRequests: number | null;
  /** What a change of leads to a reload: the app's folder (`true`), or these, relative to `cwd`. */
  watch: true | string[] | false;
  /** Beside what is never watched. */
  watchIgnore: string[];
  maxDraining: number;
  /** `ip`: a client's connections go to one worker, by its address. @default false */
  sticky: 'ip' | false;
  /** `auto`: idle plain HTTP/1.1 connections change worker instead of being closed. @default 'auto' */
  handover: 'auto' | 'off';
  /** Ports that are neither held by the master nor gated (an inspector, say). */
  private: number[];
  /** The workers' user, by name or number; null: the master's own. */
  user: string | number | null;
  /** Their group; null: the user's own. */
  group: string | number | null;
  /** Their umask, four octal digits; null: the master's. */
  umask: string | null;
  /** What they may ask the master to listen on: ports, `host:port`, paths; null: anything. */
  listen: string[] | null;
  /** What workers write goes to files, through the log process; null: to the daemon's one file, or in the foreground to where the master's goes. */
  log: LogConfig | null;
  /** So many releases stay in the store; those that run stay anyway. @default 5 */
  keep: number;
  /** Folders that the app writes to, relative to its own: they lie beside the releases, and are linked into each. */
  shared: string[];
  /** The master's own HTTP: metrics, health, status and the dashboard; null: none. */
  http: HttpConfig | null;
}

export interface HttpConfig {
  /** One of the two is null. The socket is as given, in a plan absolute. */
  port: number | null;
  socket: string | null;
  /** An address, or localhost. @default '127.0.0.1' */
  host: string;
  /** Null: a random one, kept in the state folder. A secret: never told. */
  token: string | null;
  /** The page orders nothing. @default false */
  readOnly: boolean;
  /** Names beside localhost and addresses that a request may be for, as `name` or `name:port`. */
  hosts: string[];
}

export interface LogConfig {
  /** As given, in a plan absolute; null: the app's file in the state folder. */
  out: string | null;
  /** Null: stderr goes where stdout goes. */
  error: string | null;
  rotation: LogRotation;
}

/** When a log file is put aside, and what becomes of those. */
export interface LogRotation {
  /** Null: never by size. @default 10 MB */
  maxSizeBytes: number | null;
  /** Null: never by age. @default null */
  maxAgeMs: number | null;
  /** Files that were put aside; older ones are removed. @default 5 */
  keep: number;
  /** By gzip. @default true */
  compress: boolean;
}

export interface HttpCheck {
  path: string;
  port?: number;
  protocol?: 'http' | 'https';
  host?: string;
}

export interface ReadyConfig {
  check: 'listening' | 'message' | HttpCheck;
  initialDelayMs: number;
  periodMs: number;
  timeoutMs: number;
  successes: number;
  /** A worker that is not ready this long after its fork has failed. */
  deadlineMs: number;
}

export interface SmokeConfig {
  /** A shell command, run in the app's folder with `ZDSUP_CHECK_URL`. */
  run: string;
  timeoutMs: number;
}

export interface WarmUpConfig {
  /** Asked once each, in this order; at least one. */
  paths: string[];
  /** For the whole answer to one of them. @default 5000 */
  timeoutMs: number;
  /** A worker that fails it has failed; else it is told, and the worker takes traffic. @default false */
  required: boolean;
  /** @default the listener that the worker opened first */
  port?: number;
  host?: string;
  protocol?: 'http' | 'https';
}

export interface CanaryConfig {
  /** At least one; weights rise, from 1 to 99. */
  steps: CanaryStep[];
  /** A client address stays on its side of the split as the weight rises. @default false */
  sticky: boolean;
  analysis: AnalysisConfig;
}

export interface CanaryStep {
  /** Percent of the traffic. */
  weight: number;
  /** Null: until a person goes on. @default 60000 */
  pauseMs: number | null;
}

/** How a canary, and a release in its soak, is judged. */
export interface AnalysisConfig {
  /** Of each generation; with fewer the verdict is inconclusive. @default 100 */
  minRequests: number;
  /** The canary's share of failed requests, 0 to 1; null: no limit. */
  maxErrorRate: number | null;
  maxP99Ms: number | null;
  /** Crashes of its workers in its soak; in the canary itself the first one ends it. */
  maxRestarts: number | null;
  /** By so much, as a share, it may be worse than the stable generation. @default 0.2 */
  tolerance: number;
  /** A share of failed requests up to this never matters. @default 0.0005 */
  errorTolerance: number;
  /** Nor does a request that takes so much longer. @default 1 */
  latencyToleranceMs: number;
  /** What becomes of a step whose time is over with an inconclusive verdict. @default 'wait' */
  inconclusive: 'wait' | 'pause';
}

/** An absolute number of workers or a share of `instances`. `surge` rounds up, `unavailable` down, as Kubernetes does. */
export type Amount = { count: number } | { percent: number };

export interface BackoffConfig {
  initialMs: number;
  factor: number;
  capMs: number;
  /** 0.2: each delay is varied by up to 20 % either way. */
  jitter: number;
  /** A worker that was up this long starts again from `initialMs`. */
  resetAfterMs: number;
}
