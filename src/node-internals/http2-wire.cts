/**
 * Runs in the worker, while it drains. What an HTTP/2 session does not offer: which streams it has open, which sockets carry
 * it, and bytes of one's own between two of its frames. Every access is probed; where a Node has it differently the answer
 * is `never`, and the caller closes the session as the documented API does.
 */
import fs = require('node:fs');
import type http2 = require('node:http2');
import net = require('node:net');

/** `later`: nothing was written, and it may be tried again. */
export type Outcome = 'written' | 'later' | 'never';

type Session = http2.Http2Session;

interface StreamHandle {
  fd?: number;
  writeQueueSize?: number;
  bytesWritten?: number;
  reading?: boolean;
  _secureContext?: unknown;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: object | null, data: Buffer): unknown;
}

type Carrier = net.Socket & { _handle?: StreamHandle | null; _parent?: net.Socket | null };

/** What `TLSSocket.prototype._wrapHandle` makes, as far as it is used here. */
interface Lid {
  destroySSL(): void;
}

type WrapHandle = (this: object, wrap: null, handle: StreamHandle, hasActiveWrite: boolean) => Lid;

/** How often the wait for a session's own write looks again, in ms, and how often at most where nothing is written at all. */
const LOOK_AGAIN_MS = 5;
const LOOKS = 40;

function hidden(session: Session, description: string): unknown {
  const symbol = Object.getOwnPropertySymbols(session).find((candidate) => candidate.description === description);
  return symbol === undefined ? undefined : (session as unknown as Record<symbol, unknown>)[symbol];
}

/** Streams of `session` that are open right now; none where it cannot be told. */
export function openStreams(session: Session): http2.ServerHttp2Stream[] {
  // A Map of Node's own kind, which is no instance of Map.
  const state = hidden(session, 'state') as { streams?: Map<number, http2.ServerHttp2Stream> } | undefined;
  return typeof state?.streams?.values === 'function' ? [...state.streams.values()] : [];
}

/** The socket of `session`, and the one beneath it over TLS. `session.socket` is a stand-in for the first. */
export function carriersOf(session: Session): net.Socket[] {
  const socket = hidden(session, 'socket') as Carrier | undefined;
  if (!socket) return [];
  return socket._parent ? [socket, socket._parent] : [socket];
}

/**
 * Writes `bytes` to the connection of `session`, between two of its frames; nghttp2, which writes the frames, does not hear
 * of it. `filler` is a frame without meaning, for a session that is destroyed on the way.
 */
export function writeBetweenFrames(
  session: Session,
  bytes: Buffer,
  filler: Buffer,
  settle: (outcome: Outcome) => void,
): void {
  const [socket] = carriersOf(session) as Carrier[];
  const handle = socket?._handle;
  if (!socket || !handle || typeof handle.writeQueueSize !== 'number') settle('never');
  else if (handle.writeQueueSize > 0) settle('later');
  else if (session.encrypted) writeFrozen(session, socket, handle, bytes, filler, settle);
  else settle(writeBeside(socket, handle, bytes));
}

/**
 * Clear text. A session writes whole frames in one go: with nothing left in libuv's queue the connection is between two of
 * them, and stays so until this function returns.
 */
function writeBeside(socket: net.Socket, handle: StreamHandle, bytes: Buffer): Outcome {
  if (typeof handle.fd !== 'number' || handle.fd < 0) return 'never';
  let written = 0;
  try {
    written = fs.writeSync(handle.fd, bytes);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'later' : 'never';
  }
  if (written === bytes.length) return 'written';
  socket.destroy(); // Half a frame: what follows could not be read. A send buffer takes 17 bytes or none.
  return 'never';
}

