/**
 * Runs in the worker. `cluster._getServer(server, options, callback)` is the one seam through which http, https, http2,
 * net and dgram servers ask for a handle (undocumented, the same on Node 20 to 26). Also what cluster puts in the way
 * of a worker that is to outlive its master. Never decides: listen-seam.cts does.
 */
import cluster = require('node:cluster');
import net = require('node:net');

import type { ServerHandle } from './server-handle.cjs';

export interface SeamOptions {
  address: string | null;
  port: number | null;
  addressType: number | 'udp4' | 'udp6';
  fd?: number | null;
  flags?: number;
  backlog?: number;
}

export type SeamCallback = (errno: number, handle: unknown) => void;
export type Seam = (server: net.Server, options: SeamOptions, callback: SeamCallback) => void;

type ListenOptions = { exclusive?: boolean; reusePort?: boolean; readableAll?: boolean; writableAll?: boolean };

/** What a pipe handle's fchmod takes (libuv's uv_poll_event). */
const UV_READABLE = 1;
const UV_WRITABLE = 2;

const pathModes = new WeakMap<net.Server, number>();

/** `readableAll` and `writableAll` of a unix socket: a cluster worker's `listen` has returned before it would apply them. */
export const pathModeOf = (server: net.Server): number | undefined => pathModes.get(server);

/** Null where the seam is as expected, else what is missing. */
export function missingSeam(): string | null {
  return typeof (cluster as unknown as { _getServer?: unknown })._getServer === 'function'
    ? null
    : 'cluster._getServer';
}

/** Puts `seam` in place. */
export function replaceSeam(seam: Seam): void {
  (cluster as unknown as { _getServer: Seam })._getServer = seam;
  // `exclusive` and `reusePort` would bypass the seam and open a socket that dies with this worker.
  const listen = net.Server.prototype.listen as (...args: unknown[]) => net.Server;
  net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]) {
    const first = args[0] as ListenOptions | null;
    if (typeof first === 'object' && first !== null) {
      if (first.exclusive || first.reusePort) args[0] = { ...first, exclusive: false, reusePort: false };
      const mode = (first.readableAll ? UV_READABLE : 0) | (first.writableAll ? UV_WRITABLE : 0);
      if (mode !== 0) pathModes.set(this, mode);
    }
    return listen.apply(this, args);
  } as typeof net.Server.prototype.listen;
}

/**
 * Runs `listen`, which gives `server` its handle, without the `listening` that Node emits in the next tick where it finds one. Under plain
 * node a server has its address the moment `listen` returns; whether it listens, the master has to say first.
 */
export function listenSilently(server: net.Server, listen: () => void): void {
  const internals = server as unknown as { _handle: unknown };
  let handle: unknown = null;
  // Ticks run one after the other: nobody looks between these two but Node.
  process.nextTick(() => {
    handle = internals._handle;
    internals._handle = null;
  });
  listen();
  process.nextTick(() => {
    internals._handle = handle;
  });
}

/** What the seam's callback does with a handle, under an address of the caller's choice (it appears in error messages). */
export function listenThrough(
  server: net.Server,
  handle: ServerHandle,
  {
    address,
    port,
    addressType,
    backlog,
  }: { address: string; port: number | null; addressType: number; backlog: number },
): void {
  const internals = server as unknown as {
    _handle: ServerHandle;
    _listen2(address: string, port: number | null, addressType: number, backlog: number): void;
  };
  internals._handle = handle;
  internals._listen2(address, port, addressType, backlog);
}

/**
 * A cluster worker exits 0 the moment its channel closes: that listener is removed, so that orphans can drain.
 * Cluster's `message` and `disconnect` listeners also count as a reference to the channel each, which would keep a
 * finished script alive: removing the one gives its reference back, the other's is given back by hand.
 */
export function freeFromCluster(): void {
  process.removeAllListeners('disconnect'); // At this moment cluster's own is the only one.
  (process.channel as unknown as { unrefCounted?(): void } | undefined)?.unrefCounted?.();
}

/** Sockets that these servers have accepted and that are open still; of a TLS server, the ones beneath. */
export function acceptedSockets(servers: net.Server[]): net.Socket[] {
  const active = (process as unknown as { _getActiveHandles?(): unknown[] })._getActiveHandles?.() ?? [];
  return active.filter(
    (handle): handle is net.Socket =>
      handle instanceof net.Socket && servers.includes((handle as unknown as { server: net.Server }).server),
  );
}

/** Connections on a server right now, accepted and not closed; TLS handshakes among them. */
export function openConnections(server: net.Server): number {
  return (server as unknown as { _connections?: number })._connections ?? 0;
}
