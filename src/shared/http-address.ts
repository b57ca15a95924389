/** Where the master's HTTP may listen, and what a request may call it: told apart by the text alone. Pure. */

const V4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
/** Not every such text is an address; but no such text is a name. */
const V6 = /^(?=.*:)[0-9a-f:.]{2,45}$/i;

export const isAddress = (host: string): boolean => host === 'localhost' || V4.test(host) || V6.test(host);

/** Reached from this host alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (V4.test(host) && host.startsWith('127.'));

/** As in a URL. */
export const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** `name`, `name:port`, `[address]:port`; null where it is none of them. The name in lower case, without brackets. */
export function parseHost(header: string): { name: string; port: string | null } | null {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::(\d{1,5}))?$/i.exec(header) ?? [];
  const name = (bracketed ?? plain)?.toLowerCase();
  return name === undefined || (bracketed !== undefined && !V6.test(bracketed)) ? null : { name, port: port ?? null };
}

/**
 * May a request be for that host? Localhost and addresses may: a browser that was sent to them by a name of somebody else's says that name (DNS
 * rebinding). Other names only where the config has them.
 */
export function isOwnHost(header: string, hosts: readonly string[]): boolean {
  const host = parseHost(header);
  if (host === null) return false;
  const { name, port } = host;
  return isAddress(name) || hosts.includes(name) || (port !== null && hosts.includes(`${name}:${port}`));
}

/**
 * Did a page of that origin come from here? The same host and port as the request is for; or one of the config's, where a proxy stands before it and
 * asks for another host.
 */
export function isOwnOrigin(origin: string, header: string, hosts: readonly string[]): boolean {
  const [, scheme, host] = /^(https?):\/\/([^/?#@\s]+)$/i.exec(origin.toLowerCase()) ?? [];
  if (scheme === undefined || host === undefined || parseHost(host) === null) return false;
  const asked = header.toLowerCase();
  return asked === host || asked === `${host}${scheme === 'https' ? ':443' : ':80'}` || hosts.includes(host);
}
