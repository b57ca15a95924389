/**
 * Runs in the master. The control socket: reads one request line a connection within size and time limits, streams
 * progress, ends with one result. Knows nothing of the fleet: what a command does is handed in.
 */

import { rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { isAbsolute } from 'node:path';
import type { ControlRequest, ControlResult, Progress, Sample } from '../shared/control-protocol.js';
import { failedResult, MAX_REQUEST_BYTES, REQUEST_TIMEOUT_MS, SCALE_TO } from '../shared/control-protocol.js';
import { toReport, ZdsupError } from '../shared/errors.js';
import type { Connection } from './commands/context.js';

/** Carries a command out. A rejected promise becomes the result's error. */
export type Handle = (request: ControlRequest, connection: Connection) => Promise<ControlResult>;

/**
 * So many connections may be open at once. Beyond it the oldest makes room that has sent no whole request, or has had its
 * answer and stays: they must not use up the descriptors that workers are forked with.
 */
export const MAX_OPEN = 256;

/** Of a client that has not read so much, in bytes, no sample is kept: those that come later say all of it anew. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** Steps are kept beyond that, for none says anew what another has said: up to so many bytes, some 30,000 steps. Who reads none of them does not listen. */
const MOST_KEPT_BYTES = 8 * 1024 * 1024;

const COMMANDS = [
  'status',
  'ping',
  'watch',
  'reload',
  'restart',
  'canary',
  'promote',
  'pause',
  'rollback',
  'abort',
  'scale',
  'recycle',
  'stop',
  'describe',
  'dashboard',
  'signal',
];

export interface ControlServer {
  /** Ends connections once their results were written, and the socket. */
  close(): Promise<void>;
}

/** Listens at `path`, a name of its own that {@link takeSocketPath} then moves into place. */
export async function listenForControl(path: string, handle: Handle): Promise<ControlServer> {
  const open = new Map<Socket, Client>(); // By age.
  const underWay = new Set<Promise<ControlResult>>();
  const noted: Handle = (request, connection) => {
    const handled = handle(request, connection);
    underWay.add(handled);
    void handled.catch(() => {}).then(() => underWay.delete(handled));
    return handled;
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {}); // A client that hangs up only detaches.
    open.set(socket, serve(socket, noted));
    if (open.size > MAX_OPEN) makeRoom(open.values());
  });
  rmSync(path, { force: true }); // The name has this process's id: what is there was left by a killed one of the same id.
  await listen(server, path);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.allSettled(underWay);
      await new Promise(setImmediate); // Their results are written in the turns that follow.
      for (const socket of open.keys()) socket.destroySoon();
      await closed;
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const umask = process.umask(0o177); // The socket is 0600 from its first moment.
    server.once('error', reject);
    server.listen(path, resolve);
    process.umask(umask);
  });
}

/** One connection. */
interface Client {
  /** `silent`: it has sent no whole request yet. */
  stage: 'silent' | 'served' | 'answered';
  /** Tells it why, where it has not had its answer, and closes. */
  dismiss(): void;
}

/** Those that are served stay, however many; the newcomer is the youngest of the silent ones. */
function makeRoom(clients: Iterable<Client>): void {
  for (const client of clients)
    if (client.stage !== 'served') {
      client.dismiss();
      return;
    }
}

