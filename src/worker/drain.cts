/**
 * Runs in the worker. Retire: stop accepting, finish everything in flight, then end as the app wishes to end.
 * In steady state it only counts requests.
 *
 * An idle keep-alive connection moves to another worker (handover.cts). Where it cannot, it stays open; its next request is answered with
 * `Connection: close`, else the app's own keep-alive timeout ends it: a drain adds no close that would not have
 * happened. A stop has no successor to serve them, so there idle connections end once they have been idle for a moment.
 */
import type http = require('node:http');
import type net = require('node:net');

import { acceptedSockets } from '../node-internals/cluster-seam.cjs';
import { subscribe } from '../node-internals/diagnostics-subscribers.cjs';
import { endConnections, idleSockets, lastResponses, notePipelined } from '../node-internals/http-connections.cjs';
import { claimsUnderWay, noteRequest } from './adoption.cjs';
import { datagramsAnswered } from './datagrams.cjs';
import { callbacksUnderWay, callDrainCallbacks, endCallbacks } from './drain-callbacks.cjs';
import { tellNow } from './figures.cjs';
import { giveAllAway, giveIdle, handoffsUnderWay, keepTheRest } from './handover.cjs';
import { endSessions, sayFarewell, socketsOfSessions } from './http2-farewell.cjs';
import { streamFigures } from './http2-sessions.cjs';
import { endLast } from './last-end.cjs';
import { emptyQueues, releaseAll, servingServers } from './listen-seam.cjs';
import { connectionCount, stopReporting } from './load.cjs';
import { requestBegun } from './measure.cjs';
import { endParking } from './parking.cjs';
import { countRequest } from './request-count.cjs';
import { sendAway } from './send-away.cjs';
import { endAsTheAppWishes } from './signals.cjs';
import { isSayingGoodbye, openWebSockets, sayGoodbye } from './websockets.cjs';

/** How often a draining worker looks whether its last connection has gone, in ms. */
const LOOK_MS = 20;
/** On a stop: how long a connection must have been idle, so that a client about to send still gets its answer, in ms. */
const IDLE_BEFORE_CLOSE_MS = 1_000;
/**
 * After the deadline: what has been written may still go out, and the clients end their side, in ms. Half of `killTimeout` at most, the
 * app's handlers come after.
 */
const FLUSH_MS = 1_000;

let requestCount = 0;
let deadlineAt = Number.POSITIVE_INFINITY;
let closeIdleSince: number | null = null;
let retiring = false;
let looking: NodeJS.Timeout | null = null;
let killTimeoutMs = 5_000;
let closeSpreadMs = 5_000;
let spreadMs = 0;

type RequestStart = { socket: net.Socket; response: http.ServerResponse; server: http.Server };

/** Once, before the app runs. */
export function installDrain(options: { killTimeoutMs: number; closeSpreadMs: number }): void {
  killTimeoutMs = options.killTimeoutMs;
  closeSpreadMs = options.closeSpreadMs;
  subscribe('http.server.request.start', (message) => {
    const { socket, response, server } = message as RequestStart;
    requestCount += 1;
    requestBegun(socket, response);
    notePipelined(socket, response);
    noteRequest(socket, server);
    countRequest(server, socket, response);
  });
}

/** One of those counted was no request to the app. */
export function discountRequest(): void {
  requestCount -= 1;
}

export function figures(): { connections: number; inFlight: number; requests: number; webSockets: number } {
  const servers = servingServers();
  const streams = streamFigures();
  return {
    connections: connectionCount(),
    inFlight: servers.reduce((sum, server) => sum + lastResponses(server).length, streams.inFlight),
    requests: requestCount + streams.requests,
    webSockets: openWebSockets(),
  };
}

/** May be called again: a later deadline never moves an earlier one. */
export function retire(options: { deadlineMs: number; closeIdle: boolean; handover: boolean }): void {
  deadlineAt = Math.min(deadlineAt, performance.now() + options.deadlineMs);
  spreadMs = Math.min(closeSpreadMs, options.deadlineMs / 2);
  if (options.closeIdle && closeIdleSince === null) closeIdleSince = performance.now();
  if (!options.handover) keepTheRest();
  if (retiring) return;
  retiring = true;
  endParking();
  stopReporting();
  if (options.closeIdle) emptyQueues(() => performance.now() >= deadlineAt, beginDrain);
  else beginDrain(options.handover);
}

function beginDrain(handover = false): void {
  releaseAll(closeIdleSince !== null);
  callDrainCallbacks(Math.max(0, deadlineAt - performance.now()));
  if (handover) giveAllAway();
  sendAway();
  looking = setInterval(look, LOOK_MS);
  look();
}

const idleSince = new WeakMap<net.Socket, number>();

function look(): void {
  const now = performance.now();
  const servers = servingServers();
  if (closeIdleSince !== null) for (const server of servers) closeLongIdle(server, now);
  else giveIdle();
  const left = connectionCount() + handoffsUnderWay() + claimsUnderWay();
  const leftMs = deadlineAt - now;
  if (leftMs <= 0) endCallbacks();
  const isDone = left === 0 && (callbacksUnderWay() === 0 || leftMs <= 0);
  if ((datagramsAnswered(now) && isDone) || leftMs <= -Math.min(FLUSH_MS, killTimeoutMs / 2)) {
    end();
    return;
  }
  sayFarewell(now, leftMs <= spreadMs);
  if (leftMs <= spreadMs) sayGoodbye(leftMs, LOOK_MS);
  if (leftMs <= 0) endOthers(servers);
}

/** At each look after the deadline; what is ending already is let alone. */
function endOthers(servers: net.Server[]): void {
  for (const server of servers) endConnections(server);
  endSessions();
  const inSessions = socketsOfSessions();
  for (const socket of acceptedSockets(servers))
    if (!isSayingGoodbye(socket) && !inSessions.has(socket)) endLast(socket);
}

function end(): void {
  if (looking) clearInterval(looking);
  tellNow(); // The app's own way may end it by a signal, of which no 'exit' tells.
  endAsTheAppWishes(killTimeoutMs);
}

function closeLongIdle(server: net.Server, now: number): void {
  const idle = new Set(idleSockets(server));
  for (const socket of idle) {
    const since = idleSince.get(socket);
    if (since === undefined) idleSince.set(socket, now);
    else if (now - since >= IDLE_BEFORE_CLOSE_MS) socket.destroySoon();
  }
}
