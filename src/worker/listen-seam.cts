/**
 * Runs in the worker. Every `listen` of the app gets a stand-in handle: the app sees `listening` at once, real accepting
 * starts when the master activates the worker, and ends by releasing the real handle alone, so that the app's server
 * stays as it is. Never decides when: the master does.
 */
import type net = require('node:net');
import path = require('node:path');

import type { SeamCallback, SeamOptions } from '../node-internals/cluster-seam.cjs';
import {
  listenSilently,
  listenThrough,
  openConnections,
  pathModeOf,
  replaceSeam,
} from '../node-internals/cluster-seam.cjs';
import type { ConnectionHandle } from '../node-internals/connection-handle.cjs';
import { putIn } from '../node-internals/connection-handle.cjs';
import { seeExclusiveBinds } from '../node-internals/datagram-handle.cjs';
import type { ServerHandle } from '../node-internals/server-handle.cjs';
import { bindServer } from '../node-internals/server-handle.cjs';
import type { ListenSpec, MasterMessage, SocketName } from '../shared/messages.cjs';
import { answerAsk, askMaster } from './asks.cjs';
import { tell } from './channel.cjs';
import { keepOpen, tellClosed } from './closes.cjs';
import { askForDatagrams, pauseDatagrams, receive, retireDatagrams } from './datagrams.cjs';
import { watchSessions } from './http2-sessions.cjs';
import { watchSecureSockets } from './last-end.cjs';
import { leaveOut } from './measure.cjs';
import { watchWebSockets } from './websockets.cjs';

/** Errno of an address in use, as libuv has it. */
const EADDRINUSE = -98;
/** Where the app asks for no other. As long is the queue, too, that waited before anybody accepted. */
const USUAL_BACKLOG = 511;
/** A queue holds no more, however many the app asks for: Linux' own bound (net.core.somaxconn), where nobody has raised it. */
const LONGEST_QUEUE = 4_096;
/** After this long a socket that has not come is asked for again, in ms. */
const ASK_AGAIN_MS = 500;
const LOOPBACK = /^(127\.|::1$|localhost$|::ffff:127\.)/;

interface HeldServer {
  /** Null until the master has the socket. */
  key: string | null;
  server: net.Server;
  spec: ListenSpec;
  name: SocketName;
  /** Its backlog, as the app asked. */
  backlog: number;
  standIn: ServerHandle;
  /** The copy that accepts; null while the worker is not active. */
  real: ServerHandle | null;
  referenced: boolean;
  /** It has accepted, at one time or another. */
  accepted: boolean;
  closed: boolean;
}

const held = new Map<string, HeldServer>();
const closing = new Set<net.Server>();
const keys = new WeakMap<net.Server, string>();
const portZeroCount = new Map<string, number>();
let privatePorts: number[] = [];
// The app's servers count as pending work under plain node also while nothing is accepted.
let keepAlive: NodeJS.Timeout | null = null;
let retired = false;
/** It has been told to accept no more for now: a socket that was under way comes too late. */
let parked = false;
let acceptedCount = 0;

/** Servers that have connections to finish: those that listen, and those that the app has closed and that still answer. */
export const servingServers = (): net.Server[] => [...[...held.values()].map((entry) => entry.server), ...closing];

/** The socket that it listens on, or has listened on. */
export const keyOfServer = (server: net.Server): string | undefined => keys.get(server);

/** What a connection that comes from elsewhere is put in through; undefined where nobody listens there. */
export const standInOf = (key: string): ServerHandle | undefined => held.get(key)?.standIn;

/** The server takes one more than those that are on their way to it (`maxConnections`), and this worker is not on its way out. */
export function hasRoom(key: string, coming = 0): boolean {
  const server = held.get(key)?.server;
  if (!server || retired || parked) return false;
  // Node 20 takes 0 for no limit, later ones for none at all: nothing comes through there then.
  return server.maxConnections == null || openConnections(server) + coming < server.maxConnections;
}

