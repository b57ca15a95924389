/**
 * Runs in the master. The client of a rehearsal: a few requests to a worker that takes no traffic yet, which its preload answers and the app
 * never sees (worker/rehearsal.cts). It judges nothing, and nobody waits for it.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { loopbackPair } from './loopback-pair.js';

/**
 * So many connections, one after the other, with so many requests each. Measured on Node 20 with new connections in turn: without, a client waits 8, 3, 2 and 3 ms for
 * the first answers of a process; with, 1.3 ms; more of them gain nothing that a client would notice.
 */
const CONNECTIONS = 3;
const REQUESTS = 2;
/** A worker that computes is left alone, in ms. */
const TIMEOUT_MS = 1_000;

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: zdsup-rehearsal\r\nAccept: */*\r\n\r\n';

/**
 * @param deliver hands the far end of a connection to the worker; consumes the socket
 * @returns when it is over, or was given up. Never rejects
 */
export async function rehearse(deliver: (far: Socket) => void): Promise<void> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    for (let connection = 0; connection < CONNECTIONS; connection++) await askOver(deliver, signal);
  } catch {
    // The clients will warm it, as they do everywhere else.
  }
}

async function askOver(deliver: (far: Socket) => void, signal: AbortSignal): Promise<void> {
  const { near, far } = await loopbackPair();
  try {
    deliver(far);
    for (let request = 0; request < REQUESTS; request++) {
      near.write(REQUEST);
      await once(near, 'data', { signal }); // The whole answer: it is a hundred bytes, written at once.
    }
  } finally {
    near.destroy();
    far.destroy(); // Where a blocked worker has not taken it, it would wait in the channel for ever.
  }
}
