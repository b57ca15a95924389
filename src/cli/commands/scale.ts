/** Runs in the CLI. `zdsup scale [app] <n|+n|-n>`: another number of workers. */
import { chooseApps } from '../../client/apps.js';
import { knownApps, nameForHints } from '../../client/known-apps.js';
import { SCALE_TO } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { carryOut } from './carry-out.js';

/** @param operands `4`, or `shop 4`: names begin with a letter, so they cannot be mistaken for each other */
export async function scale(operands: string[], options: { json: boolean }): Promise<number> {
  const { json } = options;
  const to = operands.at(-1);
  const name = operands.length > 1 ? operands[0] : undefined;
  if (to === undefined || operands.length > 2 || !SCALE_TO.test(to) || name?.startsWith('-'))
    throw await usage(operands);
  return carryOut(await chooseApps(name), { command: 'scale', to }, { json, verb: 'scale', all: name === 'all' });
}

async function usage(operands: string[]): Promise<ZdsupError> {
  const [first] = operands;
  const isNamed = first === 'all' || (await knownApps()).some(({ name }) => name === first);
  const wrong = isNamed ? operands.slice(1) : operands;
  const given = wrong.length === 0 ? 'no number was given' : `${wrong.join(' ')} is no number of workers`;
  const app = isNamed ? first : await nameForHints();
  return new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `scale: ${given}`,
    hint: `zdsup scale ${app} 4, zdsup scale ${app} +1, zdsup scale ${app} -2`,
    exitStatus: 2,
  });
}
