/**
 * Read ends of pipes as libuv handles, to be sent from process to process. Used by the master, which holds each one unread so that a log
 * process that dies takes nothing along, and by the log process, which reads.
 */
import net = require('node:net');

/** Holds a read end and does not read. Owns the descriptor. */
export function holdPipe(fd: number): net.Socket {
  const options = { fd, readable: true, writable: false, pauseOnCreate: true };
  return new net.Socket(options).unref();
}

/** To be sent over an IPC channel; it stays open here. */
export const pipeHandle = (held: net.Socket): unknown => (held as unknown as { _handle: unknown })._handle;

/** What has come over an IPC channel. Reads once it is listened to. */
export function readPipe(handle: unknown): net.Socket {
  const options = { handle, readable: true, writable: false };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

interface Reader {
  reading: boolean;
  readStop(): number;
  readStart(): number;
}

/** Leaves what comes in the pipe for a moment. `pause` would read on until its own buffer is full. */
export function rest(pipe: net.Socket, ms: number): void {
  const { _handle: handle } = pipe as unknown as { _handle: Reader | null };
  if (!handle) return;
  handle.readStop();
  handle.reading = false; // So that a `resume` in the meantime, or after it, starts it again.
  setTimeout(() => {
    if (pipe.destroyed || pipe.isPaused()) return;
    handle.reading = true;
    handle.readStart();
  }, ms);
}
