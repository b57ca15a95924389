/** Runs in the CLI. `zdsup restart`: new code without an overlap of old and new workers. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function restart(
  name: string | undefined,
  options: { allowListeners: boolean; noWait: boolean; json: boolean },
): Promise<number> {
  const { allowListeners, noWait, json } = options;
  return carryOut(
    await chooseApps(name),
    { command: 'restart', allowListeners, noWait },
    { json, verb: 'restart', all: name === 'all' },
  );
}
