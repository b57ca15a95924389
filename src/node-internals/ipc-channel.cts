/**
 * Runs in the worker. The IPC channel beneath `process.send`: zdsup's own as well as the app's. An app may let go of it, `process.disconnect()`,
 * and finds what it would find then; the channel itself stays, because by it the master tells the worker when to leave.
 */
import cluster = require('node:cluster');

import type { Worker } from 'node:cluster';

interface Internals {
  _send?(message: object, handle: unknown, options: object, callback: (error: Error | null) => void): void;
  _disconnect?(): void;
  disconnect?(): void;
  channel?: { unref(): void } | null;
  connected: boolean;
  /** What waits until the other end has a handle that was sent before. */
  _handleQueue?: unknown[] | null;
}

const internals = process as unknown as Internals;
// Kept from before the app runs: it may replace what it finds on process.
const send = internals._send?.bind(process) ?? null;

/** Null where the channel is as expected, else what is missing. */
export const missingChannel = (): string | null =>
  send && typeof internals._disconnect === 'function' ? null : 'process._send';

/**
 * A channel that is gone is no error.
 * @param handle stays the caller's to close
 * @param sent it has been handed to the kernel, or cannot be; never called where the channel goes first
 */
export function sendToMaster(message: object, handle?: unknown, sent: () => void = () => {}): void {
  if (internals.channel && send) send(message, handle, { swallowErrors: false }, sent);
}

/**
 * In 'exit' alone: what waits for the other end to have a handle will not be sent any more, so this does not wait behind it. Node would fail on the answer
 * that no longer finds the queue. Written before the call returns, where the channel has room.
 */
export function sendLast(message: object): void {
  if (internals._handleQueue) internals._handleQueue = null;
  sendToMaster(message);
}

/**
 * @param on.orphaned the master is gone
 * @param on.leaving the app has called `cluster.worker.disconnect()`: it wants to be replaced
 */
export function keepChannel(on: { orphaned(): void; leaving(): void }): void {
  const disconnect = internals.disconnect!;
  internals.disconnect = () => {
    const isFirst = internals.connected;
    internals.connected = false;
    internals.channel?.unref();
    // Node calls this as well, where the other end is gone, and takes the channel away next.
    setImmediate(() => {
      if (!internals.channel) on.orphaned();
      if (isFirst) process.emit('disconnect');
      else if (internals.channel) disconnect.call(process); // Emits the error of a second call.
    });
  };
  internals._disconnect = () => {};
  const { worker } = cluster as unknown as { worker?: Worker };
  if (!worker) return;
  worker.disconnect = function () {
    this.exitedAfterDisconnect = true;
    on.leaving();
    return this;
  };
}
