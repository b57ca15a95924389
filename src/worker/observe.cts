/**
 * Runs in the worker. While the master wants to know, it counts what comes of the requests: how many, how many failed, how long they took, and for how long
 * the event loop was held up. While it does not, nothing here is on the way of a request. Requests that began before are not counted, so neither are probes,
 * warm-ups and rehearsals, which end before a worker takes traffic.
 */
import type http = require('node:http');
import type net = require('node:net');

import { subscribe, unsubscribe } from '../node-internals/diagnostics-subscribers.cjs';
import { BUCKET_COUNT, bucketOf } from '../shared/latency-buckets.js';
import { tell } from './channel.cjs';
import { figures } from './drain.cjs';
import type { Stream } from './http2-sessions.cjs';
import { watchStreams } from './http2-sessions.cjs';

/** All workers of a host tell at the same instants, so that what they tell is of the same time. In ms. */
const EVERY_MS = 500;
/** So many requests of a process are slow in any release: its code is not compiled yet. How long they took is not counted. */
const COLD_REQUESTS = 50;
/**
 * How often the event loop is looked at, in ms. By a timer of its own: `monitorEventLoopDelay` of node:perf_hooks forgets its last look with each reset, and so
 * a block that follows within 20 ms; and to load it costs a serving worker some ms.
 */
const LOOK_MS = 20;
/** NGHTTP2_INTERNAL_ERROR: RFC 9113, section 7. */
const INTERNAL_ERROR = 2;

type Exchange = { response: http.ServerResponse };

const counts = new Uint32Array(BUCKET_COUNT);
/** Responses that have begun since, and when. */
const underWay = new Map<http.ServerResponse, number>();
let requests = 0;
let failed = 0;
let coldLeft = 0;
let timer: NodeJS.Timeout | null = null;
let looking: NodeJS.Timeout | null = null;
let lookedAt = 0;
let longestMs = 0;

/** @param withLoop look at the event loop as well, 50 times a second: for a verdict */
export function observe(on: boolean, withLoop: boolean): void {
  if (on && withLoop) beginLoop();
  if (on === (timer !== null)) return;
  if (on) begin();
  else end();
}

function begin(): void {
  forget();
  coldLeft = Math.max(0, COLD_REQUESTS - figures().requests);
  subscribe('http.server.request.start', begun);
  subscribe('http.server.response.finish', finished);
  watchStreams(streamBegun);
  tellNext();
}

function beginLoop(): void {
  if (looking) return;
  lookedAt = performance.now();
  longestMs = 0;
  looking = setInterval(look, LOOK_MS).unref();
}

function look(): void {
  const now = performance.now();
  longestMs = Math.max(longestMs, now - lookedAt);
  lookedAt = now;
}

function end(): void {
  if (timer) clearTimeout(timer);
  timer = null;
  unsubscribe('http.server.request.start', begun);
  unsubscribe('http.server.response.finish', finished);
  watchStreams(null);
  if (looking) clearInterval(looking);
  looking = null;
  underWay.clear();
}

function begun(message: unknown): void {
  underWay.set((message as Exchange).response, performance.now());
}

function finished(message: unknown): void {
  const { response } = message as Exchange;
  const startedAt = underWay.get(response);
  if (startedAt === undefined) return;
  underWay.delete(response);
  count(performance.now() - startedAt, response.statusCode >= 500);
}

function streamBegun(stream: Stream): void {
  const startedAt = performance.now();
  stream.once('close', () => {
    const status = Number(stream.sentHeaders?.[':status'] ?? 0);
    if (stream.rstCode === INTERNAL_ERROR) countFailure();
    else if (status > 0) count(performance.now() - startedAt, status >= 500);
  });
}

function count(ms: number, hasFailed: boolean): void {
  requests += 1;
  if (hasFailed) failed += 1;
  if (coldLeft > 0) coldLeft -= 1;
  else counts[bucketOf(ms)]! += 1;
}

function countFailure(): void {
  requests += 1;
  failed += 1;
}

/** Looked for here and not as it happens: a listener on each response would cost more than all the rest. */
function countBrokenOff(): void {
  for (const response of underWay.keys()) {
    const { socket } = response.req as { socket: net.Socket | null };
    if (!response.destroyed && socket?.destroyed !== true) continue;
    underWay.delete(response);
    if (socket && !hasClientLeft(socket)) countFailure();
  }
}

/** It had ended its side, or was not to be reached: then nobody's fault but its own. */
function hasClientLeft(socket: net.Socket): boolean {
  const code = (socket.errored as NodeJS.ErrnoException | null)?.code;
  return socket.readableEnded || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT';
}

function tellNext(): void {
  timer = setTimeout(
    () => {
      tellNext();
      tellNow();
    },
    EVERY_MS - (Date.now() % EVERY_MS),
  ).unref();
}

function tellNow(): void {
  countBrokenOff();
  const latency: number[] = [];
  for (const [bucket, many] of counts.entries()) if (many > 0) latency.push(bucket, many);
  tell({ act: 'observed', requests, failed, latency, heldUpMs: heldUpMs() });
  forget();
}

/** What is above the pause between two looks. */
function heldUpMs(): number {
  if (!looking) return 0;
  look();
  const most = longestMs;
  longestMs = 0;
  return Math.max(0, Math.round(most - LOOK_MS));
}

function forget(): void {
  requests = 0;
  failed = 0;
  counts.fill(0);
}
