/**
 * Runs in the master. Whether a worker may have a socket bound for it: the master may be root, and binds what the worker could not. Sockets that are there
 * already are asked for in the same way, and by the same rule.
 */
import { mayListen } from '../shared/listen-address.js';
import type { ListenSpec } from '../shared/messages.cjs';
import type { Plan } from './plan.js';

/** @returns null where it may, else why not */
export function refusalToListen(
  { config: { listen }, identity }: Pick<Plan, 'config' | 'identity'>,
  spec: ListenSpec,
): string | null {
  if (listen === null && identity === null) return null;
  if (listen !== null && mayListen(listen, spec)) return null;
  const wanted = spec.port === null ? JSON.stringify(spec.address) : spec.port;
  return listen === null
    ? `the workers run as user ${identity!.user} and may listen on nothing that the config does not name: listen: [${wanted}]`
    : `listen in the config has ${listen.length === 0 ? 'no address' : listen.join(', ')}, and not this one`;
}
