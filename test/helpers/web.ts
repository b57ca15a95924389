/** The master's HTTP by itself, in this process: with an app that is made up, and what was ordered of it. */
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:http';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { emptyFleet } from '../../src/domain/fleet.js';
import type { Fleet } from '../../src/domain/types.js';
import type { Observer } from '../../src/master/effects.js';
import type { FeedListener, FeedMessage } from '../../src/master/feed.js';
import { Web } from '../../src/master/web/open.js';
import type { HttpConfig } from '../../src/shared/config.js';
import type { ControlRequest, ControlResult, Progress } from '../../src/shared/control-protocol.js';
import type { ServerMessage } from '../../src/shared/dashboard-protocol.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { temporaryFolder } from './cleanup.js';
import { freePort } from './ports.js';
import { onTestFinished } from './side-by-side.js';

export const snapshotOf = (given: Partial<AppSnapshot> = {}): AppSnapshot => ({
  ...{ name: 'shop', state: 'running', masterPid: process.pid, version: '0.1.0' },
  startedAt: '2026-11-26T12:00:00.000Z',
  ...{ release: null, generation: 1, listeners: [], weights: { 1: 100 }, rollout: null, workers: [] },
  ...given,
});

export interface Order {
  request: ControlRequest;
  tell(progress: Progress): void;
  finish(result: ControlResult): void;
}

export interface RanWeb {
  web: Web;
  port: number;
  token: string;
  /** What was said, and warned of. */
  said: string[];
  orders: Order[];
  snapshots: () => number;
  observers: Set<Observer>;
  fleet: Fleet;
  /** To whoever is subscribed. */
  feed(message: FeedMessage): void;
  subscribers: () => number;
  held: () => number;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Got>;
  live(options?: { headers?: Record<string, string>; path?: string }): WebSocket;
}

export interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export const HTTP: HttpConfig = {
  ...{ port: null, socket: null, host: '127.0.0.1', token: null, readOnly: false, hosts: [] },
};

export async function runWeb(
  config: Partial<HttpConfig> = {},
  {
    app = snapshotOf,
    open = true,
    tokenPath = join(temporaryFolder(), 'tokens', 'shop'),
  }: { app?: () => AppSnapshot | Promise<AppSnapshot>; open?: boolean; tokenPath?: string } = {},
): Promise<RanWeb> {
  const port = await freePort();
  const said: string[] = [];
  const orders: Order[] = [];
  const listeners = new Set<FeedListener>();
  const observers = new Set<Observer>();
  const fleet = structuredClone(emptyFleet()) as Fleet;
  let snapshots = 0;
  let held = 0;
  const web = new Web({
    appName: 'shop',
    supervisor: { state: fleet },
    effects: {
      observers,
      plans: { get: () => undefined } as never,
      figures: {
        hold: async () => {
          held += 1;
          return () => {
            held -= 1;
          };
        },
      } as never,
    },
    snapshot: async () => {
      snapshots += 1;
      return app();
    },
    feed: async () => ({
      subscribe(listener: FeedListener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    }),
    tokenPath,
    carryOut: (asked, tell) => new Promise((finish) => orders.push({ request: asked, tell, finish })),
    say: (message) => said.push(message),
    warn: (message) => said.push(message),
  });
  onTestFinished(() => web.close());
  if (open) await web.configure({ ...HTTP, ...(config.socket ? {} : { port }), ...config });
  const token = web.link()?.path.split('=')[1] ?? '';
  return {
    ...{ web, port, token, said, orders, observers, fleet },
    snapshots: () => snapshots,
    held: () => held,
    subscribers: () => listeners.size,
    feed: (message) => {
      for (const listener of listeners) listener(message);
    },
    get: (path, headers = {}, method = 'GET') => get({ port }, path, headers, method),
    live({ headers = { authorization: `Bearer ${token}` }, path = '/live' } = {}) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
      socket.on('error', () => {});
      onTestFinished(() => socket.terminate());
      return socket;
    },
  };
}

/** One request, on a connection of its own. */
export async function get(
  to: { port: number } | { socketPath: string },
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Got> {
  const asked = request({ host: '127.0.0.1', ...to, path, headers, method, agent: false }).end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

/** Why a live socket was refused: the status of the answer; 101 where it was not. */
export async function refusedWith(socket: WebSocket): Promise<number> {
  const opened = once(socket, 'open').then(() => 101);
  const refused = once(socket, 'unexpected-response').then(([, response]) => {
    response.resume();
    return response.statusCode as number;
  });
  const status = await Promise.race([refused, opened]);
  socket.terminate();
  return status;
}

/** What a page is told, in its order; each message is taken once. */
export class Told {
  private readonly messages: ServerMessage[] = [];
  private wake: () => void = () => {};
  private closed: { code: number } | null = null;

  constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)) as ServerMessage);
      this.wake();
    });
    socket.on('close', (code) => {
      this.closed = { code };
      this.wake();
    });
  }

  async next<T extends ServerMessage['type']>(type: T): Promise<Extract<ServerMessage, { type: T }>> {
    for (;;) {
      const found = this.messages.findIndex((message) => message.type === type);
      if (found !== -1) return this.messages.splice(found, 1)[0] as Extract<ServerMessage, { type: T }>;
      if (this.closed) throw new Error(`closed with ${this.closed.code} before ${type}`);
      await this.something();
    }
  }

  async closedWith(): Promise<number> {
    while (!this.closed) await this.something();
    return this.closed.code;
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  private something(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
