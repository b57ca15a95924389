/**
 * Runs in the master. The HTTP readiness check of one worker, as a Kubernetes probe. It reaches that very worker: a
 * loopback TCP pair is made and its far end handed over (a unix pair would give the app no `remoteAddress`).
 */

import type { ClientRequest, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { ReadyConfig } from '../shared/config.js';

export interface ProbeTarget {
  protocol: 'http' | 'https';
  path: string;
  host: string;
  /** Hands the far end of a pair to the worker; the given socket is consumed. */
  deliver(socket: Socket): void;
}

export interface Probe {
  stop(): void;
}

/**
 * Asks until `successes` answers in a row were 2xx or 3xx. Ends with `passed`; each failure is told; stops on `stop()`.
 * @param findTarget called for each attempt: the app may open the port it is asked on later. A string says why there is none
 */
export function startProbe(
  findTarget: () => ProbeTarget | string,
  ready: ReadyConfig,
  on: { passed(): void; failed(reason: string): void },
): Probe {
  let stopped = false;
  let successes = 0;
  let timer: NodeJS.Timeout | undefined;

  const round = async (): Promise<void> => {
    const target = findTarget();
    const failure = typeof target === 'string' ? target : await askOnce(target, ready.timeoutMs);
    if (stopped) return;
    successes = failure === null ? successes + 1 : 0;
    if (failure !== null) on.failed(failure);
    if (successes >= ready.successes) on.passed();
    else timer = setTimeout(() => void round(), ready.periodMs);
  };
  timer = setTimeout(() => void round(), ready.initialDelayMs);
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Null where the answer was 2xx or 3xx, else why not, in words. Never throws. */
async function askOnce(target: ProbeTarget, timeoutMs: number): Promise<string | null> {
  let pair: { near: Socket; far: Socket } | undefined;
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    pair = await loopbackPair();
    target.deliver(pair.far);
    const status = await answerOf(pair.near, target, deadline);
    return status >= 200 && status < 400 ? null : `${target.path} answered ${status}`;
  } catch (error) {
    return deadline.aborted
      ? `${target.path} did not answer within ${timeoutMs} ms`
      : `${target.path}: ${(error as Error).message}`;
  } finally {
    pair?.near.destroy();
    pair?.far.destroy(); // Where a blocked worker has not taken it, it would wait in the channel for ever.
  }
}

async function answerOf(near: Socket, target: ProbeTarget, signal: AbortSignal): Promise<number> {
  const request = await makeRequest(near, target, {
    path: target.path,
    method: 'GET',
    signal,
    headers: { host: target.host, 'user-agent': 'zdsup-probe', connection: 'close' },
  });
  return new Promise((resolve, reject) => {
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end();
  });
}

/** Loaded here: most masters never ask, and the HTTP and TLS modules cost each of them 1 MB. */
async function makeRequest(near: Socket, target: ProbeTarget, options: RequestOptions): Promise<ClientRequest> {
  if (target.protocol === 'http') {
    const { request } = await import('node:http');
    return request({ ...options, createConnection: () => near });
  }
  const [{ request }, tls] = await Promise.all([import('node:https'), import('node:tls')]);
  // The certificate names the public host, not this pair.
  const createConnection = () => tls.connect({ socket: near, rejectUnauthorized: false, servername: '' });
  return request({ ...options, createConnection });
}

/** Two ends of one TCP connection on loopback. Where there is none to be had, nothing of it stays. */
async function loopbackPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true });
  let near: Socket | undefined;
  try {
    return await new Promise((resolve, reject) => {
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as { port: number };
        const own = connect(port, '127.0.0.1');
        near = own;
        own.on('error', reject);
        server.on('connection', (far) => {
          // Anybody on this host may connect to a port for a moment: only our own end counts.
          if (far.remotePort === own.localPort) resolve({ near: own, far });
          else far.destroy();
        });
      });
    });
  } catch (error) {
    near?.destroy();
    throw error;
  } finally {
    server.close();
  }
}
