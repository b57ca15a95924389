/**
 * Runs in the master. Whether a request is let in, before anything is done for it: is it for this host (no DNS rebinding), does it come from a page of this
 * host's own (no cross-site request, no cross-site WebSocket), and does it show the token. Pure but for the comparison of secrets.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isOwnHost, isOwnOrigin } from '../../shared/http-address.js';
import type { Auth } from './auth.js';

/** What of the config decides. */
export interface Gate {
  auth: Auth;
  hosts: readonly string[];
}

export type Refusal = 'host' | 'origin' | 'token';

/**
 * @param open what is asked for is for everybody who may reach it at all: checks of health come as HTTP/1.0 without a host, which no browser does
 * @returns why not; null: come in
 */
export function refusalOf(headers: IncomingHttpHeaders, { auth, hosts }: Gate, open: boolean): Refusal | null {
  const { host, origin } = headers;
  if (host === undefined ? !open : !isOwnHost(host, hosts)) return 'host';
  if (origin !== undefined && !isOwnOrigin(origin, host ?? '', hosts)) return 'origin';
  return open || auth.admits(headers) ? null : 'token';
}

/** As {@link refusalOf}, of the live socket: whoever comes with a browser's cookie has to say from which page. */
export function liveRefusalOf(headers: IncomingHttpHeaders, gate: Gate): Refusal | null {
  const refusal = refusalOf(headers, gate, false);
  if (refusal !== null) return refusal;
  return headers.origin === undefined && gate.auth.admits(headers) === 'cookie' ? 'origin' : null;
}