/** Runs `put`, which gives the server a connection that was open before: one that has filled up meanwhile goes beyond its limit, and drops nobody. */
export function beyondLimit<T>(key: string, put: () => T): T {
  const server = held.get(key)?.server;
  if (!server || hasRoom(key) || server.maxConnections == null) return put();
  const limit = server.maxConnections;
  const raised = openConnections(server) + 1;
  server.maxConnections = raised;
  try {
    return put();
  } finally {
    // Unless the app has set another one in its `connection` listener.
    if (server.maxConnections === raised) server.maxConnections = limit;
  }
}

export function installListenSeam(options: { private: number[] }): void {
  privatePorts = options.private;
  replaceSeam((server, options, callback) => {
    if (typeof options.addressType === 'string') askForDatagrams(server, options, callback, privatePorts);
    else ask(server, options, callback);
  });
  seeExclusiveBinds();
}

function ask(server: net.Server, options: SeamOptions, callback: SeamCallback): void {
  const { port, fd } = options;
  const address = absolute(options);
  const addressType = options.addressType as number;
  const inherited = typeof fd === 'number' && fd >= 0;
  const ownLoopback = port === 0 && address !== null && LOOPBACK.test(address);
  if (inherited || ownLoopback || (port !== null && privatePorts.includes(port))) {
    listenAlone(options, callback);
    return;
  }
  const spec: ListenSpec = {
    address,
    port,
    addressType,
    flags: options.flags ?? 0,
    index: port === 0 ? countUp(`${address}`) : 0,
    protocol: protocolOf(server),
  };
  const entry: HeldServer = {
    key: null,
    server,
    spec,
    name: expectedName(spec),
    backlog: options.backlog || USUAL_BACKLOG,
    standIn: failingHandle(0),
    real: null,
    referenced: true,
    accepted: false,
    closed: false,
  };
  entry.standIn = makeStandIn(entry);
  // Which port is free, the master has to say; all else is known.
  const isKnown = port !== 0;
  askMaster(spec, {
    granted(key, name) {
      if (!grant(entry, key, name)) return;
      if (isKnown) server.emit('listening');
      else callback(0, entry.standIn);
    },
    failed: (errno) => fail(entry, errno),
  });
  if (isKnown) listenSilently(server, () => callback(0, entry.standIn));
}

/** A unix socket's path is relative to the app's folder, and the master is in another one. */
function absolute({ address, addressType }: SeamOptions): string | null {
  const isPath = addressType === -1 && address !== null && !address.startsWith('\0');
  return isPath ? path.resolve(address) : address;
}

/** A server of this worker alone: not held by the master, not gated. */
function listenAlone(options: SeamOptions, callback: SeamCallback): void {
  if (typeof options.fd === 'number' && options.fd >= 0) {
    // Inherited from whoever started this process: Node opens it by itself where no handle is given.
    callback(0, null);
    return;
  }
  const bound = bindServer(options.address, options.port, options.addressType as number, options.flags ?? 0);
  if (typeof bound === 'number') callback(bound, null);
  else callback(0, bound.handle);
}

/** A probe of the master's: served as any other, and in no figure. */
function putInProbe(standIn: ServerHandle, handle: ConnectionHandle): void {
  const socket = putIn(standIn, handle);
  if (socket) leaveOut(socket);
}

function countUp(address: string): number {
  const index = portZeroCount.get(address) ?? 0;
  portZeroCount.set(address, index + 1);
  return index;
}

/** By what only such a server has: an `instanceof` would load the TLS and HTTP modules into apps that use neither. */
function protocolOf(server: net.Server): ListenSpec['protocol'] {
  const secure = 'setSecureContext' in server;
  if ('headersTimeout' in server) return secure ? 'https' : 'http';
  return secure ? 'tls' : 'tcp';
}

