/** Runs in the CLI. `zdsup stop`: asks, shows progress, returns when nothing of the app is left. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function stop(name: string | undefined, options: { json: boolean }): Promise<number> {
  const { json } = options;
  return carryOut(await chooseApps(name), { command: 'stop' }, { json, verb: 'stop', all: name === 'all' });
}
