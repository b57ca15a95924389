/** Runs in the CLI. `zdsup reload`: asks, shows progress, returns the truth. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function reload(
  name: string | undefined,
  options: { allowListeners: boolean; noWait: boolean; json: boolean },
): Promise<number> {
  const { allowListeners, noWait, json } = options;
  return carryOut(
    await chooseApps(name),
    { command: 'reload', allowListeners, noWait },
    {
      json,
      verb: 'reload',
      all: name === 'all',
    },
  );
}
