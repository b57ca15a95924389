/**
 * Runs in the worker, while it drains. Says goodbye to HTTP/2 sessions so that no stream is lost: first a notice, a GOAWAY that
 * names no stream, behind which the client opens no more here and those on their way are served; then the session's own
 * `close()`, which names the last stream and lets the open ones finish. A `close()` alone drops what the client sent before
 * it read of it. The connection behind it is the client's to end first. Cuts nothing before the drain deadline. See docs/adr/0008.
 */
import type net = require('node:net');

import { carriersOf, openStreams, writeBetweenFrames } from '../node-internals/http2-wire.cjs';
import { emptyFrame, goawayFrame, HIGHEST_STREAM_ID } from './http2-frames.cjs';
import { letClientEndFirst } from './http2-last-end.cjs';
import type { Session } from './http2-sessions.cjs';
import { knownSessions, lastAskedAt, timeStreams } from './http2-sessions.cjs';

/** From the notice to the close at least, and without a new stream before it, in ms: the client's HEADERS may overtake its PING's answer. */
const QUIET_MS = 100;
/** How long a client may take for what most do at once, to confirm the settings or to answer a PING, in ms. */
const PATIENCE_MS = 5_000;
/** CANCEL (RFC 9113, 7). */
const CANCEL = 8;

interface Farewell {
  /** When it was seen first, then when the notice was written. */
  since: number;
  stage: 'waiting' | 'writing' | 'told';
  /** The client has read the notice. */
  isRead: boolean;
}

const farewells = new WeakMap<Session, Farewell>();
const ended = new WeakSet<object>();

export function beginFarewell(): void {
  timeStreams();
}

/**
 * Called again and again from `beginFarewell` on; takes in sessions that come meanwhile. With `isLate`, a client that goes on
 * opening streams is not waited for any longer.
 */
export function sayFarewell(now: number, isLate: boolean): void {
  sayTo(knownSessions(), now, isLate);
}

/**
 * Of a worker that takes traffic again: sessions that have begun to be told are told to the end, for their clients open no more streams in them. Called again and
 * again; the others stay.
 * @returns whether one of them is left
 */
export function finishFarewell(now: number): boolean {
  const begun = [...knownSessions()].filter(
    (session) => farewells.has(session) && !session.closed && !session.destroyed,
  );
  sayTo(begun, now, false);
  return begun.length > 0;
}

function sayTo(sessions: Iterable<Session>, now: number, isLate: boolean): void {
  for (const session of sessions) {
    if (!session.destroyed) letClientEndFirst(session); // Also one that the client has told to end.
    if (session.closed || session.destroyed) continue;
    const farewell = farewells.get(session) ?? { since: now, stage: 'waiting', isRead: false };
    farewells.set(session, farewell);
    const sinceMs = now - farewell.since;
    if (farewell.stage === 'told') {
      const isQuiet = isLate || (now - lastAskedAt(session) >= QUIET_MS && (farewell.isRead || sinceMs >= PATIENCE_MS));
      if (sinceMs >= QUIET_MS && isQuiet) session.close();
    } else if (farewell.stage === 'waiting') {
      // Before the client has confirmed the settings it may not even have got them, and they have to come first.
      if (!session.connecting && !session.pendingSettingsAck) notify(session, farewell);
      else if (isLate || sinceMs >= PATIENCE_MS) session.close();
    }
  }
}

function notify(session: Session, farewell: Farewell): void {
  farewell.stage = 'writing';
  writeBetweenFrames(session, goawayFrame(HIGHEST_STREAM_ID), emptyFrame(), (outcome) => {
    if (outcome === 'later') {
      farewell.stage = 'waiting';
      return;
    }
    farewell.stage = 'told'; // Also where it can never be written: then it is closed without.
    farewell.since = performance.now();
    if (outcome === 'written' && !session.destroyed && !session.closed)
      session.ping((error) => {
        farewell.isRead = error === null;
      });
  });
}

/**
 * At each look after the drain deadline. What has no end of its own, a stream of server-sent events, gets a clean one; an answer
 * that is cut off must look cut off. A session ends by itself behind its last stream.
 */
export function endSessions(): void {
  for (const session of knownSessions()) {
    if (session.destroyed) continue;
    for (const stream of openStreams(session)) {
      if (stream.writableEnded || ended.has(stream)) continue; // Its last bytes are on their way.
      ended.add(stream);
      if (isEventStream(stream)) stream.end();
      else stream.close(CANCEL);
    }
    if (!session.closed) session.close();
  }
}

const isEventStream = (stream: { sentHeaders?: Record<string, unknown> }): boolean =>
  /^text\/event-stream/i.test(String(stream.sentHeaders?.['content-type'] ?? ''));

/** Sockets that a session has not done with. */
export function socketsOfSessions(): Set<net.Socket> {
  const sockets = new Set<net.Socket>();
  for (const session of knownSessions())
    if (!session.destroyed) for (const socket of carriersOf(session)) sockets.add(socket);
  return sockets;
}
