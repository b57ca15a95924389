/**
 * Runs in the worker. Measures each answer of the app's HTTP servers, once for all who want to know: the verdict's observe.cts, and figures.cts. While nobody
 * does, nothing here is on the way of a request. Requests that began before are not measured, so neither are probes, warm-ups and rehearsals, which end
 * before a worker takes traffic; where one reaches into it, its connection is left out.
 *
 * It is on the way of every request, so a connection has a note of its own, and a request none: no listener, no entry in a map. Answers leave a connection
 * in the order in which their requests came.
 */
import type http = require('node:http');
import type net = require('node:net');

import { subscribe, unsubscribe } from '../node-internals/diagnostics-subscribers.cjs';
import { beneath } from '../node-internals/raw-socket.cjs';
import type { Stream } from './http2-sessions.cjs';
import { watchStreams } from './http2-sessions.cjs';

export interface Taker {
  begun(): void;
  /** The answer is whole. */
  answered(ms: number, status: number): void;
  /** It was broken off: `byClient`, who had left by then, else by the app. `status`: of HTTP/2, where headers had gone out; else 0. */
  brokenOff(byClient: boolean, ms: number, status: number): void;
}

/** Of one connection. */
interface Note {
  /** Of the time in which it was made; of another one it says nothing. */
  epoch: number;
  underWay: number;
  /** When the oldest request under way began, and the pipelined ones behind it. */
  startedAt: number;
  later: number[] | null;
}

const NOTE = Symbol('zdsup.measured');
type Noted = net.Socket & { [NOTE]?: Note };

/** NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR: RFC 9113, section 7. */
const NO_ERROR = 0;
const INTERNAL_ERROR = 2;

/** Of a connection that has no place in any figure. */
const LEFT_OUT: Note = { epoch: -1, underWay: 0, startedAt: 0, later: null };

let takers: readonly Taker[] = [];
let epoch = 0;

export function measure(taker: Taker): void {
  if (takers.includes(taker)) return;
  takers = [...takers, taker];
  if (takers.length > 1) return;
  epoch += 1;
  subscribe('http.server.request.start', begun);
  subscribe('http.server.response.finish', finished);
  watchStreams(streamBegun);
}

export function measureNoMore(taker: Taker): void {
  if (!takers.includes(taker)) return;
  takers = takers.filter((one) => one !== taker);
  if (takers.length > 0) return;
  unsubscribe('http.server.request.start', begun);
  unsubscribe('http.server.response.finish', finished);
  watchStreams(null);
}

/** It is the master's own: a probe, a rehearsal. */
export function leaveOut(socket: net.Socket): void {
  (socket as Noted)[NOTE] = LEFT_OUT;
}

function begun(message: unknown): void {
  const { socket } = message as { socket: Noted };
  let note = socket[NOTE];
  if (note === LEFT_OUT) return;
  if (note === undefined || note.epoch !== epoch) {
    note = attend(socket, note);
    if (note === LEFT_OUT) return;
  }
  const now = performance.now();
  if (note.underWay === 0) note.startedAt = now;
  else if (note.later === null) note.later = [now];
  else note.later.push(now);
  note.underWay += 1;
  for (const taker of takers) taker.begun();
}

function attend(socket: Noted, last: Note | undefined): Note {
  const note: Note =
    (beneath(socket) as Noted | null)?.[NOTE] === LEFT_OUT
      ? LEFT_OUT
      : { epoch, underWay: 0, startedAt: 0, later: null };
  socket[NOTE] = note;
  if (last === undefined && note !== LEFT_OUT) socket.on('close', closed);
  return note;
}

function finished(message: unknown): void {
  const { socket, response } = message as { socket: Noted; response: http.ServerResponse };
  const note = socket[NOTE];
  if (note === undefined || note.epoch !== epoch || note.underWay === 0) return;
  const ms = performance.now() - takeOldest(note);
  for (const taker of takers) taker.answered(ms, response.statusCode);
}

function takeOldest(note: Note): number {
  const { startedAt } = note;
  note.underWay -= 1;
  if (note.underWay > 0) note.startedAt = note.later!.shift()!;
  return startedAt;
}

/** What was under way on it gets no answer any more. */
function closed(this: Noted): void {
  const note = this[NOTE];
  if (note === undefined || note.epoch !== epoch || note.underWay === 0) return;
  const byClient = hasClientLeft(this);
  const now = performance.now();
  while (note.underWay > 0) {
    const ms = now - takeOldest(note);
    for (const taker of takers) taker.brokenOff(byClient, ms, 0);
  }
}

/** It had ended its side, or was not to be reached: then nobody's fault but its own. */
function hasClientLeft(socket: net.Socket): boolean {
  const code = (socket.errored as NodeJS.ErrnoException | null)?.code;
  return socket.readableEnded || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT';
}

function streamBegun(stream: Stream): void {
  const startedAt = performance.now();
  const begunIn = epoch;
  for (const taker of takers) taker.begun();
  stream.once('close', () => {
    if (begunIn !== epoch) return;
    const ms = performance.now() - startedAt;
    const status = Number(stream.sentHeaders?.[':status'] ?? 0);
    if (stream.rstCode === NO_ERROR && status > 0) for (const taker of takers) taker.answered(ms, status);
    else for (const taker of takers) taker.brokenOff(stream.rstCode !== INTERNAL_ERROR, ms, status);
  });
}
