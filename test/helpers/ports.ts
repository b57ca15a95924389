/**
 * Free ports, from below the range out of which the kernel serves `listen(0)` and connections of clients (Linux:
 * /proc/sys/net/ipv4/ip_local_port_range). One of that range would be taken by some other test's client while an app
 * is between its stop and its next start.
 */

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST = 12_000;
const ephemeralFrom = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0]);
if (ephemeralFrom < LOWEST + 4_000)
  throw new Error(`tests take ports from ${LOWEST} up, and here the kernel's own begin at ${ephemeralFrom}`);

/** Each of vitest's processes has a stretch of its own, and begins anywhere in it: test runs beside each other differ. */
const STRETCHES = 2;
const stretch = Number(process.env.VITEST_POOL_ID ?? 1) % STRETCHES;
const length = Math.floor((ephemeralFrom - LOWEST) / STRETCHES);
let next = Math.floor(Math.random() * length);

/** Each with some neighbours that nobody else is given: an app may take the next port where one is taken. */
const APART = 5;

function nextPort(): number {
  next = (next + APART) % length;
  return LOWEST + stretch * length + next;
}

const inUse = (error: NodeJS.ErrnoException): boolean => error.code === 'EADDRINUSE';

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const port = nextPort();
    const server = createServer().once('error', (error) => (inUse(error) ? resolve(freePort()) : reject(error)));
    server.listen(port, () => server.close(() => resolve(port)));
  });
}

export const freePorts = (count: number): Promise<number[]> => Promise.all(Array.from({ length: count }, freePort));

/** For UDP. */
export function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const port = nextPort();
    const socket = createSocket('udp4').once('error', (error) =>
      inUse(error) ? resolve(freeUdpPort()) : reject(error),
    );
    socket.bind(port, () => socket.close(() => resolve(port)));
  });
}
