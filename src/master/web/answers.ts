/** Runs in the master. What its HTTP answers: health, metrics, the status, the login and the page. Decides nothing of the app; who may is the gate's. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { LIVE_PATH } from '../../shared/dashboard-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { coalesced } from './coalesced.js';
import type { Gate, Refusal } from './gate.js';
import { liveRefusalOf, refusalOf } from './gate.js';
import type { Health } from './health.js';
import type { Scrape, WebCounts } from './metrics.js';
import { HEADERS, LOGIN_PAGE, pageFiles } from './page.js';

export interface AnswersOptions {
  appName: string;
  /** As the config has it now. */
  gate(): Gate;
  /** Metrics are for whoever reaches this host: it is reached from this host alone. */
  isLocal(): boolean;
  counts: WebCounts;
  health(): Health;
  snapshot(): Promise<AppSnapshot>;
  scrape(): Promise<Scrape>;
  /** Of the live socket: loaded with the first page. */
  live(): Promise<LiveRoom>;
}

interface LiveRoom {
  isFull: boolean;
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

interface Answer {
  status: number;
  type?: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
}

/** Who does not read an answer for so long is not waited for, in ms. */
export const UNREAD_MS = 30_000;

const TEXT = 'text/plain; charset=utf-8';
const text = (status: number, body: string): Answer => ({ status, type: TEXT, body: `${body}\n` });

const WORDS: Record<Exclude<Refusal, 'token'>, string> = {
  host: 'This is not a host that the request may be for. Names beside localhost and addresses are listed in http.hosts of the config.',
  origin: 'The request comes from a page of another site.',
};

export class Answers {
  private files: ReturnType<typeof pageFiles> | null = null;
  /** Whose answer is being made. */
  private readonly asking = new WeakSet<Socket>();
  /** One text for all who ask at once: it is long, and some of them may never read it. */
  private readonly metrics: () => Promise<Answer>;

  constructor(private readonly options: AnswersOptions) {
    this.metrics = coalesced(async () => {
      const { CONTENT_TYPE, exposition } = await import('./prometheus.js');
      return { status: 200, type: CONTENT_TYPE, body: Buffer.from(await exposition(await options.scrape())) };
    });
  }

  /** One answer at a time: a connection that writes on and on without waiting would have thousands made, and kept. */
  readonly request = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    if (socket.destroyed) return; // What else it had written is parsed on.
    if (this.asking.has(socket)) {
      this.options.counts.refused.rate += 1;
      socket.destroy();
      return;
    }
    this.asking.add(socket);
    void this.answer(request)
      .catch(() => text(500, 'No snapshot can be made.'))
      .then((answer) => {
        this.asking.delete(socket);
        write(request, response, answer);
      });
  };

  private async answer(request: IncomingMessage): Promise<Answer> {
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD')
      return { ...text(405, 'Only GET and HEAD are answered.'), headers: { Allow: 'GET, HEAD' } };
    const { path, query, headers } = targetOf(request);
    const { appName, gate, isLocal, counts, health, snapshot } = this.options;
    const isOpen = path === '/livez' || path === '/readyz' || (path === '/metrics' && isLocal());
    const given = path === '/' ? query.get('token') : null;
    const refusal = refusalOf(headers, gate(), isOpen || given !== null);
    if (refusal !== null) counts.refused[refusal] += 1;
    if (refusal === 'host' || refusal === 'origin') return text(403, WORDS[refusal]);
    if (given !== null) return this.login(given);
    if (refusal === 'token') return unauthorized(appName, path);
    switch (path) {
      case '/livez':
        return text(200, 'ok');
      case '/readyz': {
        const { ready, reason, active, wanted } = health();
        return ready ? text(200, `ok: ${active} of ${wanted} workers serve`) : text(503, `not ready: ${reason}`);
      }
      case '/metrics':
        return this.metrics();
      case '/status':
        return { status: 200, type: 'application/json', body: `${JSON.stringify({ apps: [await snapshot()] })}\n` };
      case LIVE_PATH:
        return { ...text(426, 'This is a WebSocket.'), headers: { Upgrade: 'websocket' } };
      default:
        return this.file(path);
    }
  }

