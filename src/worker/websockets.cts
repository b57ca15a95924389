/**
 * Runs in the worker. Knows the WebSockets of the app's servers, and says goodbye to them near the end of a drain: close code
 * 1012, "service restart" (IANA WebSocket close code registry), so that their clients come back to a new worker. Never ends
 * one that has not been told first.
 */
import type http = require('node:http');
import type net = require('node:net');

/** How long a client may take to answer the close frame, in ms. */
const ANSWER_MS = 1_000;
const REASON = 'service restart';
/** A close frame from a server, unmasked (RFC 6455, 5.5.1): FIN and opcode 8, the length, the code, the reason. */
const CLOSE_FRAME = Buffer.concat([
  Buffer.from([0x88, 2 + REASON.length, 1012 >> 8, 1012 & 0xff]),
  Buffer.from(REASON),
]);

const open = new Set<net.Socket>();
const told = new WeakSet<net.Socket>();
const watched = new WeakSet<net.Server>();

/**
 * Remembers the WebSockets of `server` from now on. Listens to `upgrade` only while the app does: a server that nobody listens
 * on answers such requests as any other.
 */
export function watchWebSockets(server: net.Server): void {
  if (watched.has(server)) return;
  watched.add(server);
  const appListens = (): boolean => server.listeners('upgrade').some((listener) => listener !== remember);
  if (appListens()) server.prependListener('upgrade', remember);
  server.on('newListener', (name: string, listener: unknown) => {
    if (name === 'upgrade' && listener !== remember && !server.listeners('upgrade').includes(remember))
      server.prependListener('upgrade', remember);
  });
  server.on('removeListener', (name: string) => {
    if (name === 'upgrade' && !appListens()) server.removeListener('upgrade', remember);
  });
}

function remember(request: http.IncomingMessage, socket: net.Socket): void {
  if (!/^websocket$/i.test(request.headers.upgrade ?? '')) return;
  open.add(socket);
  socket.once('close', () => open.delete(socket));
}

export const openWebSockets = (): number => open.size;

/**
 * Called every `everyMs` near the end of a drain: tells some of the WebSockets that the service restarts, and all that are left
 * when `leftMs` is over. Each has the same chance at any moment of that time, so that their clients do not all come back at
 * once; one that opens meanwhile, or a deadline that moves closer, needs no plan to be mended.
 */
export function sayGoodbye(leftMs: number, everyMs: number): void {
  for (const socket of open)
    if (!told.has(socket) && Math.random() * Math.max(leftMs, 0) < everyMs) closeWebSocket(socket);
}

/** Told, and given a moment to answer; `socket` may be the one beneath a TLS socket. */
export const isSayingGoodbye = (socket: net.Socket): boolean => told.has(socket);

/**
 * The frame goes behind whatever has been written, so it never lands inside another one (libraries write a frame in one go).
 * The connection ends when the client has answered, or a second later: an end that comes with the frame is seen as code 1006.
 */
function closeWebSocket(socket: net.Socket): void {
  told.add(socket);
  const beneath = (socket as { _parent?: net.Socket | null })._parent;
  if (beneath) told.add(beneath);
  if (!socket.writable) return;
  socket.write(CLOSE_FRAME);
  setTimeout(() => socket.destroySoon(), ANSWER_MS);
}
