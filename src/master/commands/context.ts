/** Runs in the master. What every control command is handed. */
import type { Progress, Sample } from '../../shared/control-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import type { Effects } from '../effects.js';
import type { Feed } from '../feed.js';
import type { History } from '../history.js';
import type { Supervisor } from '../supervisor.js';
import type { WebDoor } from '../web-door.js';

export interface CommandContext {
  appName: string;
  supervisor: Supervisor;
  effects: Effects;
  history: History;
  /** @param looksAtRelease @default true */
  snapshot(looksAtRelease?: boolean): Promise<AppSnapshot>;
  /** Settles when the last worker has gone; true where the start has failed, or everything was ended at once. */
  ended: Promise<boolean>;
  /** Folder of the app's releases. */
  store: string;
  /** Made for the first who wants it. */
  feed(): Promise<Feed>;
  web: Pick<WebDoor, 'link' | 'settled'>;
  /** Absolute; null where it was started from a script, or by a program that has the config. */
  configPath: string | null;
}

/** Whoever has asked. */
export interface Connection {
  /** A sample is left out where the client has not read those before. */
  send(line: Progress | Sample): void;
  /** Settles when it has hung up. */
  left: Promise<void>;
}

export type Tell = (progress: Progress) => void;