/** Handles what the master says about listeners; returns false where the message is about something else. */
export function handleListenMessage(message: MasterMessage, handle: unknown): boolean {
  switch (message.act) {
    case 'own':
      own(message.key, message.backlog, handle as ServerHandle);
      return true;
    case 'listening':
    case 'listen-failed':
      answerAsk(message, handle);
      return true;
    case 'accept':
      if (!receive(message.key)) accept(message.key, handle as ServerHandle | undefined);
      return true;
    case 'accept-asked':
      askAgain(message.key);
      return true;
    case 'probe': {
      const entry = held.get(message.key);
      if (entry) putInProbe(entry.standIn, handle as ConnectionHandle);
      else (handle as ServerHandle).close();
      return true;
    }
    case 'hold': {
      const entry = held.get(message.key);
      if (entry) release(entry);
      updateKeepAlive();
      return true;
    }
    case 'bounce':
      bounce(message.key, handle as ServerHandle);
      return true;
    case 'activate':
    case 'park':
    case 'unpark':
    case 'retire':
    case 'stats':
    case 'figures':
    case 'ping':
    case 'signal':
    case 'observe':
    case 'rehearse':
    case 'taken':
    case 'untaken':
    case 'take':
    case 'take-asked':
    case 'grant':
    case 'revoke':
    case 'count':
    case 'give':
      return false;
  }
}

/** The master gets its own socket back under a new descriptor, which it can poll and close again. */
function bounce(key: string, handle: ServerHandle): void {
  const backlog = held.get(key)?.backlog ?? USUAL_BACKLOG;
  tell({ act: 'bounced', key, backlog }, handle, () => handle.close());
}

/** Bound is not owned: listen(2) on a copy, closed in the same tick, so that nothing is accepted through it. */
function own(key: string, backlog: number, handle: ServerHandle): void {
  const errno = handle.listen(backlog);
  handle.close();
  tell({ act: 'owned', key, errno });
}

/** False where the app's server does not listen after all. */
function grant(entry: HeldServer, key: string, name: SocketName): boolean {
  const { server } = entry;
  if (entry.closed) {
    if (!held.has(key)) tellClosed(key, false);
    return false;
  }
  if (held.has(key)) {
    fail(entry, EADDRINUSE); // Twice in one process, as under plain node.
    return false;
  }
  entry.key = key;
  entry.name = name;
  held.set(key, entry);
  keys.set(server, key);
  keepOpen(key);
  if ('headersTimeout' in server) watchWebSockets(server);
  watchSecureSockets(server);
  watchSessions(server);
  updateKeepAlive();
  const mode = pathModeOf(server);
  if (mode !== undefined) tell({ act: 'chmod', key, mode });
  return true;
}

/** An errno given to the callback would reach the app as an error of `bind` on `null`; under plain node it is one of `listen`. */
function fail({ server, spec, backlog, closed }: HeldServer, errno: number): void {
  if (!closed) listenThrough(server, failingHandle(errno), { ...spec, address: spec.address ?? '::', backlog });
}

/** What the socket will be called; where the host has no IPv6, the master corrects it. */
function expectedName({ address, port, addressType }: ListenSpec): SocketName {
  if (addressType === -1) return {};
  return { address: address ?? '::', family: addressType === 6 || address === null ? 'IPv6' : 'IPv4', port: port ?? 0 };
}

const failingHandle = (errno: number): ServerHandle => ({
  onconnection: null,
  listen: () => errno,
  close: (callback) => {
    if (callback) setImmediate(callback);
  },
  ref() {},
  unref() {},
});

function makeStandIn(entry: HeldServer): ServerHandle {
  const setReferenced = (referenced: boolean): void => {
    entry.referenced = referenced;
    if (referenced) entry.real?.ref();
    else entry.real?.unref();
    updateKeepAlive();
  };
  return {
    onconnection: null,
    listen: () => 0,
    ref: () => setReferenced(true),
    unref: () => setReferenced(false),
    close(callback) {
      if (!entry.closed) closeEntry(entry);
      if (callback) setImmediate(callback);
    },
    fchmod: () => 0,
    ...(entry.spec.addressType === -1 ? {} : { getsockname: (out: object) => copyName(entry.name, out) }),
  };
}

