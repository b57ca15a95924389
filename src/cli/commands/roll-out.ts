/** Runs in the CLI. `zdsup reload` and `zdsup restart`: they ask, show progress, and return the truth. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function rollOut(
  command: 'reload' | 'restart',
  name: string | undefined,
  options: { allowListeners: boolean; noWait: boolean; noCanary: boolean; weight: number | undefined; json: boolean },
): Promise<number> {
  const { json, ...asked } = options;
  return carryOut(
    await chooseApps(name),
    { command, ...asked },
    { json, verb: command, isRollout: true, all: name === 'all' },
  );
}
