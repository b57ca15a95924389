/** Runs in the CLI. `zdsup promote` and `zdsup abort`: how a rollout under way is to end. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function intervene(
  command: 'promote' | 'abort',
  name: string | undefined,
  { json }: { json: boolean },
): Promise<number> {
  return carryOut(await chooseApps(name), { command }, { json, verb: command, all: name === 'all' });
}
