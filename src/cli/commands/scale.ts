/** Runs in the CLI. `zdsup scale [app] <n|+n|-n>`: another number of workers. */
import { chooseApps } from '../../client/apps.js';
import { SCALE_TO } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { carryOut } from './carry-out.js';

/** @param operands `4`, or `api 4`: names begin with a letter, so they cannot be mistaken for each other */
export async function scale(operands: string[], options: { json: boolean }): Promise<number> {
  const { json } = options;
  const to = operands.at(-1);
  const name = operands.length > 1 ? operands[0] : undefined;
  if (to === undefined || operands.length > 2 || !SCALE_TO.test(to) || name?.startsWith('-')) throw usage(operands);
  return carryOut(await chooseApps(name), { command: 'scale', to }, { json, verb: 'scale', all: name === 'all' });
}

function usage(operands: string[]): ZdsupError {
  const given = operands.length === 0 ? 'no number was given' : `${operands.join(' ')} is no number of workers`;
  return new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `scale: ${given}`,
    hint: 'zdsup scale api 4, zdsup scale api +1, zdsup scale api -2',
    exitStatus: 2,
  });
}
