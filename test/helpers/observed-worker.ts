/** A worker without a master: the real preload in a process of its own, on a port of its own, and the messages of observing. */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ObservedWorker } from '../../src/master/judge.js';
import type { FiguresDelta } from '../../src/shared/figures.js';
import type { Handshake, ObservedDelta } from '../../src/shared/messages.cjs';
import { VERSION } from '../../src/shared/version.cjs';
import { killOwn } from './cleanup.js';
import { freePort } from './ports.js';
import { makeProject } from './project.js';
import { onTestFinished } from './side-by-side.js';
import { until } from './until.js';

const PRELOAD = fileURLToPath(new URL('../../dist/worker/preload.cjs', import.meta.url));
const CMD = 'NODE_ZDSUP';

export interface Observed extends ObservedWorker {
  port: number;
  child: ChildProcess;
  /** All that it has told since it was started. */
  told: ObservedDelta[];
  /** What has been added to its figures, as it has told that: by itself, or asked. */
  figures: FiguresDelta[];
  /** Figures are on, from here on. */
  keepFigures(): void;
  /** Asks it as a look of the master does. `requests`: all that have begun. */
  stats(): Promise<{ requests: number; figures?: FiguresDelta }>;
}

let lastId = 0;

const serverHandle = (net as unknown as { _createServerHandle(...args: unknown[]): { close(): void } })
  ._createServerHandle;

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

/** @param app source; it listens on `process.env.PORT`, and says `process.send('up')` then */
export async function startObserved(
  app: string,
  {
    generation = 1,
    env = {},
    held = false,
    silent = false,
  }: {
    generation?: number;
    env?: Record<string, string | number>;
    held?: boolean;
    /** Its stdout and stderr are the test's to read. */
    silent?: boolean;
  } = {},
): Promise<Observed> {
  const port = await freePort();
  const project = makeProject({ 'app.cjs': app });
  const handshake: Handshake = {
    version: VERSION,
    holdsUnixSockets: false,
    inheritedPaths: [],
    keptOutput: false,
    private: held ? [] : [port],
    drainTimeoutMs: 1_000,
    killTimeoutMs: 1_000,
    closeSpreadMs: 0,
    handover: false,
  };
  const child = fork(project.path('app.cjs'), [], {
    execArgv: ['--require', PRELOAD],
    silent,
    env: {
      ...process.env,
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)])),
      PORT: String(port),
      NODE_UNIQUE_ID: '1',
      ZDSUP_HANDSHAKE: JSON.stringify(handshake),
    },
  });
  onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
  const told: ObservedDelta[] = [];
  let observer: ((delta: ObservedDelta) => void) | null = null;
  // A server that the preload is to know, one of HTTP/2, asks its master for the socket; this one gives it at once.
  child.on(
    'internalMessage' as 'message',
    ((message: { cmd?: string; act?: string; seq: number }) => {
      if (message.cmd !== CMD || message.act !== 'listen') return;
      const handle = serverHandle('127.0.0.1', port, 4);
      onTestFinished(() => handle.close());
      const name = { address: '127.0.0.1', family: 'IPv4', port };
      child.send({ cmd: CMD, act: 'listening', seq: message.seq, key: 'held', name } as never);
      child.send({ cmd: CMD, act: 'accept', key: 'held' } as never, handle as never);
    }) as never,
  );
  child.on(
    'internalMessage' as 'message',
    ((message: { cmd?: string; act?: string } & ObservedDelta) => {
      if (message.cmd !== CMD || message.act !== 'observed') return;
      told.push(message);
      observer?.(message);
    }) as never,
  );
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the worker ended before it was up: ${code}`))),
  ]);
  // Where its socket is given to it, it says that it is up before it has that.
  if (held) await until('it accepts', () => isOpen(port));
  lastId += 1;
  const tell = (message: object): void => void child.send({ cmd: CMD, ...message } as never);
  const figures: FiguresDelta[] = [];
  const asked = new Map<number, (message: { requests: number; figures?: FiguresDelta }) => void>();
  child.on(
    'internalMessage' as 'message',
    ((message: { act?: string; seq: number; requests: number; figures?: FiguresDelta }) => {
      if (message.act === 'figured') figures.push(message as unknown as FiguresDelta);
      if (message.act !== 'stats') return;
      if (message.figures) figures.push(message.figures);
      asked.get(message.seq)?.(message);
    }) as never,
  );
  let seq = 0;
  return {
    id: lastId,
    generation,
    port,
    child,
    told,
    figures,
    keepFigures: () => tell({ act: 'figures', on: true }),
    stats() {
      seq += 1;
      tell({ act: 'stats', seq });
      return new Promise((resolve) => asked.set(seq, resolve));
    },
    observe(next, loop = true) {
      if (observer === null && next === null) return;
      observer = next;
      child.send({ cmd: CMD, act: 'observe', on: next !== null, loop } as never);
    },
  };
}
