/** What a running master says of itself, asked over its control socket: no process is started for it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ask, askStatus, NobodyThere } from '../../src/client/control-client.js';
import type { ControlResult } from '../../src/shared/control-protocol.js';
import { ZdsupError } from '../../src/shared/errors.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import type { Master } from './zdsup.js';

export const snapshotOf = async (master: Master, app: string): Promise<AppSnapshot> =>
  appIn(await ask(`${master.world.home}/run/${app}.sock`, { command: 'status' }));

/**
 * The one app that runs with this state folder. Undefined where there are several, or none that answers in time: what
 * `zdsup status` makes of that is asked of it.
 */
export async function onlyAppOf(home: string): Promise<AppSnapshot | undefined> {
  const sockets = socketsIn(join(home, 'run'));
  if (sockets.length !== 1) return undefined;
  try {
    return appIn(await askStatus(sockets[0]!));
  } catch (error) {
    if (error instanceof NobodyThere || error instanceof ZdsupError) return undefined;
    throw error;
  }
}

function appIn(result: ControlResult): AppSnapshot {
  if (!result.ok || result.command !== 'status') throw new Error(JSON.stringify(result));
  return result.app;
}

function socketsIn(folder: string): string[] {
  try {
    return readdirSync(folder).flatMap((name) =>
      name.endsWith('.sock') && !name.startsWith('.') ? [join(folder, name)] : [],
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export const activeOf = (app: AppSnapshot): AppSnapshot['workers'] =>
  app.workers.filter(({ state }) => state === 'active');