function serve(socket: Socket, handle: Handle): Client {
  const chunks: Buffer[] = [];
  let size = 0;
  const client: Client = {
    stage: 'silent',
    dismiss() {
      const isSilent = client.stage === 'silent';
      hearNoMore();
      if (isSilent)
        write(socket, refused(`more than ${MAX_OPEN} connections are open, and this one has asked for nothing yet`));
      socket.destroySoon();
    },
  };
  const refuse = (why: string): void => finish(() => Promise.resolve(refused(why)));
  const left = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  const timer = setTimeout(() => refuse(`no whole request came within ${REQUEST_TIMEOUT_MS} ms`), REQUEST_TIMEOUT_MS);
  socket.on('close', () => clearTimeout(timer));
  socket.on('data', read);
  socket.on('end', leave);
  return client;

  function read(chunk: Buffer): void {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_REQUEST_BYTES) refuse(`the request is longer than ${MAX_REQUEST_BYTES} bytes`);
    else if (chunk.includes(10)) finish(() => dispatch(Buffer.concat(chunks).toString('utf8').split('\n', 1)[0]!));
  }

  /** The client has said all it will; one that said nothing only looked whether somebody answers. */
  function leave(): void {
    if (size === 0) socket.end();
    else refuse('the request is no whole line');
  }

  function finish(act: () => Promise<ControlResult>): void {
    hearNoMore();
    void act().then((result) => {
      client.stage = 'answered';
      answer(socket, result);
    });
  }

  function hearNoMore(): void {
    client.stage = 'served';
    clearTimeout(timer);
    socket.off('data', read).off('end', leave);
    socket.resume();
  }

  async function dispatch(line: string): Promise<ControlResult> {
    try {
      return await handle(parse(line), { send: (line) => sendTo(socket, line), left });
    } catch (error) {
      return failedResult(toReport(error));
    }
  }
}

function parse(line: string): ControlRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw protocolError('the request is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw protocolError('the request is no JSON object');
  const { command } = value as { command?: unknown };
  if (command === undefined) throw protocolError('the request names no command');
  if (typeof command !== 'string' || !COMMANDS.includes(command))
    throw protocolError(`unknown command ${JSON.stringify(command)}`);
  const { to } = value as { to?: unknown };
  if (command === 'scale' && !(typeof to === 'string' && SCALE_TO.test(to)))
    throw protocolError(`scale to ${JSON.stringify(to)} is no number`);
  const { weight } = value as { weight?: unknown };
  const [least, most] = command === 'canary' ? [0, 100] : [1, 99];
  const isWeight = Number.isInteger(weight) && Number(weight) >= least && Number(weight) <= most;
  if (weight === undefined ? command === 'canary' : !(isWeight && (command === 'canary' || command === 'reload')))
    throw protocolError(`${command} with weight ${JSON.stringify(weight)} makes no sense`);
  const { release } = value as { release?: unknown };
  if (release !== undefined && !(command === 'reload' && isRelease(release)))
    throw protocolError(`${command} with release ${JSON.stringify(release)} makes no sense`);
  const { slot } = value as { slot?: unknown };
  if (command === 'recycle' ? !(Number.isInteger(slot) && Number(slot) >= 0) : slot !== undefined)
    throw protocolError(`${command} of worker ${JSON.stringify(slot)} makes no sense`);
  if (command === 'rollback' && to !== undefined && typeof to !== 'string')
    throw protocolError(`rollback to ${JSON.stringify(to)} makes no sense`);
  return value as ControlRequest;
}

function isRelease(value: unknown): boolean {
  const { id, path, from } = (value ?? {}) as Record<string, unknown>;
  return [id, path, from].every((one) => typeof one === 'string' && one !== '') && isAbsolute(path as string);
}

/** A client that has its result and does not leave is not waited for. */
function answer(socket: Socket, result: ControlResult): void {
  write(socket, result);
  socket.end();
  const timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS).unref();
  socket.on('close', () => clearTimeout(timer));
}

function sendTo(socket: Socket, line: Progress | Sample): void {
  if (socket.writableLength >= MOST_KEPT_BYTES) socket.destroy();
  else if (line.type === 'progress' || socket.writableLength < MOST_UNREAD_BYTES) write(socket, line);
}

function write(socket: Socket, line: ControlResult | Progress | Sample): void {
  if (socket.writable) socket.write(`${JSON.stringify(line)}\n`);
}

const refused = (message: string): ControlResult => failedResult(protocolError(message).toReport());

const protocolError = (message: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_CONTROL_PROTOCOL',
    message,
    hint: 'use the zdsup command of the same version as the master',
    exitStatus: 2,
  });
