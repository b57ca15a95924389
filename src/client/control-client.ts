/** Runs in the CLI. Asks one master one thing over its control socket. */
import { lstatSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { ControlAnswer, ControlRequest, ControlResult, Progress } from '../shared/control-protocol.js';
import { ANSWER_TIMEOUT_MS } from '../shared/control-protocol.js';
import { isAnswered } from '../shared/control-socket.js';
import type { AppDescription } from '../shared/description.js';
import { ZdsupError } from '../shared/errors.js';
import type { AppSnapshot } from '../shared/snapshot.js';
import { withoutControlCharacters } from './others.js';

/** Nobody answers at this path: the master has gone, or went without a word. */
export class NobodyThere extends Error {}

export interface AskOptions {
  onProgress?: (progress: Progress) => void;
  /** Of `watch` alone. */
  onSample?: (app: AppSnapshot) => void;
  /** Hangs up: it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** The request is in the kernel's hands: it reaches the master also where this process goes at once. */
  onSent?: () => void;
  /** Give up when no byte came by then, in ms. @default none: long work takes as long as it takes */
  answerWithinMs?: number | undefined;
}

/**
 * Sends the request and resolves with the result line.
 * @throws NobodyThere; ZdsupError ZDSUP_APP_UNRESPONSIVE, ZDSUP_CONTROL_PROTOCOL
 */
export function ask(socketPath: string, request: ControlRequest, options: AskOptions = {}): Promise<ControlResult> {
  const app = socketPath.replace(/^.*\/|\.sock$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let answered = false;
    const { answerWithinMs } = options;
    // Where this process itself was starved, the answer lies in the socket already: one poll more reads it.
    const giveUp = (): unknown =>
      setImmediate(() =>
        setImmediate(() => answered || fail(unresponsive(app, `no answer within ${answerWithinMs} ms`))),
      );
    const timer = answerWithinMs === undefined ? undefined : setTimeout(giveUp, answerWithinMs);
    const ended = (): void => {
      if (answered) fail(brokenConnection(app, 'the master ended before it was done'));
      else
        void isHeld(socketPath).then((held) => fail(held ? unresponsive(app, HANGS_UP) : new NobodyThere(socketPath)));
    };
    const fail = (error: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EAGAIN') fail(unresponsive(app, 'its queue of connections is full'));
      else if (code === 'ENOENT' || code === 'ECONNREFUSED') fail(new NobodyThere(socketPath));
      else if (code === 'ECONNRESET' || code === 'EPIPE') ended();
      else fail(brokenConnection(app, message));
    });
    const { signal } = options;
    const hangUp = (): void => fail(signal!.reason as Error);
    signal?.addEventListener('abort', hangUp, { once: true });
    socket.on('close', () => signal?.removeEventListener('abort', hangUp));
    if (signal?.aborted) hangUp();
    socket.on('connect', () => {
      socket.write(`${JSON.stringify(request)}\n`);
      options.onSent?.();
    });
    const foreign = isForeign(socketPath);
    onLine(socket, (line) => {
      const answer = parse(line, foreign);
      // Where there is a limit, it is for the result: another user's master could go on for ever.
      if (answerWithinMs === undefined || typeof answer === 'string' || answer.type !== 'progress') {
        answered = true;
        clearTimeout(timer);
      }
      if (typeof answer === 'string') fail(brokenConnection(app, answer));
      else if (answer.type === 'progress') options.onProgress?.(answer);
      else if (answer.type === 'sample') options.onSample?.(answer.app);
      else {
        socket.destroy();
        resolve(answer);
      }
    });
    // Comes after the last line was read; where a result was among them, this rejects nobody.
    socket.on('close', ended);
  });
}

/** What a process does whose descriptors are used up: it takes a connection off its queue, and drops it. */
const HANGS_UP = 'it hangs up on whoever asks, as one that is out of file descriptors';

/** One that is killed has closed all it had by then, in ms; one that ends has closed its socket before it drops a connection. */
const CLOSED_WITHIN_MS = 50;

/** Is there a process that listens? */
const isHeld = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(isAnswered(connect(socketPath))), CLOSED_WITHIN_MS);
  });

/** In characters. A snapshot of a thousand workers has 300,000. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** Calls back with each whole line. By hand, since node:readline costs a command 4 ms to load. */
function onLine(socket: Socket, line: (text: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const text of lines) line(text);
    if (rest.length > LONGEST_LINE) socket.destroy();
  });
}

/** Root's: what another user says is read with care. */
function isForeign(socketPath: string): boolean {
  try {
    return process.geteuid?.() === 0 && lstatSync(socketPath).uid !== 0;
  } catch {
    return false; // Nobody is there.
  }
}

/** One state, within the time a master has to answer. */
export const askStatus = (socketPath: string, { looksAtRelease = true } = {}): Promise<ControlResult> =>
  ask(socketPath, { command: 'status', looksAtRelease }, { answerWithinMs: ANSWER_TIMEOUT_MS });

/** Settles where the master answers within the time that it has, one of an older version with a refusal. */
export const askAlive = (socketPath: string): Promise<ControlResult> =>
  ask(socketPath, { command: 'ping' }, { answerWithinMs: ANSWER_TIMEOUT_MS });

/** In ms. Longer than a status may take: it is made late, on a host that may be busy. */
export const DESCRIBE_WITHIN_MS = 2_000;

/** Null where the master has gone. @throws ZdsupError what the master answered, ZDSUP_APP_UNRESPONSIVE */
export async function askDescription(socketPath: string): Promise<AppDescription | null> {
  try {
    const result = await ask(socketPath, { command: 'describe' }, { answerWithinMs: DESCRIBE_WITHIN_MS });
    if (result.ok && result.command === 'describe') return result.app;
    throw result.ok ? brokenConnection(socketPath, 'it answered something else') : new ZdsupError(result.error);
  } catch (error) {
    if (error instanceof NobodyThere) return null;
    throw error;
  }
}

/** @returns what is wrong with it, where it is none of a master's */
function parse(line: string, foreign: boolean): ControlAnswer | string {
  let answer: unknown;
  try {
    answer = foreign ? JSON.parse(line, withoutControlCharacters) : JSON.parse(line);
  } catch {
    return 'the answer is not JSON';
  }
  return isAnswer(answer) ? answer : "the answer is none of a master's";
}

/** As far as everybody relies on it: whoever listens there need not be a master. */
function isAnswer(value: unknown): value is ControlAnswer {
  const { type, ok, app, message, error } = (value ?? {}) as Record<string, unknown>;
  if (type === 'progress') return typeof message === 'string';
  if (type === 'sample') return typeof app === 'object' && app !== null;
  const { code, message: words } = (error ?? {}) as Record<string, unknown>;
  return type === 'result' && (ok === true || (ok === false && typeof code === 'string' && typeof words === 'string'));
}

const unresponsive = (app: string, how: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_APP_UNRESPONSIVE',
    message: `the master of ${app} is unresponsive: ${how}`,
    hint:
      how === HANGS_UP
        ? 'raise its ulimit -n, or end what it is busy with'
        : 'it may be stopped or starved: look at it with ps and top',
    exitStatus: 1,
  });

const brokenConnection = (app: string, how: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_CONTROL_PROTOCOL',
    message: `the connection to the master of ${app} failed: ${how}`,
    hint: `look at it: zdsup status ${app}`,
    exitStatus: 1,
  });
