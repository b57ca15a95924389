/** Runs in the worker. Tells the master how many connections it has, where that has changed: it evens them out. */
import { openConnections } from '../node-internals/cluster-seam.cjs';
import { requestingCount } from '../node-internals/http-connections.cjs';
import { tell } from './channel.cjs';
import { servingServers } from './listen-seam.cjs';

/** How often it looks, in ms: four looks in the 2 s within which the load is to be even. */
const LOOK_MS = 500;

let told = 0;
let looking: NodeJS.Timeout | null = null;

export const connectionCount = (): number => servingServers().reduce((sum, server) => sum + openConnections(server), 0);

/** Whatever has no end that it could move at: WebSockets, streams of events, all that is no plain HTTP/1.1. */
const fixedCount = (): number =>
  servingServers().reduce((sum, server) => {
    const moving = 'setSecureContext' in server ? 0 : requestingCount(server);
    return sum + Math.max(0, openConnections(server) - moving);
  }, 0);

/** From its activation on. */
export function reportLoad(): void {
  looking ??= setInterval(look, LOOK_MS).unref();
}

/** Its connections are nobody's load any more. */
export function stopReporting(): void {
  if (looking) clearInterval(looking);
  looking = null;
}

/** The master counts what it sends and gets: it is told anew how many there are, also where as many have ended. */
export function countAnew(): void {
  told = Number.NaN;
}

function look(): void {
  if (connectionCount() !== told) tellLoad();
}

/** Also where nothing has changed: the master has asked. */
export function tellLoad(): void {
  told = connectionCount();
  tell({ act: 'load', connections: told, fixed: fixedCount() });
}