/**
 * Over TLS. A write through the TLS handle is asynchronous, its end is reported to the handle's topmost listener, and a session
 * that hears of a write while it has none in progress aborts the process. So the session is made to have one:
 * 1. A second TLS handle is laid on top (a lid), which takes reports of writes that are not its own, and drops them.
 * 2. The session writes a PING. The report of its end goes to the lid: the session believes that it is still writing, and
 *    until it hears otherwise it writes nothing, whatever the app does. The connection is between two frames.
 * 3. The lid is taken off and `bytes` are written. The report of that write goes to the session, as that of its PING, and it
 *    goes on.
 * Nothing may be read while the lid is on: it would go to the lid.
 */
function writeFrozen(
  session: Session,
  socket: Carrier,
  handle: StreamHandle,
  bytes: Buffer,
  filler: Buffer,
  settle: (outcome: Outcome) => void,
): void {
  const wrapHandle = (Object.getPrototypeOf(socket) as { _wrapHandle?: WrapHandle })._wrapHandle;
  const WriteRequest = writeRequest();
  if (!wrapHandle || WriteRequest === undefined || !handle._secureContext || typeof handle.bytesWritten !== 'number') {
    settle('never');
    return;
  }
  // Sent no sooner than this turn of the loop is over.
  if (session.ping(() => {}) === false) {
    settle('later');
    return;
  }
  const bytesBefore = handle.bytesWritten;
  const takeOff = putLidOn(handle, wrapHandle);
  if (takeOff === null) {
    settle('never');
    return;
  }
  handle.readStop();
  let looks = 0;
  const isGone = (): boolean => socket.destroyed || socket._handle !== handle;

  const look = (): void => {
    if (isGone()) {
      takeOff();
      settle('never');
      return;
    }
    const hasWritten = handle.bytesWritten !== bytesBefore;
    if (hasWritten && handle.writeQueueSize === 0) {
      takeOff();
      const request = WriteRequest === null ? null : Object.assign(new WriteRequest(), { oncomplete() {} });
      // A session destroyed meanwhile waits for the report too, and has said its last GOAWAY.
      handle.writeBuffer(request, session.destroyed ? filler : bytes);
      // Node 20 to 24 read on as soon as the write has ended, Node 26 never stopped by itself.
      setImmediate(() => {
        if (!isGone()) handle.readStart();
      });
      settle(session.destroyed ? 'never' : 'written');
    } else if (!hasWritten && ++looks > LOOKS) {
      takeOff(); // A session that nghttp2 has given up writes nothing any more.
      handle.readStart();
      settle('later');
    } else setTimeout(look, LOOK_AGAIN_MS);
  };
  // The session's own immediate, and the end of its write, come before those of JavaScript.
  setImmediate(look);
}

/**
 * `_wrapHandle` makes the second handle, pushes it as a listener, and redefines `reading` of the first, which is put back.
 * Returns what takes the lid off again; null where there is none.
 */
function putLidOn(handle: StreamHandle, wrapHandle: WrapHandle): (() => void) | null {
  const reading = Object.getOwnPropertyDescriptor(handle, 'reading');
  const owner = {
    _tlsOptions: { secureContext: handle._secureContext, isServer: true },
    on() {},
    listenerCount: () => 1,
  };
  try {
    const lid = wrapHandle.call(owner, null, handle, false);
    return () => {
      lid.destroySSL();
      if (reading) Object.defineProperty(handle, 'reading', reading);
    };
  } catch {
    return null;
  }
}

let knownRequest: (new () => object) | null | undefined;

/**
 * The class of what a handle's `writeBuffer` wants as its first argument, taken from a write to a handle that is none; null
 * where it wants null (Node 26 makes it by itself), undefined where it is something else.
 */
function writeRequest(): (new () => object) | null | undefined {
  if (knownRequest !== undefined) return knownRequest;
  const handle = {
    writeBuffer(request: object | null): number {
      knownRequest = request === null ? null : (request.constructor as new () => object);
      return 0;
    },
    readStart: () => 0,
    readStop: () => 0,
    close() {},
    getAsyncId: () => 0,
  };
  const socket = new net.Socket({ handle } as unknown as net.SocketConstructorOpts);
  socket.on('error', () => {});
  socket.write(Buffer.alloc(1));
  return knownRequest;
}
