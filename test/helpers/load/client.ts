/**
 * Load over raw sockets, from the test's own process to loopback. A connection that ends while a request is on its way,
 * an answer that is cut short or wrong, and an answer that does not come are each a loss.
 */

import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Load, Run } from './load.js';
import { runClients } from './load.js';
import type { RawResponse } from './response-reader.js';
import { ResponseReader } from './response-reader.js';
import type { Tally } from './tally.js';
import { countAnswered, countLost } from './tally.js';

export interface Target {
  port?: number;
  host?: string;
  path?: string;
  tls?: boolean;
  /** The client's own address. Every one of 127.0.0.0/8 is this host's. */
  from?: string;
}

export interface Exchange {
  /** Writes one request (or, pipelined, several) to the connection. */
  write(socket: Socket): void | Promise<void>;
  /** Answers owed for one `write`. @default 1 */
  answers?: number;
  /** Null where the answer is right, else what is wrong with it. */
  judge?(response: RawResponse): string | null;
  /** One request a connection: the client says `Connection: close`. @default false */
  closing?: boolean;
}

/** No answer by then: it hangs, in ms. */
const HUNG_MS = 20_000;

export const startLoad = (target: Target, clients: number, exchange: Exchange): Load =>
  runClients(clients, (run) => runClient(target, exchange, run));

async function runClient(target: Target, exchange: Exchange, run: Run): Promise<void> {
  const { tally } = run;
  while (!run.isStopping) {
    const connection = await Connection.open(target);
    if (typeof connection === 'string') {
      countLost(tally, connection, exchange.answers ?? 1);
      await new Promise(setImmediate);
      continue;
    }
    while (!run.isStopping || exchange.closing) {
      const goesOn = await oneRound(connection, exchange, tally);
      run.counted();
      if (!goesOn) break;
    }
    connection.end();
  }
}

/** Returns whether the connection goes on. */
async function oneRound(connection: Connection, exchange: Exchange, tally: Tally): Promise<boolean> {
  const owed = exchange.answers ?? 1;
  const askedAt = performance.now();
  const written = exchange.write(connection.socket);
  for (let got = 0; got < owed; got++) {
    const response = await connection.response();
    if (typeof response === 'string') {
      countLost(tally, response, owed - got);
      return false;
    }
    const wrong = response.status !== 200 ? `status ${response.status}` : (exchange.judge?.(response) ?? null);
    if (wrong !== null) countLost(tally, wrong);
    else countAnswered(tally, response.body.split('\n', 1)[0]!.slice(0, 80), askedAt);
    if (response.closes) {
      if (got + 1 < owed) countLost(tally, 'pipelined requests behind a Connection: close', owed - got - 1);
      tally.closed += 1;
      return false;
    }
  }
  await written;
  return !exchange.closing;
}

/** A raw connection whose answers are awaited one by one. */
export class Connection {
  private readonly reader = new ResponseReader();
  private over: string | null = null;
  private wake: (() => void) | null = null;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.reader.feed(chunk);
      this.wake?.();
    });
    const end = (why: string) => () => {
      this.over ??= why;
      this.wake?.();
    };
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message)());
    socket.on('end', end('connection closed under a request'));
    socket.on('close', end('connection closed under a request'));
  }

  /** The connection, or why there is none. */
  static open({ port, host = '127.0.0.1', path, tls = false, from }: Target): Promise<Connection | string> {
    return new Promise((resolve) => {
      const where = path === undefined ? { port: port!, host, localAddress: from } : { path };
      const socket = tls ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
      socket.setNoDelay(true);
      const failed = (error: NodeJS.ErrnoException): void => resolve(`connect: ${error.code ?? error.message}`);
      socket.once('error', failed);
      socket.once(tls ? 'secureConnect' : 'connect', () => {
        socket.off('error', failed);
        resolve(new Connection(socket));
      });
    });
  }

  /** Open and nothing said about its end. */
  get isOpen(): boolean {
    return this.over === null;
  }

  /** Bytes have come that no `response()` has taken. */
  get hasUnread(): boolean {
    return this.reader.pending;
  }

  get howItEnded(): string {
    return this.over ?? 'not ended';
  }

  /** The next whole answer, or what became of the connection instead. */
  response(withinMs = HUNG_MS): Promise<RawResponse | string> {
    return new Promise((resolve) => {
      const finish = (result: RawResponse | string): void => {
        clearTimeout(timer);
        this.wake = null;
        resolve(result);
      };
      const timer = setTimeout(() => finish('hung'), withinMs);
      this.wake = () => {
        const response = this.read();
        if (response) finish(response);
        else if (this.over !== null) finish(this.reader.pending ? `truncated (${this.over})` : this.over);
      };
      this.wake();
    });
  }

  private read(): RawResponse | string | null {
    try {
      return this.reader.next();
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Settles when the server has ended the connection. */
  ended(withinMs = HUNG_MS): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the connection is still open after ${withinMs} ms`)), withinMs);
      this.wake = () => {
        if (this.over === null) return;
        clearTimeout(timer);
        this.wake = null;
        resolve(this.over);
      };
      this.wake();
    });
  }

  end(): void {
    this.socket.destroy();
  }
}
