/**
 * UDP sockets as libuv handles: a dgram socket keeps its own under a symbol (undocumented, the same on Node 20 to 26). Used by the
 * master (bound, never read: a master that reads steals datagrams) and by workers, which read through a gate. Loads nothing:
 * a process with an IPC channel has node:dgram already.
 */
import dgram = require('node:dgram');

import type { SocketName } from '../shared/messages.cjs';

type Member = 'addMembership' | 'addSourceSpecificMembership' | 'dropMembership' | 'dropSourceSpecificMembership';
type Membership = (...args: unknown[]) => number;

/** A UDP handle, as far as zdsup uses it. */
export interface DatagramHandle extends Record<Member, Membership> {
  bind(address: string, port: number, flags: number): number;
  bind6(address: string, port: number, flags: number): number;
  open(fd: number): number;
  getsockname(out: object): number;
  recvStart(): number;
  recvStop(): number;
  bufferSize(size: number, isReceive: boolean, context: object): number | undefined;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  onmessage?: (...args: unknown[]) => void;
}

interface SocketState {
  handle: DatagramHandle | null;
  reusePort?: boolean;
}

/** Errno as libuv has it. */
const EADDRINUSE = -98;
/** This Node keeps its handle elsewhere. Found out when it is asked for: the first dgram socket loads node:dns, which costs a worker's start. */
const ENOSYS = -38;
/** Less than the kernel takes of a socket's buffer for the smallest datagram (its skb's truesize), in bytes. */
const SMALLEST_DATAGRAM = 512;
/** Linux' own default, where the buffer's size cannot be told, in bytes. */
const USUAL_BUFFER = 212_992;

function stateOf(socket: dgram.Socket): SocketState | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find((candidate) => candidate.description === 'state symbol');
  return symbol === undefined ? undefined : (socket as unknown as Record<symbol, SocketState>)[symbol];
}

/**
 * Binds a UDP socket and does not read from it.
 * @returns the handle and its name, or the errno (negative, as libuv has it)
 */
export function bindDatagrams(
  address: string,
  port: number,
  addressType: number,
  flags: number,
): { handle: DatagramHandle; name: SocketName } | number {
  const handle = stateOf(dgram.createSocket(addressType === 6 ? 'udp6' : 'udp4'))?.handle;
  if (!handle) return ENOSYS;
  const name = {};
  const errno =
    (addressType === 6 ? handle.bind6(address, port, flags) : handle.bind(address, port, flags)) ||
    handle.getsockname(name);
  if (errno === 0) return { handle, name: name as SocketName };
  handle.close();
  return errno;
}

/** A UDP socket that was handed to this process, bound. @returns null where it is none */
export function openDatagrams(fd: number): { handle: DatagramHandle; name: SocketName } | null {
  const handle = stateOf(dgram.createSocket('udp6'))?.handle;
  if (!handle) return null;
  const name = {};
  if (handle.open(fd) === 0 && handle.getsockname(name) === 0) return { handle, name: name as SocketName };
  handle.close();
  return null;
}

/**
 * `exclusive` and `reusePort` bypass the seam, and open a socket that dies with its worker: both are cleared, but for port 0, which is
 * the worker's own anyway (a `send` binds so). One that is open already (`fd`) is Node's affair.
 */
export function seeExclusiveBinds(): void {
  type Bind = (this: dgram.Socket, ...args: unknown[]) => dgram.Socket;
  const prototype = dgram.Socket.prototype as unknown as { bind: Bind };
  const bind = prototype.bind;
  prototype.bind = function (...args) {
    const isObject = typeof args[0] === 'object' && args[0] !== null;
    const options = (isObject ? args[0] : { port: args[0] }) as { port?: unknown; fd?: unknown };
    if (options.fd !== undefined) args[0] = { ...options, exclusive: true };
    else if (options.port) {
      if (isObject) args[0] = { ...options, exclusive: false };
      const state = stateOf(this);
      if (state?.reusePort) state.reusePort = false;
    }
    return bind.apply(this, args);
  };
}

export interface DatagramGate {
  /** How many datagrams the app has been given. */
  readonly readCount: number;
  /** No more than so many wait in the kernel at any moment. */
  queueLength(): number;
  /** From here on the app reads, where it wants to. */
  open(): void;
  /** The app reads no more until it is opened again. */
  pause(): void;
  /** The app reads no more. What it sends still goes out, by the real handle. */
  shut(): void;
}

/**
 * Puts a gate on the worker's copy of a shared socket: everything but reading works at once. A multicast group is joined by the
 * socket, not by the process: a worker finds it joined already, and one that is shut leaves it to its successors.
 */
export function gateDatagrams(
  handle: DatagramHandle,
  on: { closed(): void; referenced(isReferenced: boolean): void },
): DatagramGate {
  const raw = Object.getPrototypeOf(handle) as DatagramHandle;
  const state = { open: false, shut: false, wanted: false, readCount: 0 };
  handle.recvStart = () => {
    state.wanted = true;
    return state.open ? raw.recvStart.call(handle) : 0;
  };
  handle.recvStop = () => {
    state.wanted = false;
    return raw.recvStop.call(handle);
  };
  handle.close = (callback) => {
    on.closed();
    raw.close.call(handle, callback);
  };
  for (const name of ['ref', 'unref'] as const)
    handle[name] = () => {
      on.referenced(name === 'ref');
      raw[name].call(handle);
    };
  shareMemberships(handle, raw, () => state.shut);
  countDatagrams(handle, state);
  return {
    get readCount() {
      return state.readCount;
    },
    queueLength: () => Math.ceil((raw.bufferSize.call(handle, 0, true, {}) ?? USUAL_BUFFER) / SMALLEST_DATAGRAM),
    open() {
      if (state.shut || state.open) return;
      state.open = true;
      if (state.wanted) raw.recvStart.call(handle);
    },
    pause() {
      state.open = false;
      raw.recvStop.call(handle);
    },
    shut() {
      state.open = false;
      state.shut = true;
      raw.recvStop.call(handle);
    },
  };
}

function shareMemberships(handle: DatagramHandle, raw: DatagramHandle, isShut: () => boolean): void {
  const own = new Set<string>();
  for (const kind of ['Membership', 'SourceSpecificMembership'] as const) {
    handle[`add${kind}`] = (...group) => {
      const isOwn = own.has(`${kind} ${group}`);
      const errno = raw[`add${kind}`].apply(handle, group);
      if (errno !== 0 && (errno !== EADDRINUSE || isOwn)) return errno;
      own.add(`${kind} ${group}`);
      return 0;
    };
    handle[`drop${kind}`] = (...group) => {
      if (own.delete(`${kind} ${group}`) && isShut()) return 0;
      return raw[`drop${kind}`].apply(handle, group);
    };
  }
}

/** Node sets `onmessage` once, when it begins to listen. */
function countDatagrams(handle: DatagramHandle, state: { readCount: number }): void {
  Object.defineProperty(handle, 'onmessage', {
    configurable: true,
    get: () => undefined,
    set(deliver: (...args: unknown[]) => void) {
      const value = function (this: unknown, ...args: unknown[]): void {
        state.readCount += 1;
        deliver.apply(this, args);
      };
      Object.defineProperty(handle, 'onmessage', { configurable: true, writable: true, value });
    },
  });
}
