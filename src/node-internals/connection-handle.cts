/**
 * Runs in the worker. What an HTTP/1.1 connection of Node's is made of, for its move to another process: the handle beneath the
 * socket, the parser that reads from it. Every access is guarded: where a Node or an app has it differently, the connection stays.
 */
import type http = require('node:http');
import net = require('node:net');

import { beginRest, connectionsList, endRest, rests } from './http-connections.cjs';
import type { ServerHandle } from './server-handle.cjs';

/** The connection itself, as libuv has it; it can be sent. */
export interface ConnectionHandle {
  readStop(): number;
  close(): void;
  reading?: boolean;
  bytesRead?: number;
  bytesWritten?: number;
  writeQueueSize?: number;
  _consumed?: boolean;
}

type Socket = net.Socket & {
  _handle: ConnectionHandle | null;
  _httpMessage?: unknown;
  /** The server that has accepted it. */
  _server?: unknown;
  server?: unknown;
  parser?: { socket?: unknown; _consumed?: boolean } | null;
};

// Kept from before the app runs: it may put another one in its place.
const { Socket } = net;
/** What an app that has these of its own on a socket has wrapped. */
const OWN_WAYS = ['write', 'end', 'destroy', '_destroy', 'emit', 'push', 'read'];
const OWNER = 'owner_symbol';
/** Node takes a longer one for 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Null where connections of an HTTP `server` are as Node makes them, else what is different, for people. */
export function whyFixed(server: net.Server): string | null {
  if (net.Socket !== Socket) return 'the app has replaced net.Socket';
  if (Object.hasOwn(server, 'emit')) return "the app has replaced its server's emit";
  if (!server.listeners('connection').some((listener) => listener.name === 'connectionListener'))
    return "the app has a connection handler in the place of Node's";
  return connectionsList(server) === null
    ? `Node ${process.version} keeps its connections otherwise than expected`
    : null;
}

/** Null where Node's parser alone reads from the socket, else what is different, for people. */
export function whySocketFixed(socket: net.Socket): string | null {
  const { parser, _handle: handle, server, _server: accepter } = socket as Socket;
  // A TLS server of the app's in front of this one, say: its handles cannot be sent, and what else it knows of them stays behind.
  if (accepter !== server) return 'the app gives the sockets of one server to another';
  if (OWN_WAYS.some((name) => Object.hasOwn(socket, name))) return 'the app has wrapped its sockets';
  if (parser?.socket !== socket || !parser._consumed || !handle?._consumed)
    return 'the app reads from its sockets by itself';
  return typeof handle.readStop === 'function' ? null : 'its sockets are of no kind that can be moved';
}

/** Nothing unsent, nothing unread, both directions open. Whether the parser is between two requests, its list tells. */
export function isAtRest(socket: net.Socket): boolean {
  const { _handle: handle, _httpMessage: response } = socket as Socket;
  return (
    handle !== null &&
    response == null &&
    !socket.destroyed &&
    socket.readable &&
    socket.writable &&
    socket.writableLength === 0 &&
    socket.readableLength === 0 &&
    !(handle.writeQueueSize! > 0)
  );
}

/**
 * Takes the connection out of its socket, unread from this moment on. The app sees the socket close, as if the client had ended it; what it
 * asks of it afterwards (its address, how much was read) is answered as after any close.
 */
export function takeOut(socket: net.Socket): ConnectionHandle {
  const internals = socket as Socket;
  const handle = internals._handle!;
  handle.readStop();
  handle.reading = false;
  const { bytesRead, bytesWritten } = socket;
  void [socket.remoteAddress, socket.localAddress]; // Asked once, they are remembered.
  Object.defineProperties(socket, { bytesRead: { value: bytesRead }, bytesWritten: { value: bytesWritten } });
  internals._handle = null;
  socket.destroy();
  return handle;
}

/**
 * Gives `server` the connection as if it had been accepted through `standIn`.
 * @returns its socket; null where the server has dropped it
 */
export function putIn(standIn: ServerHandle, handle: ConnectionHandle): net.Socket | null {
  handle._consumed = false; // Back from a move that did not take place, the old parser has let go of it.
  standIn.onconnection?.call(standIn, 0, handle);
  const symbol = Object.getOwnPropertySymbols(handle).find(({ description }) => description === OWNER);
  const owner = symbol && (handle as unknown as Record<symbol, unknown>)[symbol];
  return owner instanceof Socket && (owner as Socket)._handle === handle ? owner : null;
}

/**
 * The timers of a connection between two requests: its keep-alive time-out begins anew. Node takes an unused connection for one whose head is
 * awaited, and would answer 408 after `headersTimeout` or `requestTimeout`: where one of them comes first, it is told of none that rests.
 */
export function awaitNextRequest(server: http.Server, socket: net.Socket): void {
  beginRest(server, socket);
  const { keepAliveTimeout, headersTimeout, requestTimeout } = server;
  const buffer = (server as { keepAliveTimeoutBuffer?: number }).keepAliveTimeoutBuffer ?? 0;
  const restMs = keepAliveTimeout > 0 ? keepAliveTimeout + buffer : Number.POSITIVE_INFINITY;
  if (keepAliveTimeout > 0) endAfter(server, socket, restMs);
  if ([headersTimeout, requestTimeout].some((limitMs) => limitMs > 0 && limitMs <= restMs)) neverExpire(server);
}

/**
 * Node takes the keep-alive time-out back with the first byte that comes. Of half a head, an upgrade or a CONNECT nobody is told, so a timer looks
 * once the time is over. Not the socket's own: that would go off in the hands of an app that has such a socket by then.
 */
function endAfter(server: http.Server, socket: net.Socket, restMs: number): void {
  socket.setTimeout(0);
  const look = (): void => {
    if (!rests(socket)) requestBegins(server, socket);
    else if (!socket.timeout) socket.emit('timeout'); // Unless the app has set a time of its own meanwhile.
  };
  const timer = setTimeout(look, Math.min(restMs, LONGEST_TIMER_MS)).unref();
  socket.once('close', () => clearTimeout(timer));
}

function neverExpire(server: http.Server): void {
  const list = connectionsList(server);
  if (list === null || typeof list.expired !== 'function' || Object.hasOwn(list, 'expired')) return;
  const { expired } = list;
  // To take the parser out of the list (`remove`) would be simpler; from Node 24 on it never answers again.
  list.expired = (...timeouts: number[]) =>
    (Reflect.apply(expired, list, timeouts) as ReturnType<typeof expired>).filter(
      ({ socket }) => !(socket && rests(socket)),
    );
}

/** A request has begun. Where it ends the rest of a connection that was put in: as Node does itself where the time-out was its own. */
export function requestBegins(server: http.Server, socket: net.Socket): void {
  if (endRest(server, socket)) socket.setTimeout(server.timeout || 0);
}
