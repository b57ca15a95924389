/**
 * Runs in the worker. What Node's HTTP server knows of its connections and does not tell: which are idle, which response
 * is the last one asked for. Read only while draining or when somebody asks for figures: a request in steady state
 * costs nothing here. Every access is guarded: where a Node has it differently, connections drain by themselves.
 */
import type http = require('node:http');
import type net = require('node:net');

interface Parser {
  socket?: HttpSocket | null;
  incoming?: http.IncomingMessage | null;
  onIncoming?: (request: http.IncomingMessage) => number;
}

export interface ConnectionsList {
  all(): Parser[];
  idle(): Parser[];
  active(): Parser[];
  /** Those whose head, or whole request, is late by so many ms; they are out of `active` from then on. */
  expired?(headersTimeout: number, requestTimeout: number): Parser[];
}

const LAST_PIPELINED = Symbol('zdsup.lastPipelined');
const READ_BEFORE = Symbol('zdsup.readBefore');

type HttpSocket = net.Socket & {
  _httpMessage?: http.ServerResponse | null;
  parser?: Parser | null;
  [LAST_PIPELINED]?: http.ServerResponse;
  [READ_BEFORE]?: number | undefined;
};

type OutgoingInternals = http.ServerResponse & {
  _storeHeader(firstLine: string, headers: unknown): void;
  _header: string | null;
  _last: boolean;
};

const LIST = 'http.server.connections';

/** Null where this Node, or this server, has none. */
export function connectionsList(server: object): ConnectionsList | null {
  const symbol = Object.getOwnPropertySymbols(server).find((candidate) => candidate.description === LIST);
  const list = symbol === undefined ? undefined : (server as Record<symbol, unknown>)[symbol];
  return typeof (list as ConnectionsList | undefined)?.idle === 'function' ? (list as ConnectionsList) : null;
}

const socketsOf = (parsers: Parser[]): HttpSocket[] =>
  parsers.map((parser) => parser.socket).filter((socket): socket is HttpSocket => socket != null);

/** By server: connections that came from elsewhere between two requests, and have not had the next one. In Node's lists they are not idle. */
const resting = new WeakMap<object, Set<HttpSocket>>();

/** The connection has been put into `server` between two requests. */
export function beginRest(server: object, socket: HttpSocket): void {
  const its = resting.get(server) ?? new Set();
  resting.set(server, its.add(socket));
  socket[READ_BEFORE] = socket.bytesRead;
  socket.once('close', () => endRest(server, socket));
}

/** Nothing has come since, not even a part of its next request. */
export const rests = (socket: HttpSocket): boolean => socket[READ_BEFORE] === socket.bytesRead;

/** Its next request has come. @returns whether it was at rest */
export function endRest(server: object, socket: HttpSocket): boolean {
  if (socket[READ_BEFORE] === undefined) return false;
  socket[READ_BEFORE] = undefined; // Not deleted: V8 would look up all else of the socket in a dictionary from then on.
  return resting.get(server)?.delete(socket) ?? false;
}

/** It has had requests, here or elsewhere. */
export const wasUsed = (socket: HttpSocket): boolean => socket.bytesRead > 0 || socket[READ_BEFORE] !== undefined;

/**
 * Connections between requests, or before their first: nothing asked, nothing owed, no half head. Empty where it cannot
 * be told. Node's own list counts one that was never used here as busy, since its headers are awaited.
 */
export function idleSockets(server: object): net.Socket[] {
  const list = connectionsList(server);
  if (list === null) return [];
  const unused = socketsOf(list.all()).filter((socket) => socket.bytesRead === 0);
  const atRest = [...(resting.get(server) ?? [])].filter(rests);
  return [...new Set([...socketsOf(list.idle()), ...unused, ...atRest])].filter(
    (socket) => socket._httpMessage == null,
  );
}

/** Connections that have requests, one after the other, and rest in between: not those that were upgraded, nor those with a stream of events. */
export function requestingCount(server: object): number {
  const sockets = socketsOf(connectionsList(server)?.all() ?? []);
  return sockets.filter(({ _httpMessage: response }) => !(response && isEventStream(response))).length;
}

/**
 * The last response that each connection is owed right now. Most are owed one; where requests were pipelined, those between
 * the first and the last are left out.
 */
