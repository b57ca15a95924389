/** Runs in the CLI. `zdsup promote`, `pause`, `abort` and `rollback`: how a rollout is to go on, or back. */
import { chooseApps } from '../../client/apps.js';
import { carryOut } from './carry-out.js';

export async function intervene(
  command: 'promote' | 'pause' | 'abort' | 'rollback',
  name: string | undefined,
  { json, full, to }: { json: boolean; full: boolean; to: string | undefined },
): Promise<number> {
  const isRollout = command === 'promote' || command === 'rollback';
  const verb = command === 'promote' ? 'promotion' : command;
  const request = command === 'promote' ? { command, full } : command === 'rollback' ? { command, to } : { command };
  return carryOut(await chooseApps(name), request, { json, verb, isRollout, all: name === 'all' });
}
