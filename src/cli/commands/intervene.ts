/** Runs in the CLI. `zdsup promote` and `zdsup abort`: how a rollout under way is to end. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function intervene(
  command: 'promote' | 'abort',
  name: string | undefined,
  { json }: { json: boolean },
): Promise<number> {
  const isRollout = command === 'promote';
  const verb = isRollout ? 'promotion' : command;
  return carryOut(await chooseApps(name), { command }, { json, verb, isRollout, all: name === 'all' });
}
