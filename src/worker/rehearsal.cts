/**
 * Runs in the worker. The first requests of a process are slow, for Node's own HTTP code is loaded and compiled by them: before clients come, the master asks a
 * few that a server of the preload's answers. The app never sees them; where anybody watches all servers of the process, there is no rehearsal.
 */
import { EventEmitter } from 'node:events';

import type http = require('node:http');
import net = require('node:net');

import { foreignSubscribers } from '../node-internals/diagnostics-subscribers.cjs';
import { discountRequest } from './drain.cjs';
import { leaveOut } from './measure.cjs';

/** What tracing tools hear of every HTTP server. Of the first, the drain hears as well. */
const CHANNELS = [
  'http.server.request.start',
  'http.server.response.created',
  'http.server.response.finish',
  'net.server.socket',
];

// Kept from before the app runs: it may put another one in its place.
const { Socket } = net;

let server: http.Server | null = null;

/** Answers on the connection what it is asked, until the master ends it. */
export function rehearse(handle: { close(): void }): void {
  if (CHANNELS.some(foreignSubscribers)) {
    handle.close();
    return;
  }
  try {
    server ??= openServer();
    const socket = new Socket({ handle, allowHalfOpen: true } as net.SocketConstructorOpts);
    leaveOut(socket);
    server.emit('connection', socket);
  } catch {
    handle.close(); // The app has put something of its own in the place of Node's server.
  }
}

/** Loaded here: the app has an HTTP server, so it is there already. */
function openServer(): http.Server {
  const { Server } = require('node:http') as typeof http;
  const own = new Server((request, response) => {
    discountRequest();
    request.resume();
    response.setHeader('Content-Type', 'text/plain');
    response.end('ok\n');
  });
  // Tracing tools wrap the one that all servers share.
  own.emit = EventEmitter.prototype.emit;
  return own;
}
