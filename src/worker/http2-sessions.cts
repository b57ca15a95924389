/**
 * Runs in the worker. Knows the HTTP/2 sessions of the app's servers and counts their streams. Never loads `node:http2`: an
 * app that does not use it has no such server, and is told by what only such a server has.
 */
import type http2 = require('node:http2');
import type net = require('node:net');

import { openStreams } from '../node-internals/http2-wire.cjs';

export type Session = http2.ServerHttp2Session;
export type Stream = http2.ServerHttp2Stream;

const sessions = new Set<Session>();
const watched = new WeakSet<net.Server>();
const lastStreamAt = new WeakMap<Session, number>();
let streamCount = 0;
let isTimed = false;
let watcher: ((stream: Stream) => void) | null = null;

/** Remembers the sessions of `server` from now on, where it is one of HTTP/2; called before it accepts anything. */
export function watchSessions(server: net.Server): void {
  if (!('updateSettings' in server) || watched.has(server)) return;
  watched.add(server);
  server.prependListener('session', remember);
  server.prependListener('stream', count);
}

function remember(session: Session): void {
  sessions.add(session);
  session.once('close', () => sessions.delete(session));
}

function count(stream: Stream): void {
  streamCount += 1;
  watcher?.(stream);
  if (isTimed && stream.session) lastStreamAt.set(stream.session as Session, performance.now());
}

/** Told of every stream as it begins; null: nobody is any more. */
export function watchStreams(next: typeof watcher): void {
  watcher = next;
}

/** From now on the time of each session's last stream is kept: only a drain wants to know. */
export function timeStreams(): void {
  isTimed = true;
}

/** When `session` was asked last since `timeStreams`; -Infinity where nothing came. */
export const lastAskedAt = (session: Session): number => lastStreamAt.get(session) ?? Number.NEGATIVE_INFINITY;

/** Those whose socket is still open, among them sessions that have ended. */
export const knownSessions = (): Iterable<Session> => sessions;

/** Streams that are open now, and all that there have been: what requests are in HTTP/1. */
export function streamFigures(): { inFlight: number; requests: number } {
  let inFlight = 0;
  for (const session of sessions) inFlight += openStreams(session).length;
  return { inFlight, requests: streamCount };
}
