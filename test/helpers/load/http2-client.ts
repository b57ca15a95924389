/**
 * HTTP/2 in raw frames, so that every stream is counted: one whose HEADERS were written before a GOAWAY was read is owed a whole
 * answer. Flow control is out of the way: the windows are as wide as they get.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Load, Run } from './load.js';
import { runClients } from './load.js';
import { countAnswered, countLost } from './tally.js';

export interface Http2Target {
  port: number;
  tls: boolean;
}

export interface Answer {
  body: string;
  /** `end`: the stream was ended; else what became of it instead. */
  how: string;
}

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const WIDEST = 2 ** 31 - 1;
/** No answer by then: it hangs, in ms. */
const HUNG_MS = 30_000;

function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

/** GET, http, `x`, and the path as a literal (RFC 7541, 6.2.2). */
const headersOf = (path: string): Buffer =>
  Buffer.concat([Buffer.from([0x82, 0x86, 0x01, 1, 0x78, 0x04, path.length]), Buffer.from(path)]);

export async function tcp(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

export class Http2Connection {
  /** The last stream of each GOAWAY, as they came. */
  readonly goaways: number[] = [];
  /** Why the connection is over; null while it is open. */
  over: string | null = null;
  readonly ended: Promise<string>;
  /** Most clients do, at once. */
  confirmsSettings = true;
  private nextId = 1;
  private received = Buffer.alloc(0);
  private readonly open = new Map<number, { body: string; settle(how: string): void }>();

  private constructor(readonly socket: Socket) {
    this.ended = new Promise((resolve) => {
      const end = (why: string): void => {
        this.over ??= why;
        for (const { settle } of this.open.values()) settle(why);
        socket.destroy();
        resolve(this.over);
      };
      socket.on('data', (chunk: Buffer) => this.feed(chunk));
      socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      socket.on('end', () => end('connection ended'));
      socket.on('close', () => end('connection closed'));
    });
    const settings = Buffer.concat([Buffer.from([0, 4]), uint32(WIDEST)]);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(SETTINGS, 0, 0, settings));
    socket.write(frame(WINDOW_UPDATE, 0, 0, uint32(WIDEST - 65_535)));
  }

  static async connect({ port, tls }: Http2Target): Promise<Http2Connection> {
    return Http2Connection.over(await tcp(port), tls);
  }

  /** On a TCP connection that is open already: the TLS handshake, if any, begins here. */
  static async over(beneath: Socket, tls: boolean): Promise<Http2Connection> {
    if (!tls) return new Http2Connection(beneath);
    const socket = connectTls({ socket: beneath, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    return new Http2Connection(socket);
  }

  /** Told to go elsewhere. */
  get isLeaving(): boolean {
    return this.goaways.length > 0 || this.over !== null;
  }

  /** Opens a stream; settles when it is over, one way or another. */
  request(path: string): Promise<Answer> {
    const id = this.nextId;
    this.nextId += 2;
    return new Promise((resolve) => {
      const timer = setTimeout(() => stream.settle('hung'), HUNG_MS);
      const stream = {
        body: '',
        settle: (how: string): void => {
          clearTimeout(timer);
          this.open.delete(id);
          resolve({ body: stream.body, how });
        },
      };
      this.open.set(id, stream);
      if (this.over === null) this.socket.write(frame(HEADERS, END_STREAM | END_HEADERS, id, headersOf(path)));
      else stream.settle(this.over);
    });
  }

  private feed(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    while (this.received.length >= 9) {
      const length = this.received.readUIntBE(0, 3);
      if (this.received.length < 9 + length) return;
      const [type, flags, stream] = [this.received[3]!, this.received[4]!, this.received.readUInt32BE(5)];
      const payload = this.received.subarray(9, 9 + length);
      this.received = this.received.subarray(9 + length);
      this.take(type, flags, stream, payload);
    }
  }

  private take(type: number, flags: number, id: number, payload: Buffer): void {
    const stream = this.open.get(id);
    if (type === DATA && stream) stream.body += payload.toString();
    if ((type === DATA || type === HEADERS) && flags & END_STREAM) stream?.settle('end');
    if (type === RST_STREAM) stream?.settle(`reset ${payload.readUInt32BE(0)}`);
    if (type === SETTINGS && !(flags & ACK) && this.confirmsSettings) this.socket.write(frame(SETTINGS, ACK, 0));
    if (type === PING && !(flags & ACK)) this.socket.write(frame(PING, ACK, 0, payload));
    if (type === GOAWAY) {
      const last = payload.readUInt32BE(0);
      this.goaways.push(last);
      for (const [asked, { settle }] of this.open) if (asked > last) settle('left out by a GOAWAY');
    }
  }
}

/** `clients` connections with `streams` streams each under way at any time; one that is told to leave is replaced at once. */
export const startHttp2Load = (target: Http2Target, clients: number, streams: number, path = '/'): Load =>
  runClients(clients, (run) => runClient(target, streams, path, run));

async function runClient(target: Http2Target, streams: number, path: string, run: Run): Promise<void> {
  const leaving: Promise<unknown>[] = [];
  while (!run.isStopping) {
    let connection: Http2Connection;
    try {
      connection = await Http2Connection.connect(target);
    } catch (error) {
      countLost(run.tally, `connect: ${(error as NodeJS.ErrnoException).code}`);
      continue;
    }
    const under = Array.from({ length: streams }, () => runStreams(connection, path, run));
    await Promise.race(under);
    // Its last streams end while the next connection is in use already.
    leaving.push(
      Promise.all(under).then(() => {
        if (connection.goaways.length === 0) connection.socket.destroy();
        return connection.ended;
      }),
    );
  }
  await Promise.all(leaving);
}

/** One after another, until the connection is left. */
async function runStreams(connection: Http2Connection, path: string, run: Run): Promise<void> {
  const { tally } = run;
  while (!run.isStopping && !connection.isLeaving) {
    const askedAt = performance.now();
    const { body, how } = await connection.request(path);
    if (how !== 'end') countLost(tally, how);
    else if (!body.startsWith('pid ')) countLost(tally, `answered ${JSON.stringify(body)}`);
    else countAnswered(tally, body, askedAt);
    run.counted();
  }
}
