/**
 * Runs in the master. Dispatch mode: accepts connections itself, for the exchange to send to the worker that each belongs to. Owns the sockets
 * that it polls, which are duplicates of those that the listeners hold.
 *
 * libuv cannot stop polling a socket, it can only close it, and to duplicate a descriptor Node has no call. So the socket is sent to a worker,
 * which sends it back under a new one; to stop, that one is closed. The accept queue is the same: whoever waits in it, waits for the
 * next who accepts, and a switch in either direction loses nobody.
 */
import v8 from 'node:v8';
import type { ServerHandle } from '../node-internals/server-handle.cjs';
import type { ConnectionHandle } from './peer.js';

/** A worker that has not sent a socket back by then is blocked, and another one is asked. In ms. */
const BOUNCE_MS = 500;

export interface Bouncer {
  readonly id: number;
  listensOn(key: string): boolean;
  sendBounce(key: string, handle: ServerHandle): void;
  /** The worker accepts from `key` by itself again, or no more. */
  sendAccept(key: string): void;
  sendHold(key: string): void;
}

interface Sockets {
  /** Of all that accept connections. */
  streamKeys(): string[];
  handleOf(key: string): ServerHandle | null | undefined;
}

interface Polled {
  /** The duplicate; null while a worker is asked for it. */
  handle: ServerHandle | null;
  /** Workers that were asked, so that a blocked one is not asked twice in a row. */
  asked: Set<number>;
  timer: NodeJS.Timeout | null;
}

export class Dispatch {
  private readonly workers = new Map<number, Bouncer>();
  private readonly polled = new Map<string, Polled>();
  private active = false;

  constructor(
    private readonly sockets: Sockets,
    private readonly accepted: (key: string, handle: ConnectionHandle) => void,
  ) {}

  /** This worker takes connections from now on. */
  join(worker: Bouncer): void {
    this.workers.set(worker.id, worker);
    if (this.active) this.pollAll();
  }

  /** Without anybody to send to, nothing is accepted: connections wait in the kernel's queue. */
  leave(id: number): void {
    this.workers.delete(id);
    for (const key of [...this.polled.keys()]) if (!this.hasReceiver(key)) this.close(key);
  }

  /** A worker has opened a listener. */
  opened(): void {
    if (this.active) this.pollAll();
  }

  start(): void {
    if (this.active) return;
    this.active = true;
    // The master starts without optimising compilers, for it has nothing to do: now it has.
    v8.setFlagsFromString('--opt');
    v8.setFlagsFromString('--sparkplug');
    this.pollAll();
  }

  /** The workers accept by themselves again. */
  stop(): void {
    if (!this.active) return;
    this.active = false;
    for (const key of [...this.polled.keys()]) {
      this.close(key);
      for (const worker of this.workers.values()) if (worker.listensOn(key)) worker.sendAccept(key);
    }
  }

  /** Does the master accept from `key` now, so that a worker need not? */
  isPolled(key: string): boolean {
    return this.polled.get(key)?.handle != null;
  }

  close(key: string): void {
    const one = this.polled.get(key);
    if (!one) return;
    this.polled.delete(key);
    if (one.timer) clearTimeout(one.timer);
    one.handle?.close();
  }

  /** A worker has sent the socket back. */
  bounced(key: string, backlog: number, handle: ServerHandle): void {
    const one = this.polled.get(key);
    if (!one || one.handle) {
      handle.close();
      return;
    }
    if (one.timer) clearTimeout(one.timer);
    handle.onconnection = (error, client) => {
      if (!error) this.accepted(key, client as ConnectionHandle);
    };
    if (handle.listen(backlog) !== 0) {
      handle.close(); // It stays with the workers, which accept as before.
      return;
    }
    one.handle = handle;
    for (const worker of this.workers.values()) if (worker.listensOn(key)) worker.sendHold(key);
  }

  private pollAll(): void {
    for (const key of this.sockets.streamKeys()) {
      if (this.polled.has(key) || !this.hasReceiver(key)) continue;
      this.polled.set(key, { handle: null, asked: new Set(), timer: null });
      this.ask(key);
    }
  }

  private ask(key: string): void {
    const one = this.polled.get(key);
    const handle = this.sockets.handleOf(key);
    const able = [...this.workers.values()].filter((worker) => worker.listensOn(key));
    if (!one || one.handle) return;
    if (!handle || able.length === 0) {
      this.polled.delete(key); // It begins anew where a worker opens it again.
      return;
    }
    if (able.every(({ id }) => one.asked.has(id))) one.asked.clear();
    const next = able.find(({ id }) => !one.asked.has(id))!;
    one.asked.add(next.id);
    next.sendBounce(key, handle);
    one.timer = setTimeout(() => this.ask(key), BOUNCE_MS);
  }

  private hasReceiver(key: string): boolean {
    return [...this.workers.values()].some((worker) => worker.listensOn(key));
  }
}
