/**
 * Runs in the master. Tells the store which of its releases have failed by themselves: given up before their promotion, or rolled back out of their time on
 * trial. One that a person has given up, or that a stop came upon, was not found bad; and the way back is no trial of what it goes to.
 */
import { join } from 'node:path';
import { clearFailed, noteFailed } from '../releases/failed.js';
import type { Effects, Observer } from './effects.js';
import type { Supervisor } from './supervisor.js';

interface Watched {
  effects: Pick<Effects, 'plans'>;
  supervisor: Pick<Supervisor, 'state'>;
}

/** @param warn is told why a mark could not be made */
export function markReleases(store: string, { effects, supervisor }: Watched, warn: (why: string) => void): Observer {
  const mark = (generation: number | null, change: (id: string) => void): void => {
    const deployed = effects.plans.get(generation ?? -1)?.deployed;
    if (!deployed) return;
    try {
      change(deployed.id);
    } catch (error) {
      warn(
        `whether release ${deployed.id} is a good one cannot be noted in ${join(store, deployed.id)}: ${(error as Error).message}`,
      );
    }
  };
  return {
    proven: (generation) => mark(generation, (id) => clearFailed(store, id)),
    rolloutBegun({ source, from, cause }) {
      if (source === 'soak') mark(from, (id) => noteFailed(store, id, cause ?? 'it was rolled back'));
    },
    rolloutEnded({ rollout: { kind, to, outcome, aborted, reason } }) {
      if (outcome !== 'failed' || aborted || kind === 'rollback' || supervisor.state.stop) return;
      mark(to, (id) => noteFailed(store, id, reason ?? 'its rollout failed'));
    },
  };
}