export function lastResponses(server: object): http.ServerResponse[] {
  const list = connectionsList(server);
  if (list === null) return [];
  return socketsOf(list.all()).flatMap((socket) => {
    if (!socket._httpMessage) return [];
    const pipelined = socket[LAST_PIPELINED];
    return [pipelined && !pipelined.writableFinished ? pipelined : socket._httpMessage];
  });
}

/**
 * Ends the HTTP connections of `server` at the end of a drain. What has no end of its own, a stream of server-sent events, gets a
 * clean one; an answer that is cut off must look cut off.
 */
export function endConnections(server: object): void {
  const list = connectionsList(server);
  if (list === null) {
    (server as Partial<http.Server>).closeAllConnections?.();
    return;
  }
  for (const socket of socketsOf(list.all())) {
    if (socket.writableEnded) continue; // Its last bytes are on their way.
    const response = socket._httpMessage;
    if (response && isEventStream(response)) {
      response.end();
      socket.destroySoon();
    } else socket.destroy();
  }
}

const isEventStream = (response: http.ServerResponse): boolean =>
  /\r\ncontent-type: *text\/event-stream/i.test((response as OutgoingInternals)._header ?? '');

/** Where a request starts on it, an earlier one has not been answered. */
export const owesResponse = (socket: net.Socket): boolean => (socket as HttpSocket)._httpMessage != null;

/**
 * Called for every request, as it starts: remembers a response that waits behind another one. Node keeps its queue to
 * itself. A connection that does not pipeline costs one look, and holds on to nothing.
 */
export function notePipelined(socket: net.Socket, response: http.ServerResponse): void {
  if ((socket as HttpSocket)._httpMessage) (socket as HttpSocket)[LAST_PIPELINED] = response;
}

/**
 * Makes `response` say `Connection: close`, and the connection end after it, if it is the last one at the moment its
 * header is written. Decided that late because only then is known what came behind it:
 * - a later pipelined request was parsed: closing now would drop it;
 * - the request's body is still arriving: closing under a client that writes resets it;
 * - half of a next head has come: as the first.
 * In these cases the connection stays open, and its next request gets the same treatment.
 */
export function closeAfter(response: http.ServerResponse): void {
  const outgoing = response as OutgoingInternals;
  if (outgoing._header !== null || typeof outgoing._storeHeader !== 'function') return;
  const storeHeader = outgoing._storeHeader;
  outgoing._storeHeader = function (this: OutgoingInternals, firstLine, headers) {
    storeHeader.call(this, firstLine, headers);
    if (typeof this._header !== 'string' || this._last || !isLastRequest(this)) return;
    const head = this._header;
    if (/\r\nconnection:(?! *keep-alive)/i.test(head)) return; // An upgrade, say.
    this._header = `${head.replace(/\r\n(connection|keep-alive):[^\r]*/gi, '').slice(0, -2)}Connection: close\r\n\r\n`;
    this._last = true;
    this.shouldKeepAlive = false;
    if (this.req.socket) endInOrder(this.req.socket);
  };
}

/** How long the client may take to end its side, in ms. */
const CLIENT_ENDS_MS = 1_000;

/**
 * After its last response Node closes a connection at once. Where a request comes at that moment, the kernel answers with a reset,
 * which takes the response along that is on its way. So the end is said (FIN, or close_notify), and what still comes is read and
 * not looked at until the client has ended too (RFC 9112, 9.6): it was told that none but what is answered was served.
 */
function endInOrder(socket: HttpSocket): void {
  socket.destroySoon = () => {
    const { parser } = socket;
    if (parser)
      parser.onIncoming = (request) => {
        request.resume();
        return 0;
      };
    socket.end();
    const timer = setTimeout(() => socket.destroy(), CLIENT_ENDS_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('end', () => socket.destroy());
  };
}

function isLastRequest(response: http.ServerResponse): boolean {
  const socket = response.req.socket as HttpSocket | null;
  const parser = socket?.parser;
  if (!socket || !parser || !response.req.complete) return false;
  if (parser.incoming != null && parser.incoming !== response.req) return false;
  const server = (socket as unknown as { server?: object }).server;
  const list = server ? connectionsList(server) : null;
  return list === null || !list.active().includes(parser);
}
