/**
 * The addresses in `listen` of the config, and which of the app's own asks they let through. Pure.
 *
 * A number stands for that port of every address, TCP and UDP alike; `host:port` for that address alone; a path for a unix socket.
 */

import { isAbsolute, normalize } from 'node:path';
import type { ListenSpec } from './messages.cjs';

type Address = { port: number; hosts: string[] | null } | { path: string };

/** What `localhost` may come to. */
const LOCALHOST = ['127.0.0.1', '::1'];
const BYTE = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const IPV4 = new RegExp(`^${BYTE}(\\.${BYTE}){3}$`);
/** Roughly: one that is none is never asked for. */
const IPV6 = /^(?=.*:.*:)[\da-f:.]{2,45}(%\w+)?$/i;
const MAX_PORT = 65_535;

/** @returns null where it is no address */
export function parseListenAddress(value: string | number): Address | null {
  if (typeof value === 'number' || /^\d+$/.test(value)) return portAddress(Number(value), null);
  if (value.startsWith('@') && value.length > 1) return { path: `\0${value.slice(1)}` }; // Linux' abstract sockets, as `ss` shows them.
  if (isAbsolute(value)) return { path: normalize(value) };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? [];
  if (port === undefined) return null;
  if (plain === 'localhost') return portAddress(Number(port), LOCALHOST);
  const isAddress = bracketed === undefined ? IPV4.test(plain!) : IPV6.test(bracketed);
  return isAddress ? portAddress(Number(port), [(bracketed ?? plain)!]) : null;
}

const portAddress = (port: number, hosts: string[] | null): Address | null =>
  Number.isInteger(port) && port >= 1 && port <= MAX_PORT ? { port, hosts } : null;

/** Whether `allowed`, as the config has it, lets the app listen where it asks to. */
export function mayListen(
  allowed: readonly string[],
  spec: Pick<ListenSpec, 'address' | 'port' | 'addressType'>,
): boolean {
  return allowed.some((one) => {
    const address = parseListenAddress(one);
    if (address === null) return false;
    if ('path' in address) return spec.addressType === -1 && spec.address === address.path;
    if (spec.addressType === -1 || spec.port !== address.port) return false;
    return address.hosts === null || (spec.address !== null && address.hosts.includes(spec.address));
  });
}

/** The paths among them that have a file. */
export const unixPathsOf = (allowed: readonly string[]): string[] =>
  allowed.flatMap((one) => {
    const address = parseListenAddress(one);
    return address !== null && 'path' in address && !address.path.startsWith('\0') ? [address.path] : [];
  });
