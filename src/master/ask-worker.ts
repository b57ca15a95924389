/**
 * Runs in the master. One HTTP request to one very worker: a loopback TCP pair is made and its far end handed over (a
 * unix pair would give the app no `remoteAddress`). What probe.ts and warm-up.ts ask by; it judges no worker.
 */

import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { loopbackPair } from './loopback-pair.js';

export interface HttpTarget {
  protocol: 'http' | 'https';
  path: string;
  host: string;
  /** Hands the far end of a pair to the worker; the given socket is consumed. */
  deliver(socket: Socket): void;
}

export interface Asking {
  timeoutMs: number;
  userAgent: string;
  /** Wait for the end of the answer, not for its head alone. */
  whole: boolean;
  /** Gives it up before its time. */
  signal?: AbortSignal;
}

export interface Answer {
  /** Null where none came. */
  status: number | null;
  /** Null where it was 2xx or 3xx, else why not, in words. */
  failure: string | null;
}

/** Never rejects. */
export async function askWorker(target: HttpTarget, asking: Asking): Promise<Answer> {
  const { path } = target;
  const deadline = AbortSignal.timeout(asking.timeoutMs);
  let pair: { near: Socket; far: Socket } | undefined;
  try {
    pair = await loopbackPair();
    target.deliver(pair.far);
    const signal = asking.signal ? AbortSignal.any([deadline, asking.signal]) : deadline;
    const status = await answerOf(pair.near, target, asking, signal);
    return { status, failure: status >= 200 && status < 400 ? null : `${path} answered ${status}` };
  } catch (error) {
    const failure = deadline.aborted
      ? `${path} did not answer within ${asking.timeoutMs} ms`
      : `${path}: ${(error as Error).message}`;
    return { status: null, failure };
  } finally {
    pair?.near.destroy();
    pair?.far.destroy(); // Where a blocked worker has not taken it, it would wait in the channel for ever.
  }
}

async function answerOf(near: Socket, target: HttpTarget, asking: Asking, signal: AbortSignal): Promise<number> {
  const request = await makeRequest(near, target, {
    path: target.path,
    method: 'GET',
    signal,
    headers: { host: target.host, 'user-agent': asking.userAgent, connection: 'close' },
  });
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      response.resume();
      if (asking.whole) void endOf(response).then(resolve, reject);
      else resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end();
  });
}

function endOf(response: IncomingMessage): Promise<number> {
  return new Promise((resolve, reject) => {
    response.on('error', reject);
    response.on('close', () =>
      response.complete ? resolve(response.statusCode ?? 0) : reject(new Error('the answer broke off')),
    );
  });
}

/** Loaded here: most masters never ask, and the HTTP and TLS modules cost each of them 1 MB. */
async function makeRequest(near: Socket, target: HttpTarget, options: RequestOptions): Promise<ClientRequest> {
  if (target.protocol === 'http') {
    const { request } = await import('node:http');
    return request({ ...options, createConnection: () => near });
  }
  const [{ request }, tls] = await Promise.all([import('node:https'), import('node:tls')]);
  // The certificate names the public host, not this pair.
  const createConnection = () => tls.connect({ socket: near, rejectUnauthorized: false, servername: '' });
  return request({ ...options, createConnection });
}
