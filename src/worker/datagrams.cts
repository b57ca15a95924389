/**
 * Runs in the worker. The app's UDP sockets: copies of those that the master holds. The app sends through its copy from `listening` to its
 * end; it reads from the master's activation until it retires. All copies share one queue in the kernel, and each datagram
 * is read by exactly one. Never decides when: the master does.
 */
import type { SeamCallback, SeamOptions } from '../node-internals/cluster-seam.cjs';
import type { DatagramGate, DatagramHandle } from '../node-internals/datagram-handle.cjs';
import { bindDatagrams, gateDatagrams } from '../node-internals/datagram-handle.cjs';
import { askMaster } from './asks.cjs';
import { keepOpen, tellClosed } from './closes.cjs';

/** Nobody can tell which datagrams are owed an answer: a worker that has read some lives on for as long after the last, in ms. */
const DATAGRAM_GRACE_MS = 1_000;

interface HeldSocket {
  key: string;
  gate: DatagramGate;
  /** Pending work, as under plain node, also while nothing is read yet. */
  keepAlive: NodeJS.Timeout;
  /** While it reads out at a stop: what it had read at the last look, and when it has read all that waited then. */
  readOut: { seen: number; enough: number } | null;
}

const held = new Map<string, HeldSocket>();
const taken = new Map<string, Set<number>>();
let retired = false;
let shutAt: number | null = null;

/** The seam's other half: `addressType` is a text for UDP. */
export function askForDatagrams(_socket: unknown, options: SeamOptions, callback: SeamCallback, own: number[]): void {
  const addressType = options.addressType === 'udp6' ? 6 : 4;
  const address = options.address ?? (addressType === 6 ? '::' : '0.0.0.0');
  const port = Number(options.port) || 0; // dgram passes on what it was given: a text, or a callback in its place.
  const flags = options.flags ?? 0;
  // What is sent from a free port is answered to that port: it belongs to this worker.
  if (port === 0 || own.includes(port)) {
    const bound = bindDatagrams(address, port, addressType, flags);
    if (typeof bound === 'number') callback(bound, null);
    else callback(0, bound.handle);
    return;
  }
  const place = `${address}:${port}:${addressType}:${flags}`;
  const index = takeIndex(place);
  askMaster(
    { address, port, addressType, flags, index, protocol: 'udp' },
    {
      granted(key, _name, handle) {
        callback(
          0,
          hold(key, handle as DatagramHandle, () => taken.get(place)?.delete(index)),
        );
      },
      failed(errno) {
        taken.get(place)?.delete(index);
        callback(errno, null);
      },
    },
  );
}

/** The lowest that is free. A second socket on one address is the kernel's to refuse or, with `reuseAddr`, to allow, as under plain node. */
function takeIndex(place: string): number {
  const indexes = taken.get(place) ?? new Set();
  taken.set(place, indexes);
  let lowest = 0;
  while (indexes.has(lowest)) lowest += 1;
  indexes.add(lowest);
  return lowest;
}

function hold(key: string, handle: DatagramHandle, closed: () => void): DatagramHandle {
  const keepAlive = setInterval(() => {}, 2 ** 30);
  const gate = gateDatagrams(handle, {
    closed() {
      clearInterval(keepAlive);
      held.delete(key);
      closed();
      tellClosed(key, true);
    },
    referenced(isReferenced) {
      if (isReferenced) keepAlive.ref();
      else keepAlive.unref();
    },
  });
  keepOpen(key);
  held.set(key, { key, gate, keepAlive, readOut: null });
  return handle;
}

/** The master says that the app may read from `key` now. Returns false where that is no UDP socket. */
export function receive(key: string): boolean {
  const socket = held.get(key);
  if (!socket) return false;
  clearInterval(socket.keepAlive);
  if (!retired) socket.gate.open();
  return true;
}

/** Reads no more until the master says so again; pending work for the app, as before it read. */
export function pauseDatagrams(): void {
  for (const socket of held.values()) {
    socket.gate.pause();
    clearInterval(socket.keepAlive);
    socket.keepAlive = setInterval(() => {}, 2 ** 30);
  }
}

/**
 * Reads no more. With no successor (`readOut`), what waits in the kernel is read first: until none came for a look, or as many as can
 * have waited.
 */
export function retireDatagrams(readOut: boolean): void {
  retired = true;
  for (const socket of held.values()) {
    const { gate } = socket;
    clearInterval(socket.keepAlive);
    if (readOut) socket.readOut = { seen: -1, enough: gate.readCount + gate.queueLength() };
    else gate.shut();
  }
  shutAt = performance.now();
}

/** Called at each look of the drain: whether what was read has had its time to be answered. */
export function datagramsAnswered(now: number): boolean {
  for (const socket of held.values()) {
    const { gate, readOut } = socket;
    if (!readOut) continue;
    if (gate.readCount === readOut.seen || gate.readCount >= readOut.enough) {
      socket.readOut = null;
      gate.shut();
    } else readOut.seen = gate.readCount;
    shutAt = now;
  }
  const sockets = [...held.values()];
  if (sockets.every((socket) => socket.gate.readCount === 0)) return true;
  return sockets.every((socket) => !socket.readOut) && now - (shutAt ?? now) >= DATAGRAM_GRACE_MS;
}