  /** The token leaves the address of the page at once: it is in no bookmark, and no history. */
  private login(token: string): Answer {
    const { appName, gate, counts } = this.options;
    const { auth } = gate();
    if (!auth.isToken(token)) {
      counts.refused.token += 1;
      return unauthorized(appName, '/', true);
    }
    return { ...text(303, 'The page is at /'), headers: { Location: '/', 'Set-Cookie': auth.cookie } };
  }

  private file(path: string): Answer {
    this.files ??= pageFiles();
    const file = this.files.get(path);
    if (file) return { status: 200, ...file };
    return text(404, path === '/' ? 'This build of zdsup has no page.' : 'There is no such page.');
  }

  /** Who would rather speak another protocol, as Java's client would HTTP/2, gets its answer in this one (RFC 9110, 7.8): Node has let go of the connection. */
  private without(request: IncomingMessage, socket: Socket): Promise<unknown> {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => endSoon(socket));
    socket.setTimeout(UNREAD_MS, () => socket.destroy());
    const answered = new Promise((resolve) => response.on('close', resolve));
    this.request(request, response);
    return answered;
  }

  readonly upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<boolean> => {
    socket.on('error', () => {}); // It hangs up: nothing is lost.
    if (!isForWebSocket(request)) {
      await this.without(request, socket as Socket);
      return false;
    }
    const room = await this.admitted(request);
    if ('status' in room) {
      refuseUpgrade(socket, room);
      return false;
    }
    room.accept(request, socket, head);
    return true;
  };

  readonly crowded = (): void => {
    this.options.counts.refused.full += 1;
  };

  /** @returns the live socket's room, or why it is not let in there */
  private async admitted(request: IncomingMessage): Promise<LiveRoom | Answer> {
    const { gate, counts, live, appName } = this.options;
    const { path, headers } = targetOf(request);
    if (path !== LIVE_PATH || request.method !== 'GET') return text(404, 'There is no such socket.');
    const refusal = liveRefusalOf(headers, gate());
    if (refusal !== null) {
      counts.refused[refusal] += 1;
      return refusal === 'token' ? unauthorized(appName, LIVE_PATH) : text(403, WORDS[refusal]);
    }
    const room = await live().catch(() => text(500, 'The live socket cannot be loaded.'));
    if ('status' in room || !room.isFull) return room;
    counts.refused.full += 1;
    return text(503, 'Too many pages are open.');
  }
}

const isForWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket';

/**
 * Whatever a client writes there: what is no path is none that exists. A whole URL is served as its path is, and its host is the one that the request is for,
 * in place of the header's (RFC 9112, 3.2.2).
 */
function targetOf({ url = '', headers }: IncomingMessage): Target {
  const [, host, rest = url] = /^http:\/\/([^/?]*)(.*)$/is.exec(url) ?? [];
  const [, path, query] = /^([^?]*)\??(.*)$/s.exec(rest)!;
  return {
    path: path === '' && host !== undefined ? '/' : path!,
    query: new URLSearchParams(query),
    headers: host === undefined ? headers : { ...headers, host },
  };
}

interface Target {
  path: string;
  query: URLSearchParams;
  /** By which it is let in. */
  headers: IncomingHttpHeaders;
}

/** A person gets a page that says where the token is; a program a line. */
const unauthorized = (app: string, path: string, isWrong = false): Answer => ({
  ...(path === '/'
    ? { status: 401, type: 'text/html; charset=utf-8', body: LOGIN_PAGE(app, isWrong) }
    : text(401, 'This needs the token: Authorization: Bearer <token>.')),
  headers: { 'WWW-Authenticate': 'Bearer realm="zdsup"' },
});

function write(request: IncomingMessage, response: ServerResponse, { status, type, body = '', headers }: Answer): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(status, {
    ...HEADERS,
    ...headers,
    ...(type === undefined ? {} : { 'Content-Type': type }),
    'Content-Length': bytes.length,
    // Whoever sends a body is not listened to.
    ...(request.headers['content-length'] || request.headers['transfer-encoding'] ? { Connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

const REASONS: Record<number, string> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

function refuseUpgrade(socket: Duplex, { status, type, body = '', headers }: Answer): void {
  const lines = Object.entries({
    ...headers,
    'Content-Type': type ?? TEXT,
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  endSoon(socket, `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}

/** One that does not hang up is not waited for. */
function endSoon(socket: Duplex, last = ''): void {
  socket.end(last);
  setTimeout(() => socket.destroy(), 1_000).unref();
}
