/**
 * Runs in the worker. Connections that cannot move leave by themselves: one of HTTP/1.1 ends with its next response, which says so, a session
 * of HTTP/2 is told to open no more streams. Begun by a drain and by parking, and ended again where a parked worker takes traffic.
 */
import type http = require('node:http');
import type net = require('node:net');

import { subscribe, unsubscribe } from '../node-internals/diagnostics-subscribers.cjs';
import { closeAfter, lastResponses } from '../node-internals/http-connections.cjs';
import { willMove } from './handover.cjs';
import { beginFarewell } from './http2-farewell.cjs';
import { servingServers } from './listen-seam.cjs';

const REQUEST_BEGINS = 'http.server.request.start';

type RequestStart = { socket: net.Socket; response: http.ServerResponse; server: http.Server };

let sending = false;
const deferring = new WeakSet<net.Server>();

export function sendAway(): void {
  if (sending) return;
  sending = true;
  beginFarewell();
  for (const server of servingServers())
    for (const response of lastResponses(server)) endUnlessItMoves(server, response.req.socket, response);
  subscribe(REQUEST_BEGINS, requestBegins);
}

/** From now on connections stay; those that were told to end do. */
export function letStay(): void {
  if (!sending) return;
  sending = false;
  unsubscribe(REQUEST_BEGINS, requestBegins);
}

function requestBegins(message: unknown): void {
  // The server may be one that does not listen itself: the app gives it the sockets of another.
  const { socket, response, server } = message as RequestStart;
  endUnlessItMoves(server, socket, response);
}

function endUnlessItMoves(server: net.Server, socket: net.Socket, response: http.ServerResponse): void {
  if (willMove(socket)) return;
  deferRequests(server);
  closeAfter(response);
}

/**
 * A handler that answers at once would write its header before the rest of a pipelined batch is parsed, and close
 * on it. One turn later the whole batch is known. Not before it is needed: with an `emit` of its own a server is of another shape to V8, and its requests are
 * run uncompiled for a while (docs/adr/0027).
 */
function deferRequests(server: net.Server): void {
  if (deferring.has(server)) return;
  deferring.add(server);
  const emit = server.emit;
  server.emit = function (this: net.Server, name: string, ...args: unknown[]) {
    const isRequest = name === 'request' || name === 'checkContinue' || name === 'checkExpectation';
    if (!sending || !isRequest) return Reflect.apply(emit, this, [name, ...args]) as boolean;
    setImmediate(() => Reflect.apply(emit, this, [name, ...args]));
    return true;
  } as typeof server.emit;
}
