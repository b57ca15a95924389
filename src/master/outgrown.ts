/**
 * Runs in the master. Measures the workers whose config limits them (memory, age, requests), every second, and tells the core of one that is past
 * a limit. Decides nothing: whether, when and in which order they are recycled is the core's. Where nothing is limited it does nothing.
 */
import { pastLimit } from '../domain/recycling.js';
import type { Event, Fleet, Worker } from '../domain/types.js';
import type { Effects } from './effects.js';
import type { Usage } from './usage.js';
import { usageOf } from './usage.js';

/** How often they are measured, in ms. A look at the memory of a process takes 0.1 ms, and its figures one message. */
const EVERY_MS = 1_000;

/** What tests put in their place. */
export interface Measures {
  now(): number;
  after(ms: number, act: () => void): void;
  usageOf(pids: number[]): Promise<Map<number, Usage>>;
}

/**
 * Begins to look, for as long as the process lives.
 * @param now by the clock that decides
 */
export function watchLimits(
  effects: Pick<Effects, 'workers'>,
  state: () => Fleet,
  post: (event: Event) => void,
  now: () => number,
  measures: Omit<Measures, 'now'> = { after: (ms, act) => void setTimeout(act, ms).unref(), usageOf },
): void {
  const look = async (): Promise<void> => {
    const fleet = state();
    const policy = fleet.generations[fleet.serving ?? -1]?.policy;
    if (!policy) return;
    const { memory, ageMs, requests } = policy.limits;
    if (memory === null && ageMs === null && requests === null) return;
    const watched = Object.values(fleet.workers).filter((worker) => isWatched(worker, fleet));
    const pids = watched.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    const [usage, counts] = await Promise.all([
      memory === null ? new Map<number, Usage>() : measures.usageOf(pids),
      Promise.all(
        watched.map(async ({ id }) => (requests === null ? null : await effects.workers.get(id)?.figures())?.requests),
      ),
    ]);
    for (const [index, worker] of watched.entries()) {
      const measured = {
        rssBytes: usage.get(worker.pid ?? -1)?.rssBytes ?? null,
        ageMs: now() - worker.forkedAt,
        requests: counts[index] ?? null,
      };
      const past = pastLimit(worker, policy, measured);
      if (past) post({ type: 'outgrown', id: worker.id, ...past });
    }
  };
  const next = (): void => measures.after(EVERY_MS, () => void look().finally(next));
  next();
}

/** It serves, and is not known to be past a limit already. */
const isWatched = (worker: Worker, { serving }: Fleet): boolean =>
  worker.generation === serving && worker.status.state === 'active' && worker.due === null && !worker.recycling;
