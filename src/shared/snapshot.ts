import type { AppFigures, WorkerFigures } from './figures.js';

/** The one shape that `zdsup status --json`, the dashboard and the API speak (a contract: scripts depend on it; docs/snapshot.md). */
export interface Snapshot {
  apps: AppSnapshot[];
}

/**
 * `crash-looping`: a slot of the serving generation crashes again and again; the others serve. `stopped` and `crashed` do not
 * run, and are remembered.
 */
export type AppState = 'starting' | 'running' | 'crash-looping' | 'stopping' | 'unresponsive' | 'stopped' | 'crashed';

export interface AppSnapshot {
  name: string;
  state: AppState;
  /** 0 where no master runs. */
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
  /** The serving generation is on trial. Left out where it is not. */
  soak?: SoakSnapshot;
  /**
   * Kept for the way back, without traffic. `until` (ISO 8601) is null while the rollout that parks it is under way. `boots`: so many of its
   * workers have gone meanwhile, and a rollback boots them.
   */
  parked?: { generation: number; until: string | null; boots: number };
  /** Nothing that was good before is known, of this master or of the store: a rollback would be refused. Left out where there is something. */
  noWayBack?: true;
  /** Left out where its output is not kept in files. */
  log?: LogSnapshot;
  /** Where the config limits the workers, or one of them is being replaced. */
  recycling?: RecyclingSnapshot;
  workers: WorkerSnapshot[];
  /** While figures are on; else left out. */
  figures?: AppFigures;
  /** Of one that is `stopped` or `crashed`. */
  ended?: {
    /** ISO 8601 instant; null where its master was killed and could not say. */
    at: string | null;
    reason: string | null;
  };
}

export interface LogSnapshot {
  /** Absolute: of stdout, and of stderr where that is apart. */
  files: string[];
  /** What found no room in them since the master began. */
  droppedLines: number;
  droppedBytes: number;
  /** Why nothing can be written now. */
  trouble: string | null;
  /** The log process was replaced so many times. */
  restarts: number;
}

export interface SoakSnapshot {
  generation: number;
  /** ISO 8601 instant; a crash moves it on. */
  until: string;
  /** By its figures as well: after a canary. Else crashes alone roll it back. */
  judged: boolean;
  /** There is something to roll back to: not where the folder was edited in place. */
  goesBack: boolean;
}

export interface RecyclingSnapshot {
  /** Nobody is recycled meanwhile. `release-modified`: the folder was edited in place, a new worker would run other code. */
  paused: null | 'release-modified' | 'rollout' | 'scale' | 'stop';
  /** The slot whose worker is being replaced. */
  slot: number | null;
  cause: null | 'memory' | 'age' | 'requests' | 'command';
  /** Slots whose workers are past a limit and wait for their turn. */
  due: number[];
}

export interface ListenerSnapshot {
  address: string | null;
  port?: number;
  path?: string;
  protocol: 'http' | 'https' | 'tcp' | 'tls' | 'udp';
}

export interface VerdictSnapshot {
  kind: 'good' | 'bad' | 'inconclusive';
  /** In words and figures. */
  reason: string;
}

/** The rollout under way, else the last one that ended. */
export interface RolloutSnapshot {
  id: number;
  from: number | null;
  to: number | null;
  step: RolloutStep;
  startedAt: string;
  outcome: null | 'succeeded' | 'failed';
  /** It failed because a person gave it up; else left out. */
  aborted?: true;
  reason: string | null;
  /** Percent of the traffic that the new generation has where it is held; else null. */
  weight: number | null;
  /** `rollback`: to what was good before. */
  kind: 'reload' | 'restart' | 'rollback';
  /** Why it began, where it did so by itself. */
  cause: string | null;
  /** Of a canary by steps, while it is held; else left out. */
  canary?: {
    /** Counted from 1. */
    step: number;
    steps: number;
    /** ISO 8601 instant at which its step is over; null where a person ends it. */
    until: string | null;
    verdict: VerdictSnapshot | null;
  };
  /** Of a canary whose weight a person gave, while it is held: null until its traffic says something; else left out. */
  verdict?: VerdictSnapshot | null;
  /** What the new generation runs, while the rollout is under way and that is known. */
  release?: { id: string; path: string };
}

/**
 * `waiting`: until fewer than `maxDraining` generations drain. `canary`: the new generation has its weight, and a person decides.
 * `aborting`: the old generation is brought back whole.
 */
export type RolloutStep =
  | 'preparing'
  | 'waiting'
  | 'emptying'
  | 'booting'
  | 'canary'
  | 'shifting'
  | 'aborting'
  | 'done';

/** `waiting`: no process; the slot's last one has crashed, and the next is forked at `respawnAt`. */
export type WorkerStateName = 'starting' | 'ready' | 'active' | 'parked' | 'draining' | 'killing' | 'waiting';

export interface WorkerSnapshot {
  slot: number;
  pid: number | null;
  generation: number;
  state: WorkerStateName;
  /** ISO 8601 instant; null of one that waits. */
  startedAt: string | null;
  /** ISO 8601 instant, of one that waits. */
  respawnAt?: string;
  /** Of one that drains: what it waits for beside its requests in flight, and for how long at most. */
  drain?: { webSockets: number | null; leftMs: number };
  /** Its event loop is blocked: its replacement is on the way. */
  unresponsive?: true;
  /** Its successor is on the way, or serves already: it is past a limit, or a person says so. */
  recycling?: true;
  /** Unsolicited exits of this slot in this generation. */
  restarts: number;
  /** Workers of this slot that were replaced while they served, in this generation: by a limit, or by hand. Left out where none was. */
  recycled?: number;
  connections: number | null;
  inFlight: number | null;
  requests: number | null;
  /** Percent of one core, since the last look at it. */
  cpuPercent: number | null;
  rssBytes: number | null;
  /** While figures are on; else left out. */
  figures?: WorkerFigures;
}
