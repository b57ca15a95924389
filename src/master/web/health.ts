/** Runs in the master. Whether enough workers serve for this host to be sent traffic. Pure. */
import type { Fleet } from '../../domain/types.js';

export interface Health {
  ready: boolean;
  /** Workers that take connections and answer. */
  active: number;
  wanted: number;
  /** Fewer are not enough. */
  least: number;
  /** Why not; null where it is ready. */
  reason: string | null;
}

/**
 * Half of the workers are enough, or as many as a reload leaves where the config lets it take more: who is sent away from this host is sent to others,
 * and one crash of four is no reason for that.
 */
export function healthOf(fleet: Fleet): Health {
  const policy = fleet.serving === null ? undefined : fleet.generations[fleet.serving]?.policy;
  const active = Object.values(fleet.workers).filter(
    ({ status, unresponsive }) => status.state === 'active' && !unresponsive,
  ).length;
  const wanted = policy?.instances ?? 0;
  const least = policy ? Math.max(1, Math.min(Math.ceil(wanted / 2), wanted - policy.unavailable)) : 1;
  const reason = fleet.stop
    ? 'it is being stopped'
    : !policy
      ? 'its first workers are starting'
      : active < least
        ? `${active} of ${wanted} workers serve, ${least} are enough`
        : null;
  return { ready: reason === null, active, wanted, least, reason };
}
