/** What `zdsup check` reports (types alone). */
import type { AppState } from './snapshot.js';

export interface ConfigChange {
  key: string;
  from: unknown;
  to: unknown;
}

/** What a reload would change of the app that runs. */
export interface Changes {
  release: { from: { id: string; path: string }; to: { id: string; path: string } };
  /** Paths relative to the release. */
  files: string[];
  config: ConfigChange[];
  /** Names alone: values are secrets. */
  env: { added: string[]; removed: string[] };
  listeners: { added: string[]; missing: string[] };
}

/** What came of one path of a warm-up. */
export interface WarmUpAnswer {
  path: string;
  /** Null where no answer came. */
  status: number | null;
  ms: number;
  /** Null where it was 2xx or 3xx, else why not, in words. */
  failure: string | null;
}

export interface CheckReport {
  type: 'result';
  ok: boolean;
  exitStatus: 0 | 1;
  command: 'check';
  app: string;
  /** From the fork of its worker to readiness, warm-up and smoke test passed. */
  durationMs: number;
  smoke: 'passed' | 'none';
  /** Of each path that was asked; [] where the config has no warm-up. */
  warmup: WarmUpAnswer[];
  /** Of the app that runs, where one does. */
  state: AppState | null;
  /** Null where nothing runs to compare with. */
  changes: Changes | null;
  message: string;
}
