/** What a running master says of itself, asked over its control socket: no process is started for it. */
import { ask } from '../../src/client/control-client.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import type { Master } from './zdsup.js';

export async function snapshotOf(master: Master, app: string): Promise<AppSnapshot> {
  const result = await ask(`${master.world.home}/run/${app}.sock`, { command: 'status' });
  if (!result.ok || result.command !== 'status') throw new Error(JSON.stringify(result));
  return result.app;
}

export const activeOf = (app: AppSnapshot): AppSnapshot['workers'] =>
  app.workers.filter(({ state }) => state === 'active');
