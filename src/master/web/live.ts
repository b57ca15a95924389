/**
 * Runs in the master. The live socket: what every open page is sent, and what a page may order. One text is made for all of them. How much one may say, how
 * many there may be, and how far behind one may fall is bounded: see live-client.ts.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { ControlRequest, ControlResult, Progress } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import type { ServerMessage } from '../../shared/dashboard-protocol.js';
import { MAX_MESSAGE_BYTES, MAX_ORDERS } from '../../shared/dashboard-protocol.js';
import { toReport } from '../../shared/errors.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { VERSION } from '../../shared/version.cjs';
import type { FeedMessage } from '../feed.js';
import { LiveClient } from './live-client.js';
import { LogTail } from './log-tail.js';
import type { WebCounts } from './metrics.js';
import { understood } from './orders.js';
import type { Timeline } from './timeline.js';

/** Pages at once. */
export const MAX_CLIENTS = 64;

export interface LiveOptions {
  snapshot(): Promise<AppSnapshot>;
  timeline: Timeline;
  counts: WebCounts;
  readOnly(): boolean;
  /** The log of now. */
  logFile(): string | undefined;
  carryOut(request: ControlRequest, tell: (progress: Progress) => void): Promise<ControlResult>;
}

export class Live {
  private readonly server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: 64,
    perMessageDeflate: false,
    autoPong: false,
  });
  private readonly clients = new Set<LiveClient>();
  private readonly tail: LogTail;

  constructor(private readonly options: LiveOptions) {
    this.tail = new LogTail(options.logFile, (lines) => this.sendAll({ type: 'log', lines }, (one) => one.followsLog));
  }

  get isFull(): boolean {
    return this.clients.size >= MAX_CLIENTS;
  }

  /** Of a request that the gate has let in. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      const client: LiveClient = new LiveClient(webSocket, {
        said: (text) => this.heard(client, text),
        left: (why) => this.left(client, why),
      });
      this.clients.add(client);
      this.options.counts.clients = this.clients.size;
      void this.greet(client);
    });
  }

  /** From here on it hears of everything: what came before is in the greeting, and nothing lies between. */
  private async greet(client: LiveClient): Promise<void> {
    const { snapshot, timeline, readOnly } = this.options;
    try {
      const app = await snapshot();
      const { points, events } = timeline;
      const hello = { readOnly: readOnly(), version: VERSION, history: [...points], events: [...events] };
      client.send(textOf({ type: 'hello', app, ...hello }));
      client.greeted = true;
    } catch {
      client.close(1011, 'no snapshot can be made');
    }
  }

  /** Of the feed. */
  tell(message: FeedMessage): void {
    if (message.type === 'sample') {
      this.options.timeline.sample(message.app);
      this.sendAll(message);
    } else this.sendAll({ type: 'event', event: this.options.timeline.event(message.event) });
  }

  private sendAll(message: ServerMessage, isMeant: (client: LiveClient) => boolean = () => true): void {
    let text: Buffer | null = null; // Made where somebody is there to have it.
    for (const client of this.clients)
      if (client.greeted && isMeant(client)) {
        text ??= textOf(message);
        client.send(text);
      }
  }

  private heard(client: LiveClient, text: string): void {
    const said = understood(text);
    if (said.type === 'log') {
      // Where others look already, it has missed these.
      if (said.follow && !client.followsLog && this.tail.recent.length > 0)
        client.send(textOf({ type: 'log', lines: [...this.tail.recent] }));
      client.followsLog = said.follow;
      this.watchLog();
    } else if (said.type === 'nonsense')
      client.send(textOf({ type: 'refused', id: said.id, reason: `not understood: ${said.reason}` }));
    else this.order(client, said.id, said.request);
  }

  private order(client: LiveClient, id: number, request: ControlRequest): void {
    const refuse = (reason: string): void => client.send(textOf({ type: 'refused', id, reason }));
    if (this.options.readOnly()) {
      refuse('this page is read-only: http.readOnly of the config');
      return;
    }
    if (client.orders >= MAX_ORDERS) {
      refuse(`${MAX_ORDERS} orders of this page are under way`);
      return;
    }
    client.orders += 1;
    void this.options
      .carryOut(request, (progress) => client.send(textOf({ type: 'progress', id, progress })))
      .catch((error: unknown) => failedResult(toReport(error)))
      .then((result) => {
        client.orders -= 1;
        client.send(textOf({ type: 'result', id, result }));
      });
  }

  private left(client: LiveClient, why: 'gone' | 'rate' | 'slow'): void {
    if (!this.clients.delete(client)) return;
    const { counts } = this.options;
    counts.clients = this.clients.size;
    if (why !== 'gone') counts.refused[why] += 1;
    this.watchLog();
  }

  private watchLog(): void {
    if ([...this.clients].some(({ followsLog }) => followsLog)) this.tail.start();
    else this.tail.stop();
  }

  /** They come back by themselves, and show what they have anew. */
  closeAll(): void {
    for (const client of [...this.clients]) client.close(1012, 'the server restarts');
    this.tail.stop();
  }
}

const textOf = (message: ServerMessage): Buffer => Buffer.from(JSON.stringify(message));
