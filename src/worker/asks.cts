/**
 * Runs in the worker. What the app has asked the master for and has no answer to yet, sockets of every kind. Keeps the
 * process alive meanwhile: an app that only waits for its socket must not end.
 */
import type { ListenSpec, MasterMessage, SocketName } from '../shared/messages.cjs';
import { tell } from './channel.cjs';

export interface Answer {
  /** `handle` comes with a UDP socket alone. */
  granted(key: string, name: SocketName, handle: unknown): void;
  /** `errno` as libuv has it. */
  failed(errno: number): void;
}

const pending = new Map<number, Answer>();
const waiting: (() => void)[] = [];
let waitingTimer: NodeJS.Timeout | undefined;
let nextSeq = 1;

export function askMaster(spec: ListenSpec, answer: Answer): void {
  const seq = nextSeq++;
  pending.set(seq, answer);
  waitingTimer ??= setInterval(() => {}, 2 ** 30);
  tell({ act: 'listen', seq, spec });
}

export function answerAsk(
  message: Extract<MasterMessage, { act: 'listening' | 'listen-failed' }>,
  handle: unknown,
): void {
  const answer = pending.get(message.seq);
  if (!answer) return;
  pending.delete(message.seq);
  if (message.act === 'listening') answer.granted(message.key, message.name, handle);
  else answer.failed(message.errno);
  if (pending.size > 0) return;
  clearInterval(waitingTimer);
  waitingTimer = undefined;
  for (const act of waiting.splice(0)) act();
}

/** Acts once the master has answered all that was asked up to now. */
export function afterAnswers(act: () => void): void {
  if (pending.size === 0) act();
  else waiting.push(act);
}
