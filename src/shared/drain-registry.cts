/**
 * Where an app's callbacks for the drain wait: on `process`, under a symbol that every copy of zdsup knows. The app's own copy (`zdsup/worker`) and the preload,
 * which is the master's, may be of different versions: this shape is a contract, and another one gets another symbol.
 */

/** What a drain tells the app. */
export interface Drain {
  /** Time until the drain deadline, in ms, as known when the drain begins. A stop that comes upon it may bring it closer. */
  readonly deadlineMs: number;
  /** Aborted at the drain deadline, when whatever is left is ended. */
  readonly signal: AbortSignal;
}

/** A promise that it returns is waited for, until the drain deadline. */
export type DrainCallback = (drain: Drain) => unknown;

export interface DrainRegistry {
  /** Those to call when the drain begins. */
  readonly waiting: Set<DrainCallback>;
  /** The preload's, once the drain has begun: who comes later is called at once. */
  call: ((callback: DrainCallback) => void) | null;
}

const KEY = Symbol.for('zdsup.drain.1');

export function drainRegistry(): DrainRegistry {
  const home = process as unknown as Record<symbol, DrainRegistry | undefined>;
  home[KEY] ??= { waiting: new Set(), call: null };
  return home[KEY];
}
