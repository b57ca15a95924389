/**
 * Runs in the worker, while it drains. The end of a TLS connection whose HTTP/2 session is over: its client may end it first. A
 * close_notify that a client of Node before 26 reads in one go with the last frames makes it drop what its app has not read
 * yet, and the app sees a short answer without an error. With the frames alone it stops reading until its app is done, and then
 * ends the connection by itself. See docs/adr/0008.
 */
import type net = require('node:net');

import { carriersOf } from '../node-internals/http2-wire.cjs';
import type { Session } from './http2-sessions.cjs';

/** How long the client may take, in ms: it has to read the frames only, its app may be slower. */
const CLIENT_FIRST_MS = 1_000;

const known = new WeakSet<Session>();

/** May be called again and again. In clear text the client has stopped reading by then, its FIN is a read of its own. */
export function letClientEndFirst(session: Session): void {
  if (known.has(session) || !session.encrypted) return;
  known.add(session);
  const [socket] = carriersOf(session);
  if (socket) holdEnd(socket, () => session.destroyed && session.closed);
}

/**
 * The first `end()` of `socket`, the session's, waits where `isInOrder`; the second does not: it is the answer to the client's end, or
 * that of the drain deadline.
 */
function holdEnd(socket: net.Socket, isInOrder: () => boolean): void {
  const end = socket.end;
  socket.end = (...args: unknown[]) => {
    const endNow = (): net.Socket => {
      socket.end = end;
      return Reflect.apply(end, socket, args) as net.Socket;
    };
    if (!isInOrder() || socket.readableEnded) return endNow();
    const timer = setTimeout(endNow, CLIENT_FIRST_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.end = () => {
      clearTimeout(timer);
      return endNow();
    };
    return socket;
  };
}
