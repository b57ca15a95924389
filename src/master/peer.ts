/** Runs in the master. What the exchange and its rooms need of a worker, and of a connection: the contract, so that tests drive stand-ins. */
import type { Receiver } from '../domain/routing.js';
import type { Passed } from '../shared/messages.cjs';

/** A connection as libuv has it. */
export interface ConnectionHandle {
  close(): void;
  getpeername?(out: object): number;
}

export interface Peer extends Receiver {
  listensOn(key: string): boolean;
  sendTake(offer: { id: number; fresh: boolean; stays: boolean } & Passed, handle: ConnectionHandle): void;
  sendGrant(offerId: number): void;
  sendRevoke(offerId: number): void;
  /** Has it come? Where not, it is declined. */
  sendTakeAsked(offerId: number): void;
  /** `sent`: it has gone out, or never will. */
  sendTaken(seq: number, sent: () => void): void;
  /** `stays`: it is not given away again. */
  sendUntaken(seq: number, stays: boolean): void;
  /** Answered with `load`, at once. */
  sendCount(): void;
  sendGive(count: number): void;
}
