/**
 * Runs in the worker. Requests on one connection, where its server limits them (`maxRequestsPerSocket`): Node's own count begins anew where a
 * connection changes worker.
 */
import type http = require('node:http');
import type net = require('node:net');

import { closeAfter } from '../node-internals/http-connections.cjs';

const COUNT = Symbol('zdsup.requests');
type Counted = net.Socket & { [COUNT]?: number };

export const requestsOn = (socket: net.Socket): number => (socket as Counted)[COUNT] ?? 0;

/** It comes with so many. */
export function countOn(socket: net.Socket, requests: number): void {
  (socket as Counted)[COUNT] = requests;
}

/** Called for every request, as it starts. */
export function countRequest(server: http.Server, socket: net.Socket, response: http.ServerResponse): void {
  const limit = server.maxRequestsPerSocket;
  if (!limit || !(limit > 0)) return;
  const count = requestsOn(socket) + 1;
  (socket as Counted)[COUNT] = count;
  if (count >= limit) closeAfter(response);
}
