/** Runs in the CLI. `zdsup promote`, `pause`, `abort` and `rollback`: how a rollout is to go on, or back. */
import { chooseApps } from '../../client/apps.js';
import { knownApps, nameForHints } from '../../client/known-apps.js';
import { ZdsupError } from '../../shared/errors.js';
import { carryOut } from './carry-out.js';

export async function intervene(
  command: 'promote' | 'pause' | 'abort' | 'rollback',
  name: string | undefined,
  { json, full, to }: { json: boolean; full: boolean; to: string | undefined },
): Promise<number> {
  if (command === 'rollback') await refuseMisread(name, to);
  const isRollout = command === 'promote' || command === 'rollback';
  const verb = command === 'promote' ? 'promotion' : command;
  const request = command === 'promote' ? { command, full } : command === 'rollback' ? { command, to } : { command };
  return carryOut(await chooseApps(name), request, { json, verb, isRollout, all: name === 'all' });
}

/** A number, or how the id of a release begins. */
const IS_RELEASE = /^(\d+|[0-9a-f]{4,64})$/;

/** @throws ZdsupError ZDSUP_USAGE where a release was meant, and not named as one */
async function refuseMisread(name: string | undefined, to: string | undefined): Promise<void> {
  const usage = (message: string, hint: string): ZdsupError =>
    new ZdsupError({ code: 'ZDSUP_USAGE', message: `rollback: ${message}`, hint, exitStatus: 2 });
  if (to?.trim() === '')
    throw usage('--to names no release', `zdsup releases ${name ?? (await nameForHints())} lists them`);
  if (name === undefined || !IS_RELEASE.test(name) || (await knownApps()).some((app) => app.name === name)) return;
  const app = await nameForHints();
  throw usage(
    `${name} is no app`,
    to === undefined
      ? `a release is named by --to and its id: zdsup rollback ${app} --to <release>; zdsup releases ${app} lists them`
      : 'zdsup status lists the apps that are known',
  );
}
