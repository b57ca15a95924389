/** Pure data of the core: what should run, what runs, what happened, what is to be done. No I/O, no clock. */
import type { BackoffConfig } from '../shared/config.js';
import type { ProgressKind } from '../shared/control-protocol.js';

/** The numbers of a generation's config that the core decides by. */
export interface Policy {
  instances: number;
  check: 'listening' | 'message' | 'http';
  readyDeadlineMs: number;
  minReadyMs: number;
  surge: number;
  unavailable: number;
  atomic: boolean;
  drainTimeoutMs: number;
  killTimeoutMs: number;
  stopTimeoutMs: number;
  backoff: BackoffConfig;
  maxDraining: number;
}

/** Which listeners a worker must have asked for before it can be ready. */
export type Expected =
  /** A first start: whatever it opens; one that never listens is ready after a while. */
  | { kind: 'any' }
  /** `--allow-listeners`: at least one. */
  | { kind: 'some' }
  /** As the serving worker of that slot has them. */
  | { kind: 'exactly'; keys: string[] };

export type RetireReason = 'replaced' | 'abort' | 'stop' | 'surplus';

export type WorkerStatus =
  | { state: 'starting'; deadlineAt: number }
  | { state: 'ready'; readyAt: number }
  /** `confirmBy`: it has been told to accept and has not said yet that it does; null once it has. */
  | { state: 'active'; readyAt: number; confirmBy: number | null }
  | { state: 'draining'; reason: RetireReason; deadlineAt: number; killAt: number }
  | { state: 'killing'; reason: RetireReason | 'not ready' };

export interface Worker {
  id: number;
  slot: number;
  generation: number;
  pid: number | null;
  forkedAt: number;
  /** The preload answered: user code begins to run. */
  helloAt: number | null;
  status: WorkerStatus;
  /** Listener keys asked for so far, with their names for people. */
  listeners: Record<string, string>;
  /** `listen` calls that have no answer yet: what the app says meanwhile, it says ahead of them. */
  askingCount: number;
  readyMessage: boolean;
  probe: 'none' | 'running' | 'passed';
  /** What the last probe said, for the report when the deadline passes. */
  probeFailure: string | null;
  /** It has had traffic. */
  served: boolean;
}

export interface Slot {
  /** Unsolicited exits. */
  restarts: number;
  /** Of them, those in a row without a stay of `backoff.resetAfterMs`. */
  failures: number;
  /** Not forked again before this instant. */
  respawnAt: number;
  expected: Expected;
}

export interface Generation {
  number: number;
  policy: Policy;
  /** Desired: the slots that should have a worker. A rollout, a stop, a scale only edit this. */
  slots: number[];
  slotState: Record<number, Slot>;
  /** Every listener that a worker of it has opened and not closed again, with its name for people. A crash closes nothing. */
  listeners: Record<string, string>;
  /** Its directory differs from what it started from. */
  modified: boolean;
  /** `modified` is fresh: an exit makes it stale until the shell has looked again. */
  checked: boolean;
}

export type RolloutSource = 'start' | 'command' | 'signal';

export interface Rollout {
  id: number;
  source: RolloutSource;
  allowListeners: boolean;
  from: number | null;
  to: number | null;
  step: 'preparing' | 'waiting' | 'booting' | 'shifting' | 'aborting' | 'done';
  startedAt: number;
  /** Slots of the old generation when it began: what an abort brings back. */
  fromSlots: number[];
  outcome: null | 'succeeded' | 'failed';
  reason: string | null;
  /** The worker that failed, for its last stderr lines. */
  culprit: number | null;
  /** An abort that cannot bring the old generation back whole gives up waiting then. */
  abortBy: number | null;
}

export interface Fleet {
  nextWorkerId: number;
  nextGeneration: number;
  nextRolloutId: number;
  generations: Record<number, Generation>;
  workers: Record<number, Worker>;
  serving: number | null;
  /** The one under way, else the last. */
  rollout: Rollout | null;
  /** A HUP came during a rollout: one more runs after it. */
  reloadQueued: boolean;
  stop: null | { deadlineAt: number };
  ended: boolean;
}

export type Event =
  | { type: 'reload-requested'; source: RolloutSource; allowListeners: boolean }
  | { type: 'prepared'; rolloutId: number; policy: Policy }
  | { type: 'prepare-failed'; rolloutId: number; reason: string }
  | { type: 'forked'; id: number; pid: number }
  | { type: 'hello'; id: number }
  /** The app has called `listen`; one of the two below answers it. */
  | { type: 'listen-asked'; id: number }
  | { type: 'listening'; id: number; key: string; label: string }
  | { type: 'listen-failed'; id: number }
  /** The app has closed a server of its own accord. */
  | { type: 'closed'; id: number; key: string }
  | { type: 'ready-message'; id: number }
  /** It accepts now: its event loop has taken the word. */
  | { type: 'activated'; id: number }
  | { type: 'probe-passed'; id: number }
  | { type: 'probe-failed'; id: number; reason: string }
  | { type: 'exited'; id: number; code: number | null; signal: string | null; error?: string }
  | { type: 'release-checked'; generation: number; modified: boolean }
  | { type: 'stop-requested' }
  | { type: 'end-at-once' }
  | { type: 'timer' };

export type Effect =
  | { type: 'prepare'; rolloutId: number }
  | { type: 'fork'; id: number; slot: number; generation: number }
  | { type: 'probe'; id: number }
  | { type: 'activate'; id: number }
  | { type: 'retire'; id: number; deadlineMs: number; closeIdle: boolean }
  | { type: 'kill'; id: number }
  | { type: 'check-release'; generation: number }
  | {
      type: 'progress';
      kind: ProgressKind;
      message: string;
      generation?: number;
      slot?: number;
      pid?: number;
      activeCount?: number;
      wantedCount?: number;
    }
  | { type: 'rollout-ended'; rollout: Rollout }
  /** The generation has no worker left. */
  | { type: 'generation-gone'; generation: number }
  | { type: 'close-listeners' }
  | { type: 'end'; failed: boolean };

/** What the shell hands in: the instant, and a number in [0, 1) for jitter. */
export interface Context {
  now: number;
  random: number;
}

export type StepResult = { fleet: Fleet; effects: Effect[]; ignored?: string };
