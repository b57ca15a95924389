/**
 * Runs in the worker. Gives idle HTTP/1.1 connections away: all of them while it drains, some where the master asks for it. Keeps its copy
 * of those that are under way until a receiver has claimed them; never says who gets them.
 *
 * A connection leaves between two requests, unread from that moment on, so that whatever the client sends waits in the kernel for its
 * next owner. The app sees it close.
 */
import type http = require('node:http');
import type net = require('node:net');

import type { ConnectionHandle } from '../node-internals/connection-handle.cjs';
import { isAtRest, takeOut, whyFixed, whySocketFixed } from '../node-internals/connection-handle.cjs';
import { idleSockets, wasUsed } from '../node-internals/http-connections.cjs';
import { onResponseFinished } from '../node-internals/response-finish.cjs';
import type { Passed } from '../shared/messages.cjs';
import { adopt, staysHere } from './adoption.cjs';
import { tell } from './channel.cjs';
import { noteGiven } from './figures.cjs';
import { keyOfServer, servingServers } from './listen-seam.cjs';
import { countAnew } from './load.cjs';
import { requestsOn } from './request-count.cjs';

/** Handoffs that no receiver has claimed yet. More would only wait, unread by anybody. */
const MOST_UNDER_WAY = 16;
/** How long a request of the master's to give some away holds, in ms: by then it knows better how many there should be. */
const GIVING_MS = 400;
/** After so long without an answer the master is asked whether a handoff has reached it: without a free descriptor it cannot have. In ms. */
const ASK_AFTER_MS = 1_000;

/** Set to false on a server, its connections stay with their worker: authentication that is bound to the connection, say. */
const OPT_OUT = Symbol.for('zdsup.handover');

interface UnderWay {
  handle: ConnectionHandle;
  passed: Passed;
  sentAt: number;
}

const underWay = new Map<number, UnderWay>();
const said = new Set<string>();
const fixed = new WeakMap<net.Server, string | null>();
let nextSeq = 1;
let enabled = false;
/** How many are to be given away; all of them in a drain. */
let wanted = 0;
let wantedUntil = 0;
/** So many at a time now. A request that comes to one under way waits for its next owner: one more with each batch that has found its own. */
let window = 1;
let looking = false;
let asking: NodeJS.Timeout | null = null;

export function installHandover(options: { handover: boolean }): void {
  enabled = options.handover;
}

/** Its connections can be moved, as far as the server is concerned. Judged once, at the first need. */
function isMovable(server: net.Server): boolean {
  if (!('headersTimeout' in server) || 'setSecureContext' in server || keyOfServer(server) === undefined) return false;
  if ((server as { [OPT_OUT]?: boolean })[OPT_OUT] === false) return false;
  let why = fixed.get(server);
  if (why === undefined) {
    why = whyFixed(server);
    fixed.set(server, why);
    if (why !== null) explain(why);
  }
  return why === null;
}

/** Once for each reason: idle connections stay where they are. */
function explain(why: string): void {
  if (said.has(why)) return;
  said.add(why);
  tell({ act: 'handover-off', why });
}

/** This very connection leaves once it is idle; one that does not is told to close instead. */
export function willMove(socket: net.Socket): boolean {
  if (wanted !== Number.POSITIVE_INFINITY || staysHere(socket)) return false;
  const server = (socket as { server?: net.Server }).server;
  if (!server || !isMovable(server)) return false;
  const why = whySocketFixed(socket);
  if (why !== null) explain(why);
  return why === null;
}

/** A drain has begun: every connection leaves, now or when it becomes idle. */
export function giveAllAway(): void {
  if (!enabled) return;
  wanted = Number.POSITIVE_INFINITY;
  wantedUntil = Number.POSITIVE_INFINITY;
  window = 1;
  watchResponses();
  giveIdle();
}

/** The others have room: `count` connections leave, now or as they become idle in the next moments. */
export function give(count: number): void {
  if (!enabled || wanted === Number.POSITIVE_INFINITY) return;
  wanted = count;
  window = 1;
  wantedUntil = performance.now() + GIVING_MS;
  watchResponses();
  giveIdle();
}

