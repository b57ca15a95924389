/** Runs in the master. Its HTTP port, or its unix socket: opened, and given up. What it answers is handed in. */
import { lstatSync, readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpConfig } from '../../shared/config.js';
import { ZdsupError } from '../../shared/errors.js';
import { inUrl } from '../../shared/http-address.js';
import { MAX_SOCKET_PATH_BYTES } from '../../shared/paths.js';
import { leaveSocketPath, takeSocketPath } from '../state-folder.js';
import { UNREAD_MS } from './answers.js';
import { Room } from './room.js';

/** Connections at once; beyond it, one makes room for another. */
const MAX_CONNECTIONS = 256;
/** Of the descriptors that this process may have, no larger a share: workers are forked with the others. */
const SHARE = 1 / 4;
/** Of a usual host. */
const DESCRIPTORS = 1_024;

function mostConnections(): number {
  let limits = '';
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {} // No /proc.
  const descriptors = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? DESCRIPTORS);
  return Math.min(MAX_CONNECTIONS, Math.floor(descriptors * SHARE));
}

export interface Handlers {
  request: RequestListener;
  /** Settles once it has had its answer. @returns whether it is a page's from then on */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<boolean>;
  /** A connection had to make room. */
  crowded(): void;
}

export interface Listening {
  /** As people know it: no secret. */
  label: string;
  close(): void;
}

export const labelOf = ({ port, socket, host }: HttpConfig): string => socket ?? `http://${inUrl(host)}:${port}`;

/** @throws ZdsupError ZDSUP_HTTP_LISTEN */
export async function listenForHttp(http: HttpConfig, handlers: Handlers): Promise<Listening> {
  const server = createServer(
    // A request is a line and a few headers: nobody needs longer, or more.
    {
      ...{
        headersTimeout: 5_000,
        requestTimeout: 10_000,
        keepAliveTimeout: 10_000,
        connectionsCheckingInterval: 2_500,
      },
      maxHeaderSize: 16 * 1024,
    },
  );
  const room = new Room(mostConnections(), handlers.crowded);
  server.on('connection', (socket) => room.enter(socket));
  server.on('request', (request, response) => {
    room.asks(request.socket);
    response.on('close', () => room.rests(request.socket));
    handlers.request(request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    room.asks(request.socket);
    void handlers.upgrade(request, socket, head).then((isPage) => {
      if (isPage) room.stays(request.socket);
      else room.rests(request.socket);
    });
  });
  server.setTimeout(UNREAD_MS);
  try {
    const release = http.socket === null ? await onPort(server, http) : await onPath(server, http.socket);
    server.on('error', () => {}); // Of accepting, with no descriptor left: Node goes on.
    return {
      label: labelOf(http),
      close() {
        server.close();
        server.closeAllConnections();
        release();
      },
    };
  } catch (error) {
    server.close();
    throw error instanceof ZdsupError ? error : cannotListen(http, error as NodeJS.ErrnoException);
  }
}

const listening = (server: Server, options: { port: number; host: string } | { path: string }): Promise<void> =>
  new Promise((resolve, reject) => {
    const umask = process.umask(0o177); // A socket is 0600 from its first moment.
    server.once('error', reject);
    server.listen({ ...options, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
    process.umask(umask);
  });

async function onPort(server: Server, { port, host }: HttpConfig): Promise<() => void> {
  await listening(server, { port: port!, host });
  return () => {};
}

/** As the control socket: one that a killed master left is replaced, one that answers is somebody's. */
async function onPath(server: Server, path: string): Promise<() => void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isSocket()) throw Object.assign(new Error('it is no socket'), { code: 'EEXIST' });
  const temporary = `${path}.${process.pid}`;
  if (Buffer.byteLength(temporary) > MAX_SOCKET_PATH_BYTES)
    throw Object.assign(new Error(`its path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`), { code: 'ENAMETOOLONG' });
  await listening(server, { path: temporary });
  const inUse = () => new ZdsupError(listenReport(path, 'another process listens there'));
  const file = await takeSocketPath(temporary, path, inUse);
  return () => leaveSocketPath(path, file);
}

const WORDS: Record<string, string> = {
  EADDRINUSE: 'another process listens there',
  EACCES: 'this user may not',
  EADDRNOTAVAIL: 'this host has no such address',
  ENOENT: 'its folder is not there',
  EEXIST: 'something else is there, and no socket',
};

const cannotListen = (http: HttpConfig, { code, message }: NodeJS.ErrnoException): ZdsupError =>
  new ZdsupError(listenReport(labelOf(http), WORDS[code ?? ''] ?? message));

const listenReport = (where: string, why: string) => ({
  code: 'ZDSUP_HTTP_LISTEN' as const,
  message: `the HTTP of the master cannot listen on ${where}: ${why}`,
  hint: 'name another one: http in the config, or --http <port>',
  exitStatus: 1 as const,
});
