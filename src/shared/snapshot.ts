/** The one shape that `zdsup status --json`, and later the dashboard and the API, speak (a contract: scripts depend on it). */
export interface Snapshot {
  apps: AppSnapshot[];
}

export type AppState = 'starting' | 'running' | 'stopping' | 'unresponsive';

export interface AppSnapshot {
  name: string;
  state: AppState;
  masterPid: number;
  /** Version of zdsup that the master runs. */
  version: string;
  /** ISO 8601 instant. */
  startedAt: string;
  /** `modified`: the directory differs from what the serving generation started from (edited in place). */
  release: { id: string; path: string; modified: boolean } | null;
  generation: number | null;
  listeners: ListenerSnapshot[];
  /** Share of new connections for each serving generation, in percent. */
  weights: Record<string, number>;
  rollout: RolloutSnapshot | null;
  workers: WorkerSnapshot[];
}

export interface ListenerSnapshot {
  address: string | null;
  port?: number;
  path?: string;
  protocol: 'http' | 'https' | 'tcp' | 'tls' | 'udp';
}

/** The rollout under way, else the last one that ended. */
export interface RolloutSnapshot {
  id: number;
  from: number | null;
  to: number | null;
  step: RolloutStep;
  startedAt: string;
  outcome: null | 'succeeded' | 'failed';
  reason: string | null;
}

/** `waiting`: held until fewer than `maxDraining` generations drain. `aborting`: the old generation is brought back whole. */
export type RolloutStep = 'preparing' | 'waiting' | 'booting' | 'shifting' | 'aborting' | 'done';

export type WorkerStateName = 'starting' | 'ready' | 'active' | 'parked' | 'draining' | 'killing';

export interface WorkerSnapshot {
  slot: number;
  pid: number | null;
  generation: number;
  state: WorkerStateName;
  startedAt: string;
  /** Unsolicited exits of this slot in this generation. */
  restarts: number;
  connections: number | null;
  inFlight: number | null;
  requests: number | null;
  /** Percent of one core, by pidusage. */
  cpuPercent: number | null;
  rssBytes: number | null;
}
