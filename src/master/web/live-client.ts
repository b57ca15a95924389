/**
 * Runs in the master. One page on the live socket, within its bounds: a page that says too much, reads too slowly or has gone without a word is dropped, and
 * nothing is buffered for it beyond a megabyte.
 */
import type { RawData, WebSocket } from 'ws';

/** What a page may say, on average and at once: messages and pings. */
export const MESSAGES_PER_SECOND = 20;
export const MESSAGES_AT_ONCE = 40;
/** Of one that has not read so much, in bytes, no more is kept. */
export const MOST_UNREAD_BYTES = 1024 * 1024;
/** A page that has not answered a ping by the next one has gone, in ms. */
const PING_MS = 20_000;
/** Between the close frame and the end of a page that does not answer it, in ms. */
const CLOSE_MS = 1_000;

export interface LiveListener {
  said(text: string): void;
  /** Called once. */
  left(why: 'gone' | 'rate' | 'slow'): void;
}

/** So many at once, and then so many a second. */
export class Allowance {
  private left: number = MESSAGES_AT_ONCE;
  private at: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.at = now();
  }

  take(): boolean {
    const now = this.now();
    this.left = Math.min(MESSAGES_AT_ONCE, this.left + ((now - this.at) / 1_000) * MESSAGES_PER_SECOND);
    this.at = now;
    if (this.left < 1) return false;
    this.left -= 1;
    return true;
  }
}

export class LiveClient {
  /** It has had its first message. */
  greeted = false;
  followsLog = false;
  /** Under way. */
  orders = 0;
  private alive = true;
  private closing = false;
  private readonly allowance = new Allowance();
  private readonly pings: NodeJS.Timeout;

  constructor(
    private readonly socket: WebSocket,
    private readonly listener: LiveListener,
  ) {
    socket.on('error', () => socket.terminate()); // A frame that is none, or too long: ws has said so to the peer.
    socket.on('close', () => {
      clearInterval(this.pings);
      listener.left('gone');
    });
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (!this.mayGoOn()) return;
      if (isBinary) this.close(1003, 'text is spoken here');
      else listener.said(data.toString());
    });
    socket.on('ping', (data: Buffer) => {
      if (this.mayGoOn()) socket.pong(data);
    });
    socket.on('pong', () => {
      this.alive = true;
    });
    this.pings = setInterval(() => this.ping(), PING_MS).unref();
  }

  send(text: Buffer): void {
    if (this.closing || this.socket.readyState !== this.socket.OPEN) return;
    if (this.socket.bufferedAmount > MOST_UNREAD_BYTES) {
      this.leave('slow');
      this.socket.terminate();
    } else this.socket.send(text, { binary: false });
  }

  close(code: number, reason: string): void {
    if (this.closing) return;
    this.closing = true;
    this.socket.close(code, reason);
    setTimeout(() => this.socket.terminate(), CLOSE_MS).unref();
  }

  private mayGoOn(): boolean {
    if (this.closing) return false;
    if (this.allowance.take()) return true;
    this.leave('rate');
    this.close(1008, `more than ${MESSAGES_PER_SECOND} messages a second`);
    return false;
  }

  private ping(): void {
    if (!this.alive) {
      this.socket.terminate();
      return;
    }
    this.alive = false;
    this.socket.ping();
  }

  private leave(why: 'rate' | 'slow'): void {
    clearInterval(this.pings);
    this.listener.left(why);
  }
}
