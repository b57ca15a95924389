/**
 * Runs in the master. Asks every active or parked worker again and again over IPC, and tells the core of one whose event loop has not
 * answered for its `livenessTimeout`. Time in which this process itself was stopped or starved is held against nobody.
 */
import type { Event, Fleet } from '../domain/types.js';
import type { Effects } from './effects.js';
import type { Plan } from './plan.js';

/** How often workers are asked, in ms; more often where the time-out is that short. */
const LONGEST_TICK_MS = 1_000;
const SHORTEST_TICK_MS = 50;
/** So many questions fit into a short time-out. */
const QUESTIONS = 5;

/** What is known of one worker. */
interface Watch {
  /** On ticks that came in time, since the question that has no answer yet. */
  silentMs: number;
  answered: boolean;
}

/** The clock and the timer are handed in by tests alone. */
export interface LivenessClock {
  now(): number;
  after(ms: number, act: () => void): void;
}

const realClock: LivenessClock = {
  now: () => performance.now(),
  after: (ms, act) => void setTimeout(act, ms).unref(),
};

/** Begins to watch, for as long as the process lives. */
export function watchLiveness(
  effects: Pick<Effects, 'workers' | 'plans'>,
  state: () => Fleet,
  post: (event: Event) => void,
  clock: LivenessClock = realClock,
): void {
  const watches = new Map<number, Watch>();
  const timeoutOf = (generation: number): number => livenessTimeoutOf(effects.plans.get(generation));

  const tickMs = (): number => {
    const timeouts = [...effects.plans.keys()].map(timeoutOf).filter((timeout) => timeout > 0);
    const shortest = Math.min(...timeouts) / QUESTIONS;
    return Math.max(SHORTEST_TICK_MS, Math.min(LONGEST_TICK_MS, shortest));
  };

  const next = (): void => {
    const ms = tickMs();
    const dueAt = clock.now() + ms;
    clock.after(ms, () => {
      // Late by more than a tick: answers may lie unread in the channels, and the workers may have been stopped as well.
      if (clock.now() - dueAt > ms) watches.clear();
      else look(ms);
      next();
    });
  };

  const look = (ms: number): void => {
    // One that is parked is the way back: whether it could serve is known before it has to.
    const watched = Object.values(state().workers).filter(
      ({ status }) => status.state === 'active' || status.state === 'parked',
    );
    for (const id of watches.keys()) if (!watched.some((worker) => worker.id === id)) watches.delete(id);
    for (const { id, generation } of watched) {
      const timeout = timeoutOf(generation);
      if (timeout === 0) continue;
      const watch = watches.get(id);
      if (watch && !watch.answered) {
        watch.silentMs += ms;
        if (watch.silentMs >= timeout) post({ type: 'unresponsive', id });
        continue;
      }
      const asked: Watch = { silentMs: 0, answered: false };
      watches.set(id, asked);
      effects.workers.get(id)?.ping(() => {
        asked.answered = true;
      });
    }
  };
  next();
}

/** In ms; 0 where it is off: by the config, or under an inspector, which stops the event loop at every breakpoint. */
export function livenessTimeoutOf(plan: Plan | undefined): number {
  if (!plan) return 0;
  const isInspected = [...plan.execArgv, ...(plan.env.NODE_OPTIONS ?? '').split(' ')].some((argument) =>
    argument.startsWith('--inspect'),
  );
  return isInspected ? 0 : plan.config.livenessTimeoutMs;
}
