import type { BackoffConfig } from '../shared/config.js';

/** Delay before the nth respawn in a row (n from 1), in ms, with jitter by `random` in [0, 1). */
export function backoffMs(config: BackoffConfig, failures: number, random: number): number {
  const grown = config.initialMs === 0 ? 0 : config.initialMs * config.factor ** (failures - 1); // 0 × ∞ is no number.
  const plain = Math.min(config.capMs, grown);
  return Math.round(plain * (1 + config.jitter * (2 * random - 1)));
}
