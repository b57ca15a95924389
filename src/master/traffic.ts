/**
 * Runs in the master. Which worker a connection goes to: joins the exchange (connections between workers) and the dispatch (those that the master
 * accepts), and keeps both told of who takes traffic. Decides nothing: the core has, in its `route`.
 */
import type { Routing } from '../domain/types.js';
import type { ServerHandle } from '../node-internals/server-handle.cjs';
import type { WorkerMessage } from '../shared/messages.cjs';
import type { Bouncer } from './dispatch.js';
import { Dispatch } from './dispatch.js';
import { Exchange } from './exchange.js';
import type { Listeners } from './listeners.js';
import type { ConnectionHandle, Peer } from './peer.js';
import { SaidOnce } from './said-once.js';
import { closeStray } from './stray-handle.js';

type TrafficMessage = Extract<
  WorkerMessage,
  { act: 'handoff' | 'handoff-asked' | 'claim' | 'decline' | 'load' | 'bounced' }
>;

/** Of what a worker says is told so much, in characters. */
const LONGEST_REASON = 200;

export class Traffic {
  private readonly exchange: Exchange;
  private readonly dispatch: Dispatch;
  private readonly once: SaidOnce;
  private isSticky = false;

  /** @param warn says it to the people who run the app */
  constructor(
    private readonly listeners: Listeners,
    warn: (message: string) => void,
  ) {
    this.once = new SaidOnce(warn);
    this.exchange = new Exchange((key) => listeners.handleOf(key) !== undefined);
    this.dispatch = new Dispatch(listeners, (key, handle) => this.exchange.accepted(key, handle));
    listeners.closing = (key) => {
      this.dispatch.close(key);
      this.exchange.closed(key);
    };
  }

  route(routing: Routing): void {
    this.exchange.route(routing);
    if (routing.mode === 'dispatch') this.dispatch.start();
    else this.dispatch.stop();
    this.isSticky = routing.sticky;
    this.explainSticky();
  }

  /** The worker has been told to take traffic. */
  join(worker: Peer & Bouncer): void {
    this.exchange.join(worker);
    this.dispatch.join(worker);
  }

  /** Called before the worker is told to drain. */
  leave(id: number): void {
    this.dispatch.leave(id);
    this.exchange.leave(id);
  }

  gone(id: number): void {
    this.dispatch.leave(id);
    this.exchange.gone(id);
  }

  /** An active worker has opened a listener. */
  opened(): void {
    this.exchange.opened();
    this.dispatch.opened();
    this.explainSticky();
  }

  /** The app stops: whoever has come is answered by those who drain, and nobody waits for others. */
  stop(): void {
    this.dispatch.stop();
    this.exchange.stop();
  }

  isPolled(key: string): boolean {
    return this.dispatch.isPolled(key);
  }

  /** The app speaks on this channel as well: what is no message of the preload's is passed over. */
  receive(worker: Peer, message: TrafficMessage, handle: unknown): void {
    switch (message.act) {
      case 'handoff': {
        const { seq, key, used, requests } = message;
        if (isHandle(handle)) this.exchange.handOff(worker, seq, { key, used, requests }, handle);
        else closeStray(handle);
        break;
      }
      case 'handoff-asked':
        // A turn later: Node emits a message that carries a handle a tick after those that were read with it.
        setImmediate(() => this.exchange.handOffAsked(worker, message.seq));
        break;
      case 'claim':
        this.exchange.claim(worker, message.id);
        break;
      case 'decline':
        this.exchange.decline(worker, message.id);
        break;
      case 'load': {
        const { connections, fixed } = message;
        if (Number.isInteger(connections) && Number.isInteger(fixed)) this.exchange.load(worker, connections, fixed);
        break;
      }
      case 'bounced':
        if (isHandle(handle) && Number.isInteger(message.backlog))
          this.dispatch.bounced(message.key, message.backlog, handle as unknown as ServerHandle);
        else closeStray(handle);
        break;
    }
  }

  /** Idle connections stay where they are: once for each reason, however many workers have it. */
  explain(worker: Peer, why: unknown): void {
    if (typeof why !== 'string') return; // Not from the preload.
    const reason = why.slice(0, LONGEST_REASON);
    this.once.tell(
      worker,
      `idle connections are not handed over (${reason}): a reload ends them with their next response`,
    );
  }

  /** A unix socket's clients have no address to go by. */
  private explainSticky(): void {
    if (!this.isSticky) return;
    for (const path of this.listeners.unixPaths())
      this.once.tell(
        this,
        `sticky: 'ip' has no meaning on the unix socket ${path}: its connections are spread in turn`,
      );
  }
}

/** A stream as libuv has it, which a connection and a listening socket are. */
const isHandle = (handle: unknown): handle is ConnectionHandle => {
  const { close, readStart } = (handle ?? {}) as { close?: unknown; readStart?: unknown };
  return typeof close === 'function' && typeof readStart === 'function';
};
