/**
 * Runs in the master. The sockets that a service manager has handed over (socket activation, sd_listen_fds(3)): it bound them, they listen, and clients wait in
 * them whether a master runs or not. An app that listens on such an address gets that socket.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import type { DatagramHandle } from '../node-internals/datagram-handle.cjs';
import { openDatagrams } from '../node-internals/datagram-handle.cjs';
import type { ServerHandle } from '../node-internals/server-handle.cjs';
import { openServer } from '../node-internals/server-handle.cjs';
import type { ListenSpec, SocketName } from '../shared/messages.cjs';
import { inheritedDescriptors, NOTIFY_FD_NAME } from '../shared/service-manager.js';

export interface InheritedSocket {
  kind: 'tcp' | 'unix' | 'udp';
  handle: ServerHandle | DatagramHandle;
  name: SocketName;
  /** Of a unix socket; an abstract one begins with a zero byte. */
  path: string | null;
  /** `FileDescriptorName=` of its unit. */
  fdName: string;
}

export interface Inheritance {
  sockets: InheritedSocket[];
  /** Connected to the manager. */
  notifyFd: number | null;
  warnings: string[];
}

/** Once, by the process that they were handed to. */
export function takeInheritance(env: NodeJS.ProcessEnv, pid: number = process.pid): Inheritance {
  const taken: Inheritance = { sockets: [], notifyFd: null, warnings: [] };
  for (const { fd, name } of inheritedDescriptors(env, pid)) {
    if (name === NOTIFY_FD_NAME) {
      taken.notifyFd = fd;
      continue;
    }
    const socket = openSocket(fd, name);
    if (socket) taken.sockets.push(socket);
    else
      taken.warnings.push(
        `descriptor ${fd}${name ? ` (${name})` : ''} was handed over, and is no socket that an app could listen on`,
      );
  }
  return taken;
}

function openSocket(fd: number, fdName: string): InheritedSocket | null {
  const path = unixPathOf(fd);
  if (path === undefined) return null;
  const stream = openServer(fd);
  if (stream?.kind === 'unix') return path === null ? null : { ...stream, path, fdName };
  if (stream) return { ...stream, path: null, fdName };
  const datagrams = path === null ? openDatagrams(fd) : null;
  return datagrams && { ...datagrams, kind: 'udp', path: null, fdName };
}

/** A pipe handle cannot tell: the kernel's table does. @returns null: not a unix socket; undefined: one that does not listen */
function unixPathOf(fd: number): string | null | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
    return inode === undefined ? undefined : unixPathIn(readFileSync('/proc/self/net/unix', 'latin1'), inode);
  } catch {
    return null;
  }
}

/** Flag of a socket that accepts, in the kernel's table. */
const ACCEPTS = 0x10000;

/** @param table /proc/net/unix */
export function unixPathIn(table: string, inode: string): string | null | undefined {
  for (const line of table.split('\n')) {
    // Num RefCount Protocol Flags Type St Inode Path
    const match = /^\S+: \S+ \S+ (\S+) \S+ \S+ +(\d+)(?: (.*))?$/.exec(line);
    if (match?.[2] !== inode) continue;
    if ((Number.parseInt(match[1]!, 16) & ACCEPTS) === 0 || !match[3]) return undefined;
    const path = Buffer.from(match[3], 'latin1').toString('utf8');
    return path.startsWith('@') ? `\0${path.slice(1)}` : path;
  }
  return null;
}

/** Takes out the one that listens where `spec` asks to: the exact address before one that covers it. */
export function takeMatching(sockets: InheritedSocket[], spec: ListenSpec): InheritedSocket | undefined {
  const ranked = sockets.map((socket) => rank(socket, spec));
  const best = Math.max(0, ...ranked);
  return best === 0 ? undefined : sockets.splice(ranked.indexOf(best), 1)[0];
}

export const hasMatching = (sockets: readonly InheritedSocket[], spec: ListenSpec): boolean =>
  sockets.some((socket) => rank(socket, spec) > 0);

const ANY = ['::', '0.0.0.0'];

/** 0: another address. An app that asks for loopback alone does not get a socket that the whole network reaches. */
function rank({ kind, name, path }: InheritedSocket, spec: ListenSpec): number {
  if (spec.addressType === -1) return kind === 'unix' && path === spec.address ? 2 : 0;
  const wanted = spec.protocol === 'udp' ? 'udp' : 'tcp';
  if (kind !== wanted || !('port' in name) || name.port !== spec.port || spec.port === 0) return 0;
  const address = spec.address ?? '::';
  if (name.address === address) return 2;
  return ANY.includes(String(name.address)) && ANY.includes(address) ? 1 : 0;
}

/** For people. */
export function labelOfInherited({ kind, name, path }: InheritedSocket): string {
  if (path !== null) return path.replace('\0', '@');
  const { address, port } = name as { address: string; port: number };
  const host = address.includes(':') ? `[${address}]` : address;
  return `${kind === 'udp' ? 'udp ' : ''}${host}:${port}`;
}
