/**
 * Listening sockets as libuv handles: `net._createServerHandle`, undocumented, the same on Node 20 to 26.
 * Used by the master (bound, never polled: a master that polls steals connections) and by workers for private ports.
 */
import net = require('node:net');

import type { SocketName } from '../shared/messages.cjs';

/** A TCP or Pipe handle, as far as zdsup uses it. */
export interface ServerHandle {
  listen(backlog: number): number;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  getsockname?(out: object): number;
  fchmod?(mode: number): number;
  onconnection: ((error: number, client: unknown) => void) | null;
  fd?: number;
}

type CreateServerHandle = (
  address: string | null,
  port: number | null,
  addressType: number | null,
  fd: number | undefined,
  flags?: number,
) => ServerHandle | number;

const create = (net as unknown as { _createServerHandle?: CreateServerHandle })._createServerHandle;

/** Null where this Node still has what zdsup needs, else what is missing. */
export function missingServerHandle(): string | null {
  return typeof create === 'function' ? null : 'net._createServerHandle';
}

/**
 * Binds a socket and does not listen on it.
 * libuv keeps a bind error back until `listen`, and a listen on such a socket would take a random port:
 * `getsockname` tells at once.
 * @returns the handle and its name, or the errno (negative, as libuv has it).
 */
export function bindServer(
  address: string | null,
  port: number | null,
  addressType: number,
  flags: number,
): { handle: ServerHandle; name: SocketName } | number {
  const handle = create!(address, port, addressType, undefined, flags);
  if (typeof handle === 'number') return handle;
  const name = {};
  // A pipe has no getsockname and reports its bind error at once.
  const errno = handle.getsockname ? handle.getsockname(name) : 0;
  if (errno !== 0) {
    handle.close();
    return errno;
  }
  return { handle, name: name as SocketName };
}

/**
 * A socket that was handed to this process: it is bound, and listens already.
 * @returns the handle and its name (a unix socket has none); null where it is no stream socket
 */
export function openServer(fd: number): { handle: ServerHandle; name: SocketName; kind: 'tcp' | 'unix' } | null {
  let handle: ServerHandle | number;
  try {
    handle = create!(null, null, null, fd);
  } catch {
    return null; // Node throws at what is no TCP socket and no pipe.
  }
  if (typeof handle === 'number') return null;
  const name = {};
  if (!handle.getsockname) return { handle, name, kind: 'unix' };
  if (handle.getsockname(name) === 0) return { handle, name: name as SocketName, kind: 'tcp' };
  handle.close();
  return null;
}

/** The raw handle of an accepted connection, to be sent to a worker. */
export function connectionHandle(socket: net.Socket): unknown {
  return (socket as unknown as { _handle: unknown })._handle;
}
