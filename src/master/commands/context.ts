/** Runs in the master. What every control command is handed. */
import type { Progress } from '../../shared/control-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import type { Effects } from '../effects.js';
import type { History } from '../history.js';
import type { Supervisor } from '../supervisor.js';

export interface CommandContext {
  appName: string;
  supervisor: Supervisor;
  effects: Effects;
  history: History;
  snapshot(): Promise<AppSnapshot>;
  /** Settles when the last worker has gone; true where the start has failed, or everything was ended at once. */
  ended: Promise<boolean>;
  /** Folder of the app's releases. */
  store: string;
}

export type Tell = (progress: Progress) => void;