/** No more leave: nobody is there to take them. */
export function keepTheRest(): void {
  wanted = 0;
}

/** Handoffs that no receiver has claimed: this process may get one back, and must not end before. */
export const handoffsUnderWay = (): number => underWay.size;

let hearNoMore: (() => void) | null = null;
function watchResponses(): void {
  // All of them are judged now: the drain puts its own `emit` into some.
  if (servingServers().filter(isMovable).length > 0) hearNoMore ??= onResponseFinished(responseFinished);
}

/** Its socket is idle a moment later, unless the next request has come by then. */
function responseFinished(_socket: net.Socket, response: http.ServerResponse): void {
  if (wanted === 0) {
    hearNoMore?.();
    hearNoMore = null;
  } else if (!looking && response.shouldKeepAlive) {
    // One that ends its connection leaves nothing to give, and a look goes through all connections.
    looking = true;
    setImmediate(giveIdle);
  }
}

/** As many as are wanted, idle and may be under way at one time. Also called again and again by a drain: whatever it has missed goes then. */
export function giveIdle(): void {
  looking = false;
  if (wanted === 0) return;
  if (performance.now() > wantedUntil) {
    wanted = 0;
    return;
  }
  for (const server of servingServers()) {
    if (!isMovable(server)) continue;
    for (const socket of shuffled(idleSockets(server))) {
      if (wanted === 0 || underWay.size >= window) return;
      // For the load's sake none that has just come: its request is on its way, and the master has chosen who gets it.
      if (wanted !== Number.POSITIVE_INFINITY && !wasUsed(socket)) continue;
      if (isAtRest(socket) && !staysHere(socket) && whySocketFixed(socket) === null) handOff(server, socket);
    }
  }
}

/** Whose turn it is must not depend on how busy a connection is: the requests would not follow the connections. */
function shuffled<T>(list: T[]): T[] {
  if (wanted === Number.POSITIVE_INFINITY) return list;
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [list[last], list[other]] = [list[other]!, list[last]!];
  }
  return list;
}

function handOff(server: net.Server, socket: net.Socket): void {
  const passed = { key: keyOfServer(server)!, used: wasUsed(socket), requests: requestsOn(socket) };
  const seq = nextSeq++;
  const handle = takeOut(socket);
  wanted -= 1;
  countAnew();
  underWay.set(seq, { handle, passed, sentAt: performance.now() });
  tell({ act: 'handoff', seq, ...passed }, handle);
  asking ??= setInterval(askForLate, ASK_AFTER_MS);
}

/** The channel keeps the order: an answer to this one comes after the handoff was read, or was lost. */
function askForLate(): void {
  const late = performance.now() - ASK_AFTER_MS;
  for (const [seq, { sentAt }] of underWay) if (sentAt < late) tell({ act: 'handoff-asked', seq });
}

/** A receiver has claimed it: this copy is closed, and only then is it granted. */
export function taken(seq: number): void {
  const given = finish(seq);
  if (!given) return;
  given.handle.close();
  noteGiven();
  if (underWay.size === 0) window = Math.min(MOST_UNDER_WAY, window + 1);
}

/** The master does not want it, could not receive it, or found nobody for it: it is this worker's as before. */
export function untaken(seq: number, stays: boolean): void {
  const back = finish(seq);
  if (back) adopt(back.handle, back.passed, { stays, fresh: false });
}

function finish(seq: number): UnderWay | undefined {
  const one = underWay.get(seq);
  underWay.delete(seq);
  if (underWay.size === 0 && asking) {
    clearInterval(asking);
    asking = null;
  }
  // A batch at a time: to look for idle ones goes through all connections.
  if (underWay.size === 0 && wanted > 0) setImmediate(giveIdle);
  return one;
}

/** The master is gone: what no receiver has claimed is this worker's again, for nothing of it can be granted any more. */
export function takeAllBack(): void {
  keepTheRest();
  for (const seq of [...underWay.keys()]) untaken(seq, true);
}
