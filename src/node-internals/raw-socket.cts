/**
 * Runs in the worker. What a socket does not offer by itself: the TLS socket over an accepted one, and to read on with nobody listening.
 */
import type net = require('node:net');

type Internals = net.Socket & {
  _parent?: net.Socket | null;
  _handle?: { reading?: boolean; readStart?(): number } | null;
};

/** The accepted socket beneath a TLS socket. */
export const beneath = (socket: net.Socket): net.Socket | null => (socket as Internals)._parent ?? null;

/** The server that accepted it. */
export const serverOf = (socket: net.Socket): net.Server | undefined =>
  (socket as unknown as { server?: net.Server }).server;

/** Whatever still comes is read and dropped, also where the app has paused the socket; its end is seen. */
export function dropInput(socket: net.Socket): void {
  const push = socket.push;
  socket.push = function (this: net.Socket, chunk: unknown, encoding?: BufferEncoding) {
    if (chunk !== null) return true;
    setImmediate(() => {
      // Both sides have ended; what the app has left unread must not keep it open.
      if (socket.writableFinished) socket.destroy();
      else socket.once('finish', () => socket.destroy());
    });
    return push.call(this, null, encoding);
  };
  const handle = (socket as Internals)._handle;
  if (!handle?.readStart || handle.reading) return;
  handle.reading = true;
  handle.readStart();
}
