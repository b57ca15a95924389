/**
 * Runs in the worker. Takes connections in that the master sends: handed over by another worker, or accepted by the master. Owns one only once it
 * is granted; until then nothing is read from it, for it may have gone elsewhere.
 */
import type http = require('node:http');
import type net = require('node:net');

import type { ConnectionHandle } from '../node-internals/connection-handle.cjs';
import { awaitNextRequest, putIn, requestBegins } from '../node-internals/connection-handle.cjs';
import type { MasterMessage, Passed } from '../shared/messages.cjs';
import { tell } from './channel.cjs';
import { noteTaken } from './figures.cjs';
import { beyondLimit, hasRoom, standInOf } from './listen-seam.cjs';
import { countAnew } from './load.cjs';
import { countOn } from './request-count.cjs';

type Offer = Omit<Extract<MasterMessage, { act: 'take' }>, 'cmd' | 'act'>;

const STAYS = Symbol('zdsup.stays');
type Adopted = net.Socket & { [STAYS]?: true };

const claimed = new Map<number, { offer: Offer; handle: ConnectionHandle }>();
/** Nobody looks at requests before a first connection has come in this way. */
let hasAdopted = false;

export function take(offer: Offer, handle: ConnectionHandle): void {
  // One that was accepted for this worker is judged by the server itself, as ever: it may drop it, and say so to the app.
  const isWelcome =
    standInOf(offer.key) !== undefined && (offer.fresh || offer.stays || hasRoom(offer.key, comingTo(offer.key)));
  if (!isWelcome) {
    handle.close();
    tell({ act: 'decline', id: offer.id });
    return;
  }
  claimed.set(offer.id, { offer, handle });
  tell({ act: 'claim', id: offer.id });
}

/** Claimed for it, and not granted yet. */
const comingTo = (key: string): number => [...claimed.values()].filter(({ offer }) => offer.key === key).length;

/**
 * Without a free descriptor a connection never comes, and nothing says so: the master asks. What is not here by now has been lost, or is known
 * to be over by the master as well. A turn later, for Node emits a message that carries a handle a tick after those that were read with it.
 */
export function takeAsked(id: number): void {
  setImmediate(() => {
    if (!claimed.has(id)) tell({ act: 'decline', id });
  });
}

export function grant(id: number): void {
  const one = claimed.get(id);
  claimed.delete(id);
  if (!one) return;
  countAnew();
  if (!one.offer.fresh) noteTaken();
  adopt(one.handle, one.offer, one.offer);
}

/** Claimed, and neither granted nor revoked yet: the process that ends with one loses it. */
export const claimsUnderWay = (): number => claimed.size;

/** It went elsewhere: this copy is closed, unread. */
export function revoke(id: number): void {
  claimed.get(id)?.handle.close();
  claimed.delete(id);
}

/** The master is gone, and may have given them to others before. */
export function revokeAll(): void {
  for (const id of [...claimed.keys()]) revoke(id);
}

export const staysHere = (socket: net.Socket): boolean => (socket as Adopted)[STAYS] === true;

/** Also where a move did not take place. `stays`: it is not moved again; `fresh`: the server may drop it. */
export function adopt(
  handle: ConnectionHandle,
  { key, used, requests }: Passed,
  { stays, fresh }: { stays: boolean; fresh: boolean },
): void {
  const standIn = standInOf(key);
  if (!standIn) {
    handle.close(); // The app has closed its server in between.
    return;
  }
  const put = (): net.Socket | null => putIn(standIn, handle);
  const socket = (fresh ? put() : beyondLimit(key, put)) as Adopted | null;
  if (!socket) return;
  if (stays) socket[STAYS] = true;
  if (requests > 0) countOn(socket, requests);
  const server = (socket as { server?: http.Server }).server;
  if (!used || !server) return;
  hasAdopted = true;
  awaitNextRequest(server, socket);
}

/** Called for every request, as it starts. */
export function noteRequest(socket: net.Socket, server: http.Server): void {
  if (hasAdopted) requestBegins(server, socket);
}