function closeEntry(entry: HeldServer): void {
  const { key, server } = entry;
  entry.closed = true;
  if (key === null) return; // What was asked for is given back when it comes.
  release(entry);
  held.delete(key);
  closing.add(server);
  server.once('close', () => closing.delete(server));
  tellClosed(key, entry.accepted);
  updateKeepAlive();
}

/** As libuv's own: fills `out` in and returns 0. */
function copyName(name: SocketName, out: object): number {
  Object.assign(out, name);
  return 0;
}

function accept(key: string, real: ServerHandle | undefined): void {
  if (!real) return; // A UDP socket that the app has closed meanwhile.
  const entry = held.get(key);
  if (!entry || entry.real || retired || parked) {
    real.close();
    return;
  }
  entry.real = real;
  entry.accepted = true;
  real.onconnection = (error, client) => {
    acceptedCount += 1;
    entry.standIn.onconnection?.call(entry.standIn, error, client);
  };
  const errno = real.listen(entry.backlog);
  if (errno !== 0) {
    release(entry);
    entry.server.emit('error', Object.assign(new Error(`listen on the held socket failed (${errno})`), { errno }));
    return;
  }
  if (!entry.referenced) real.unref();
  updateKeepAlive();
}

/**
 * Before a release without a successor: whoever waits in a kernel's queue would be reset. No more are let in, and turns of
 * the event loop accept those who are there (libuv takes one of each queue in a turn), until two in a row have brought nobody. Clients that
 * come as fast as they are accepted do not hold it up: a queue is first come, first served, and after as many turns as it
 * can hold, those who waited are through. `isLate`: what is accepted now is answered no more.
 */
export function emptyQueues(isLate: () => boolean, emptied: () => void): void {
  let longest = USUAL_BACKLOG;
  for (const { real, backlog } of held.values()) {
    real?.listen(0);
    longest = Math.max(longest, backlog);
  }
  let turnsLeft = Math.min(longest, LONGEST_QUEUE) + 2;
  let quietTurns = 0;
  const turn = (before: number): void => {
    quietTurns = acceptedCount === before ? quietTurns + 1 : 0;
    turnsLeft -= 1;
    if (quietTurns === 2 || turnsLeft <= 0 || isLate()) emptied();
    else setImmediate(turn, acceptedCount);
  };
  setImmediate(turn, acceptedCount);
}

/** Stops accepting on all of them; the app's servers stay `listening`. `readOut`: nobody else reads what datagrams wait. */
export function releaseAll(readOut: boolean): void {
  retired = true;
  retireDatagrams(readOut);
  for (const entry of held.values()) release(entry);
  updateKeepAlive();
}

/** Stops accepting until {@link acceptAgain}; the app's servers stay `listening`. */
export function releaseForNow(): void {
  parked = true;
  pauseDatagrams();
  for (const entry of held.values()) release(entry);
  updateKeepAlive();
}

/** The master's sockets are welcome again. */
export function acceptAgain(): void {
  parked = false;
}

/** Without a free descriptor its socket has not come, and nothing has said so. */
function askAgain(key: string): void {
  const isMissed = (): boolean => !retired && !parked && held.get(key)?.real === null;
  const tellMissed = (): void => {
    if (isMissed()) tell({ act: 'accept-missed', key });
  };
  if (isMissed()) setTimeout(tellMissed, ASK_AGAIN_MS).unref();
}

function release(entry: HeldServer): void {
  entry.real?.close();
  entry.real = null;
}

function updateKeepAlive(): void {
  const wanted = !retired && [...held.values()].some((entry) => entry.referenced && entry.real === null);
  if (wanted && !keepAlive) keepAlive = setInterval(() => {}, 2 ** 30);
  else if (!wanted && keepAlive) {
    clearInterval(keepAlive);
    keepAlive = null;
  }
}
