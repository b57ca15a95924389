/** Runs in the CLI. `zdsup canary [app] <weight>`: another part of the traffic for the generation that is held. */
import { chooseApps } from '../../client/apps.js';
import { knownApps, nameForHints } from '../../client/known-apps.js';
import { isAppName } from '../../shared/app-name.js';
import { WEIGHT } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { carryOut } from './carry-out.js';

/** @param operands `50`, or `shop 50`: names begin with a letter, so they cannot be mistaken for each other */
export async function canary(operands: string[], options: { json: boolean }): Promise<number> {
  const { json } = options;
  const weight = operands.at(-1);
  const name = operands.length > 1 ? operands[0] : undefined;
  if (weight === undefined || operands.length > 2 || !WEIGHT.test(weight) || name?.startsWith('-'))
    throw await usage(operands);
  const request = { command: 'canary', weight: Number(weight) } as const;
  const told = { json, verb: 'change of weight', isRollout: true, all: name === 'all' };
  return carryOut(await chooseApps(name), request, told);
}

async function usage(operands: string[]): Promise<ZdsupError> {
  const known = await knownApps();
  const [first] = operands;
  const isNamed =
    first === 'all' || known.some(({ name }) => name === first) || (operands.length > 1 && isAppName(first!));
  const wrong = isNamed ? operands.slice(1) : operands;
  const given = wrong.length === 0 ? 'no weight was given' : `${wrong.join(' ')} is no weight`;
  return new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `canary: ${given}`,
    hint: `a whole number of percent from 0 to 100: zdsup canary ${isNamed ? first : await nameForHints()} 50`,
    exitStatus: 2,
  });
}
