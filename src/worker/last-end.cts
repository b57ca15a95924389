/**
 * Runs in the worker. The end of a connection that has none of its own, at the drain deadline: what was written goes out, then a FIN (TLS: a
 * close_notify before it), and what the client still sends is read and dropped until it has ended as well. To close with
 * unread data would reset the connection, and take what is on its way to the client along.
 */
import type net = require('node:net');

import { beneath, dropInput, serverOf } from '../node-internals/raw-socket.cjs';

const secured = new WeakMap<net.Socket, net.Socket>();
const ending = new WeakSet<net.Socket>();

const isSecure = (server: net.Server | undefined): boolean => server !== undefined && 'setSecureContext' in server;

/** Remembers which TLS socket is over which accepted one. */
export function watchSecureSockets(server: net.Server): void {
  if (!isSecure(server)) return;
  server.prependListener('secureConnection', (socket: net.Socket) => {
    const accepted = beneath(socket);
    if (accepted) secured.set(accepted, socket);
  });
}

/** `accepted` may be called with again and again. */
export function endLast(accepted: net.Socket): void {
  const socket = secured.get(accepted) ?? accepted;
  if (ending.has(socket) || socket.writableEnded || socket.destroyed) return;
  ending.add(socket);
  if (socket === accepted && isSecure(serverOf(accepted))) {
    accepted.destroySoon(); // In its handshake still.
    return;
  }
  dropInput(socket);
  socket.end();
  takeNoMore(socket);
}

/** An app that writes on would get an error event, which most do not expect of a socket that is open. */
function takeNoMore(socket: net.Socket): void {
  const refuse = (args: unknown[]): void => {
    const done = args.findLast((arg) => typeof arg === 'function') as ((error: Error) => void) | undefined;
    if (done) process.nextTick(done, new Error('the connection ends: its worker has reached its drain deadline'));
  };
  socket.write = (...args: unknown[]) => {
    refuse(args);
    return false;
  };
  socket.end = (...args: unknown[]) => {
    refuse(args);
    return socket;
  };
}
