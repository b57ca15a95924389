/**
 * Runs in the page. The live socket: opened again, with pauses that grow, whenever it is lost or falls silent. What comes is handed on; the page's state is
 * the model's.
 */
import type { PageMessage, ServerMessage } from '../shared/dashboard-protocol.js';
import { LIVE_PATH } from '../shared/dashboard-protocol.js';
import { nextTryMs } from './pure/backoff.js';

/** A sample comes every second: after so long without one nobody is there, whatever TCP thinks. */
const SILENCE_MS = 8_000;

export interface ConnectionListener {
  message(message: ServerMessage): void;
  /** @param nextTryAt ms since 1970; null while one is under way @param tries so many have failed since */
  lost(nextTryAt: number | null, tries: number): void;
  /** The master is there, and does not let this page in any more. */
  shutOut(): void;
}

export class Connection {
  private socket: WebSocket | null = null;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly listener: ConnectionListener) {
    window.addEventListener('online', () => this.tryNow());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.tryNow();
    });
  }

  open(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    const socket = new WebSocket(new URL(LIVE_PATH, location.href.replace(/^http/, 'ws')));
    this.socket = socket;
    this.watch(socket);
    socket.addEventListener('message', ({ data }) => {
      if (this.socket !== socket) return;
      this.watch(socket);
      const message = JSON.parse(data as string) as ServerMessage;
      if (message.type === 'hello') this.failures = 0;
      this.listener.message(message);
    });
    socket.addEventListener('close', () => this.closed(socket));
  }

  /** Returns false where nobody would hear it. */
  send(message: PageMessage): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** In place of the rest of a pause. */
  tryNow(): void {
    if (this.retry === undefined) return;
    this.listener.lost(null, this.failures - 1);
    this.open();
  }

  private watch(socket: WebSocket): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.closed(socket); // Its close event may take a minute: the peer is not there.
      socket.close();
    }, SILENCE_MS);
  }

  private closed(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    const waitMs = nextTryMs(this.failures++, Math.random());
    this.retry = setTimeout(() => this.tryNow(), waitMs);
    this.listener.lost(Date.now() + waitMs, this.failures - 1);
    if (this.failures > 1) void this.ask();
  }

  /** A socket that is refused does not say why. */
  private async ask(): Promise<void> {
    try {
      const { status } = await fetch('./', { method: 'GET', redirect: 'manual', cache: 'no-store' });
      if (status === 401 || status === 403) this.listener.shutOut();
    } catch {
      // Nobody there: as it was.
    }
  }
}
