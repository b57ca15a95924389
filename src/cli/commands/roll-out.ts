/** Runs in the CLI. `zdsup reload` and `zdsup restart`: they ask, show progress, and return the truth. */
import { chooseApps } from '../../client/apps.js';
import { ZdsupError } from '../../shared/errors.js';
import { carryOut } from './carry-out.js';

export async function rollOut(
  command: 'reload' | 'restart',
  name: string | undefined,
  options: {
    allowListeners: boolean;
    noWait: boolean;
    noCanary: boolean;
    weight: number | undefined;
    worker: number | undefined;
    json: boolean;
  },
): Promise<number> {
  const { json, worker, ...asked } = options;
  if (worker !== undefined) return recycle(name, worker, options);
  return carryOut(
    await chooseApps(name),
    { command, ...asked },
    { json, verb: command, isRollout: true, all: name === 'all' },
  );
}

/** One worker, from what its generation runs: none of what is said of a rollout has a meaning for it. */
async function recycle(
  name: string | undefined,
  slot: number,
  { noWait, json, ...ofRollout }: Parameters<typeof rollOut>[2],
): Promise<number> {
  const given = [
    ofRollout.weight === undefined ? [] : ['--weight'],
    ofRollout.noCanary ? ['--no-canary'] : [],
    ofRollout.allowListeners ? ['--allow-listeners'] : [],
  ].flat();
  if (given.length > 0)
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `reload --worker ${slot} replaces one worker by another of the same release: ${given.join(' and ')} has no meaning for it`,
      hint: 'leave it out, or leave out --worker to bring in new code',
      exitStatus: 2,
    });
  return carryOut(
    await chooseApps(name),
    { command: 'recycle', slot, noWait },
    { json, verb: 'reload', all: name === 'all' },
  );
}
