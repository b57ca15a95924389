/** The public API: a typed config. */
import type { AppConfigInput, ConfigInput } from './shared/config-keys.js';

export type { AppConfigInput, ConfigInput } from './shared/config-keys.js';
export type { AppSnapshot, Snapshot, WorkerSnapshot } from './shared/snapshot.js';

/** Returns its argument: gives a config file types and completion. */
export function defineConfig<T extends AppConfigInput | ConfigInput>(config: T): T {
  return config;
}
