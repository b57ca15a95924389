/**
 * Runs in the worker. Who is told of each HTTP/1.1 response that has been written out. Node tells by a diagnostics channel, for which it makes an object a
 * request and goes through a list; in that very moment it also calls `detachSocket` of the response, and to be called there costs a third (Node 20 to 26).
 * A Node that is not known to do so is asked by the channel.
 */
import type http = require('node:http');
import type net = require('node:net');

import { subscribe, unsubscribe } from './diagnostics-subscribers.cjs';

type Told = (socket: net.Socket, response: http.ServerResponse) => void;
type Detach = (this: http.ServerResponse, socket: net.Socket) => void;

const CHANNEL = 'http.server.response.finish';
const NEWEST_KNOWN = 26;

const MAJOR = Number.parseInt(process.versions.node, 10);

/** One for all who want to hear: several would be put around one another, and the lower ones stay for good. */
let unhook: (() => void) | null = null;
let all: Told[] = [];
/** All of them in one call, so that one alone costs no more than it must. */
let tell: Told = () => {};

/**
 * Once the app has an HTTP server.
 * @param major of the Node that runs this
 * @returns ends it
 */
export function onResponseFinished(told: Told, major = MAJOR): () => void {
  hear([...all, told]);
  unhook ??= hook(major);
  return () => {
    hear(all.filter((one) => one !== told));
    if (all.length > 0) return;
    unhook?.();
    unhook = null;
  };
}

function hear(those: Told[]): void {
  all = those;
  const [only] = those;
  tell =
    only !== undefined && those.length === 1
      ? only
      : (socket, response) => {
          for (const told of those) told(socket, response);
        };
}

function hook(major: number): () => void {
  const { ServerResponse } = require('node:http') as typeof http;
  const detach: unknown = ServerResponse.prototype.detachSocket;
  return major <= NEWEST_KNOWN && typeof detach === 'function'
    ? byDetach(ServerResponse.prototype, detach as Detach)
    : byChannel();
}

function byDetach(prototype: http.ServerResponse, detach: Detach): () => void {
  let isOver = false;
  const own: Detach = function (socket) {
    detach.call(this, socket);
    // An app that takes the socket away from a response has not ended it.
    if (!isOver && this.finished) tell(socket, this);
  };
  prototype.detachSocket = own;
  return () => {
    isOver = true;
    if (prototype.detachSocket === own) prototype.detachSocket = detach; // Else somebody has wrapped it, and calls it still.
  };
}

function byChannel(): () => void {
  const listener = (message: unknown): void => {
    const { socket, response } = message as { socket: net.Socket; response: http.ServerResponse };
    tell(socket, response);
  };
  subscribe(CHANNEL, listener);
  return () => unsubscribe(CHANNEL, listener);
}
