/**
 * Runs in the worker. Measures each answer of the app's HTTP servers, once for all who want to know: the verdict's observe.cts, and figures.cts. Requests that
 * began before are not measured, so neither are probes, warm-ups and rehearsals, which end before a worker takes traffic; where one reaches into it, its
 * connection is left out.
 *
 * While nobody wants to know, a request costs one look. A connection has the place of its note from its first request on all the same: one that came by it
 * later would be of another shape to V8, which then throws away what it has compiled of Node's sockets, in the middle of the traffic.
 *
 * It is on the way of every request, so a connection has a note of its own, and a request none: no listener, no entry in a map. Answers leave a connection
 * in the order in which their requests came.
 */
import type http = require('node:http');
import type net = require('node:net');

import { owesResponse } from '../node-internals/http-connections.cjs';
import { beneath } from '../node-internals/raw-socket.cjs';
import { onResponseFinished } from '../node-internals/response-finish.cjs';
import type { Stream } from './http2-sessions.cjs';
import { watchStreams } from './http2-sessions.cjs';

/** How long a request took that nobody has timed. */
export const UNTIMED = -1;

export interface Taker {
  /** It adds up: it is told of no end whose beginning it was not told of. Those of before are then told to nobody. */
  isExact: boolean;
  begun(): void;
  /** The answer is whole. @param ms {@link UNTIMED} of some, where the taker has asked for that */
  answered(ms: number, status: number): void;
  /** It was broken off: `byClient`, who had left by then, else by the app. `status`: of HTTP/2, where headers had gone out; else 0. */
  brokenOff(byClient: boolean, ms: number, status: number): void;
}

/** Of one connection. */
interface Note {
  /** Of the time in which it was made; of another one it says nothing. */
  epoch: number;
  underWay: number;
  /** When the oldest request under way began, {@link UNTIMED} of one that is not timed, and the pipelined ones behind it. */
  startedAt: number;
  later: number[] | null;
  /** The first one that is measured, where others are owed before it; null once they have left. */
  since: http.ServerResponse | null;
}

const NOTE = Symbol('zdsup.measured');
type Noted = net.Socket & { [NOTE]?: Note };

/** NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR: RFC 9113, section 7. */
const NO_ERROR = 0;
const INTERNAL_ERROR = 2;

// Kept from before the app runs: it may put another one in its place.
const { hrtime } = process;
const { random } = Math;

/** The clock is what a request costs most here: `performance.now` takes half as long again (Node 20). */
function nowMs(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** A time that is no whole number from the first on: V8 gives all notes one shape. */
function noteOf(epoch: number): Note {
  return { epoch, underWay: 0, startedAt: Number.NaN, later: null, since: null };
}

/** Of a connection that has no place in any figure. */
const LEFT_OUT = noteOf(-1);
/** Of one on which nothing was measured yet. */
const UNMEASURED = noteOf(-1);

/** Those who want to know; there are no more than two, and a list would cost each request more. */
let first: Taker | null = null;
let second: Taker | null = null;
let epoch = 0;
/** Of responses: from the first request on, for a worker may have no HTTP server at all. */
let hearNoMore: (() => void) | null = null;
/** Of so many requests one is timed, as far as the only taker is concerned; and so many are left out until then. */
let oneOf = 1;
let untimed = 0;

/**
 * To read the clock twice is half of what a request costs here. Which of them are timed is left to chance, so that no pattern in what an app is asked
 * can hide from it.
 * @param count 1: all are. Where there is a second taker, all are as well
 */
export function timeOneOf(count: number): void {
  oneOf = count;
  if (count === 1) untimed = 0;
}

export function measure(taker: Taker): void {
  if (taker === first || taker === second) return;
  if (first !== null) {
    second = taker;
    if (taker.isExact) epoch += 1;
    return;
  }
  first = taker;
  epoch += 1;
  watchStreams(streamBegun);
}

export function measureNoMore(taker: Taker): void {
  if (taker === second) second = null;
  if (taker !== first) return;
  first = second;
  second = null;
  if (first !== null) return;
  hearNoMore?.();
  hearNoMore = null;
  watchStreams(null);
}

/** It is the master's own: a probe, a rehearsal. */
export function leaveOut(socket: net.Socket): void {
  (socket as Noted)[NOTE] = LEFT_OUT;
}

/** Called for every request, as it starts. */
export function requestBegun(socket: Noted, response: http.ServerResponse): void {
  let note = socket[NOTE] ?? meet(socket);
  if (first === null || note === LEFT_OUT) return;
  if (note.epoch !== epoch) note = attend(socket, note, response);
  const now = startOfNext();
  if (note.underWay === 0) note.startedAt = now;
  else if (note.later === null) note.later = [now];
  else note.later.push(now);
  note.underWay += 1;
  first.begun();
  second?.begun();
}

function startOfNext(): number {
  if (untimed > 0 && second === null) {
    untimed -= 1;
    return UNTIMED;
  }
  if (oneOf > 1) untimed = Math.floor(random() * (2 * oneOf - 1));
  return nowMs();
}

/** With the first request of a connection, whether or not anybody wants to know. */
function meet(socket: Noted): Note {
  const note = (beneath(socket) as Noted | null)?.[NOTE] === LEFT_OUT ? LEFT_OUT : UNMEASURED;
  socket[NOTE] = note;
  return note;
}

function attend(socket: Noted, last: Note, response: http.ServerResponse): Note {
  hearNoMore ??= onResponseFinished(finished);
  const note = noteOf(epoch);
  if (owesResponse(socket)) note.since = response;
  socket[NOTE] = note;
  if (last === UNMEASURED) socket.on('close', closed);
  return note;
}

function finished(socket: Noted, response: http.ServerResponse): void {
  const note = socket[NOTE];
  if (note === undefined || note.epoch !== epoch || note.underWay === 0 || first === null) return;
  if (note.since !== null) {
    if (note.since !== response) return;
    note.since = null;
  }
  const startedAt = takeOldest(note);
  const ms = startedAt === UNTIMED ? UNTIMED : nowMs() - startedAt;
  const { statusCode } = response;
  first.answered(ms, statusCode);
  second?.answered(ms, statusCode);
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
  if (note === undefined || note.epoch !== epoch || note.underWay === 0 || first === null) return;
  const byClient = hasClientLeft(this);
  const now = nowMs();
  while (note.underWay > 0) {
    const startedAt = takeOldest(note);
    const ms = startedAt === UNTIMED ? UNTIMED : now - startedAt;
    first.brokenOff(byClient, ms, 0);
    second?.brokenOff(byClient, ms, 0);
  }
}

/** It had ended its side, or was not to be reached: then nobody's fault but its own. */
function hasClientLeft(socket: net.Socket): boolean {
  const code = (socket.errored as NodeJS.ErrnoException | null)?.code;
  return socket.readableEnded || code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT';
}

function streamBegun(stream: Stream): void {
  const startedAt = nowMs();
  const begunIn = epoch;
  first?.begun();
  second?.begun();
  stream.once('close', () => {
    if (begunIn !== epoch || first === null) return;
    const ms = nowMs() - startedAt;
    const status = Number(stream.sentHeaders?.[':status'] ?? 0);
    const isWhole = stream.rstCode === NO_ERROR && status > 0;
    const byClient = stream.rstCode !== INTERNAL_ERROR;
    for (const taker of [first, second]) {
      if (isWhole) taker?.answered(ms, status);
      else taker?.brokenOff(byClient, ms, status);
    }
  });
}
