/**
 * Runs in the master: its view of one worker process. Forks it, speaks with it over the IPC channel, keeps its last words.
 * Turns everything the process does into events and decides nothing.
 */

import type { Worker as ClusterWorker } from 'node:cluster';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import type { Event } from '../domain/types.js';
import type { DatagramHandle } from '../node-internals/datagram-handle.cjs';
import type { ServerHandle } from '../node-internals/server-handle.cjs';
import { connectionHandle } from '../node-internals/server-handle.cjs';
import { keepNonBlocking } from '../node-internals/stdio.cjs';
import { BUCKET_COUNT } from '../shared/latency-buckets.js';
import type {
  Handshake,
  ListenSpec,
  MasterMessage,
  ObservedDelta,
  Passed,
  SocketName,
  WorkerMessage,
} from '../shared/messages.cjs';
import { CMD, HANDSHAKE_VARIABLE } from '../shared/messages.cjs';
import { VERSION } from '../shared/version.cjs';
import type { Bouncer } from './dispatch.js';
import type { FiguresTaker, MeasuredWorker } from './figures/keeper.js';
import type { Rights } from './fork-worker.js';
import { forkWorker } from './fork-worker.js';
import type { KeptOutput } from './kept-output.js';
import { refusalToListen } from './listen-permission.js';
import type { ListenerClient, Listeners } from './listeners.js';
import { labelOf } from './listeners.js';
import { preferForOom } from './oom.js';
import type { ConnectionHandle, Peer } from './peer.js';
import type { Plan } from './plan.js';
import { rehearse } from './rehearsal.js';
import { closeStray } from './stray-handle.js';
import type { Traffic } from './traffic.js';
import type { LastWords, OutputMode } from './worker-output.js';
import { carryOutput } from './worker-output.js';

const PRELOAD = fileURLToPath(new URL('../worker/preload.cjs', import.meta.url));
/** Of a worker: read here, its own as it is, or what is left where stdout has a result to carry. */
const STDOUT = { labelled: 'pipe', plain: 'inherit', 'to-stderr': 2 } as const;
/** A worker that does not answer with its figures by then is shown with those known, in ms: a status is answered within 200. */
const FIGURES_TIMEOUT_MS = 100;
/** One that does not say by then whether it has heard a signal computes; it will hear of it afterwards. In ms. */
const SIGNAL_TIMEOUT_MS = 1_000;

export interface Figures {
  connections: number;
  inFlight: number;
  requests: number;
  webSockets: number;
}

export interface WorkerIdentity {
  id: number;
  slot: number;
  generation: number;
  appName: string;
}

type Body = MasterMessage extends infer M ? (M extends MasterMessage ? Omit<M, 'cmd'> : never) : never;

/** What a handle travels in: Node takes it out, and emits what was sent with it. */
const NODES_ENVELOPE = 'NODE_HANDLE';
const TAKES_HANDLE: readonly WorkerMessage['act'][] = ['handoff', 'bounced'];

const EACCES = -constants.errno.EACCES;
const PROTOCOLS: readonly unknown[] = ['http', 'https', 'tcp', 'tls', 'udp'];
const ADDRESS_TYPES: readonly unknown[] = [-1, 4, 6];
const MAX_PORT = 65_535;
const MAX_INT = 2 ** 31 - 1;
/** Readable and writable by all. */
const MAX_MODE = 3;

const isUpTo = (value: unknown, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;

const isCount = (value: unknown): boolean => isUpTo(value, Number.MAX_SAFE_INTEGER);

/** 0 or an errno of libuv's, which is negative. */
const isErrno = (value: unknown): boolean => typeof value === 'number' && isUpTo(-value, MAX_INT);

/** Whatever is let through here is taken to the kernel by Node's inner calls, which check nothing. */
function isListenSpec(spec: unknown): spec is ListenSpec {
  if (typeof spec !== 'object' || spec === null) return false;
  const { address, port, addressType, flags, index, protocol } = spec as Record<string, unknown>;
  if (!PROTOCOLS.includes(protocol) || !ADDRESS_TYPES.includes(addressType)) return false;
  if (!isUpTo(flags, MAX_INT) || !isUpTo(index, MAX_INT)) return false;
  if (addressType === -1) return typeof address === 'string' && protocol !== 'udp';
  return (address === null || typeof address === 'string') && (port === null || isUpTo(port, MAX_PORT));
}

/** Of half a second, in one process. */
const MOST_REQUESTS = 10_000_000;

function isObservedDelta({ requests, failed, latency, heldUpMs }: ObservedDelta): boolean {
  if (!isUpTo(requests, MOST_REQUESTS) || !isUpTo(failed, requests) || !isUpTo(heldUpMs, MAX_INT)) return false;
  if (!Array.isArray(latency) || latency.length > 2 * BUCKET_COUNT || latency.length % 2 === 1) return false;
  return latency.every((value, index) => isUpTo(value, index % 2 === 0 ? BUCKET_COUNT - 1 : MOST_REQUESTS));
}

export class WorkerProcess implements ListenerClient, Peer, Bouncer, MeasuredWorker {
  lastFigures: Figures | null = null;
  private readonly worker: ClusterWorker;
  private readonly words: LastWords;
  /** The log process reads what it writes. */
  private readonly isKept: boolean;
  private readonly keys = new Set<string>();
  private isLoaded = false;
  private speaksHttp = false;
  private hasRehearsed = false;
  /** What is to be done once a message has gone out; at the latest when the process has, for whoever waits for it. */
  private readonly unsent = new Set<() => void>();
  /** It was told to drain, or is killed: its end is no crash. */
  isSentAway = false;
  hasServed = false;
  private accepting = false;
  private isParked = false;
  private gone = false;
  private figuresTaker: FiguresTaker | null = null;
  private nextSeq = 1;
  private observer: ((delta: ObservedDelta) => void) | null = null;
  private pinged: { seq: number; answered: () => void } | null = null;
  private readonly figureAsks = new Map<number, (figures: Figures) => void>();
  private readonly signalAsks = new Map<number, (heard: boolean) => void>();

  /** @throws what fork throws: no process, no descriptor to be had */
  constructor(
    readonly identity: WorkerIdentity,
    private readonly plan: Plan,
    private readonly listeners: Listeners,
    private readonly traffic: Traffic,
    output: OutputMode,
    kept: KeptOutput | null,
    private readonly post: (event: Event) => void,
  ) {
    const pipes = kept?.open(plan.config.log) ?? null;
    this.isKept = pipes !== null;
    try {
      this.worker = forkWorker(
        { exec: plan.entry, args: plan.args, execArgv: ['--require', PRELOAD, ...plan.execArgv], cwd: plan.cwd },
        // Off a terminal stdout costs the master nothing; stderr is piped for the last words.
        ['ignore', ...(pipes ? [pipes.out, pipes.err] : [STDOUT[output], 'pipe' as const]), 'ipc'],
        this.environment(),
        this.rights,
      );
    } catch (error) {
      pipes?.failed();
      throw error;
    }
    keepNonBlocking(process.stderr); // It may be the same pipe as stdout, which the worker inherits.
    this.words = pipes ? pipes.forked(identity) : carryOutput(this.worker.process, identity, output);
    this.listen();
    const { pid } = this.worker.process;
    if (pid === undefined) return;
    preferForOom(pid);
    post({ type: 'forked', id: identity.id, pid });
  }

  get pid(): number | null {
    return this.worker.process.pid ?? null;
  }

  get rights(): Rights {
    return { identity: this.plan.identity, umask: this.plan.config.umask };
  }

  /** The last lines it wrote to stderr. */
  lastLines(): string[] {
    return this.words.lines();
  }

  get id(): number {
    return this.identity.id;
  }

  get slot(): number {
    return this.identity.slot;
  }

  get generation(): number {
    return this.identity.generation;
  }

  listensOn(key: string): boolean {
    return this.keys.has(key);
  }

  /** From here on it gets connections on every socket it has asked for or will ask for. */
  activate(): void {
    this.accepting = true;
    this.hasServed = true;
    if (this.isParked) this.send({ act: 'unpark' });
    this.isParked = false;
    for (const key of this.keys) this.sendAccept(key);
    this.send({ act: 'activate' });
  }

  /** Alive, without traffic, until it is activated again. */
  park(): void {
    this.accepting = false;
    this.isParked = true;
    this.send({ act: 'park' });
  }

  /** With a successor idle connections move, without one (`closeIdle`) they end. */
  retire(deadlineMs: number, closeIdle: boolean): void {
    this.accepting = false;
    this.isSentAway = true;
    this.send({ act: 'retire', deadlineMs, closeIdle, handover: !closeIdle });
  }

  kill(): void {
    this.isSentAway = true;
    if (!this.gone) this.worker.process.kill('SIGKILL');
  }

  /** Hands the worker one connection, as if it had accepted it from the listener `key`. Consumes the socket. */
  deliver(key: string, socket: Socket): void {
    this.send({ act: 'probe', key }, connectionHandle(socket), () => socket.destroy());
  }

  /** Once, before it takes traffic, and once its script is loaded: until then it has better things to do. */
  private rehearse(): void {
    if (this.hasRehearsed || this.accepting || !this.isLoaded || !this.speaksHttp) return;
    this.hasRehearsed = true;
    void rehearse((far) => this.send({ act: 'rehearse' }, connectionHandle(far), () => far.destroy()));
  }

  /** Its figures now, or the last known ones where it does not answer in time. Never rejects. */
  figures(): Promise<Figures | null> {
    return new Promise((resolve) => {
      const seq = this.nextSeq++;
      const finish = (figures: Figures | null): void => {
        clearTimeout(timer);
        this.figureAsks.delete(seq);
        resolve(figures);
      };
      const timer = setTimeout(() => finish(this.lastFigures), FIGURES_TIMEOUT_MS);
      this.figureAsks.set(seq, finish);
      this.send({ act: 'stats', seq });
    });
  }

  /** Has it tell what comes of its requests; null: no more. */
  observe(observer: ((delta: ObservedDelta) => void) | null, loop: boolean): void {
    if (this.observer === null && observer === null) return;
    this.observer = observer;
    this.send({ act: 'observe', on: observer !== null, loop });
  }

  /** Has it measure its answers, and tell; null: no more. */
  keepFigures(taker: FiguresTaker | null): void {
    if (!this.worker.process.connected) {
      taker?.silent();
      return;
    }
    this.figuresTaker = taker;
    this.send({ act: 'figures', on: taker !== null });
  }

  get hasExited(): boolean {
    return this.gone;
  }

  /** Node says so once it has read the channel to its end. */
  get isSilent(): boolean {
    return !this.worker.process.connected;
  }

  /** Asks whether its event loop is alive; `answered` may never be called. */
  ping(answered: () => void): void {
    this.pinged = { seq: this.nextSeq++, answered };
    this.send({ act: 'ping', seq: this.pinged.seq });
  }

  /**
   * Passes on a signal that the worker is shielded from, to the app's own handlers.
   * @returns whether it has one; null where the worker has gone. Never rejects.
   */
  signal(signal: NodeJS.Signals): Promise<boolean | null> {
    if (this.gone || !this.worker.process.connected) return Promise.resolve(null);
    return new Promise((resolve) => {
      const seq = this.nextSeq++;
      const finish = (heard: boolean): void => {
        clearTimeout(timer);
        this.signalAsks.delete(seq);
        resolve(heard);
      };
      const timer = setTimeout(() => finish(true), SIGNAL_TIMEOUT_MS);
      this.signalAsks.set(seq, finish);
      this.send({ act: 'signal', seq, signal });
    });
  }

  openKeys(): string[] {
    return [...this.keys];
  }

  sendTake(offer: { id: number; fresh: boolean; stays: boolean } & Passed, handle: ConnectionHandle): void {
    this.send({ act: 'take', ...offer }, handle);
  }

  sendGrant(id: number): void {
    this.send({ act: 'grant', id });
  }

  sendRevoke(id: number): void {
    this.send({ act: 'revoke', id });
  }

  sendTakeAsked(id: number): void {
    this.send({ act: 'take-asked', id });
  }

  sendTaken(seq: number, sent: () => void): void {
    this.send({ act: 'taken', seq }, undefined, sent);
  }

  sendUntaken(seq: number, stays: boolean): void {
    this.send({ act: 'untaken', seq, stays });
  }

  sendCount(): void {
    this.send({ act: 'count' });
  }

  sendGive(count: number): void {
    this.send({ act: 'give', count });
  }

  sendBounce(key: string, handle: ServerHandle): void {
    this.send({ act: 'bounce', key }, handle);
  }

  sendHold(key: string): void {
    this.send({ act: 'hold', key });
  }

  sendOwn(key: string, backlog: number, handle: ServerHandle): void {
    this.send({ act: 'own', key, backlog }, handle);
  }

  sendListening(seq: number, key: string, name: SocketName, datagrams?: DatagramHandle): void {
    this.keys.add(key);
    this.send({ act: 'listening', seq, key, name }, datagrams);
    if (!this.accepting) return;
    this.sendAccept(key);
    this.traffic.opened();
  }

  /** @param why said beside the errno, which is all that the app gets */
  sendListenFailed(seq: number, spec: ListenSpec, errno: number, why = ''): void {
    this.send({ act: 'listen-failed', seq, errno });
    const what = `${labelOf(spec)}: ${getSystemErrorName(errno)}${why}`;
    this.post({ type: 'listen-failed', id: this.identity.id, what });
  }

  sendAccept(key: string): void {
    const lent = this.traffic.isPolled(key) ? null : this.listeners.lend(key);
    if (!lent) return;
    const { handle, giveBack } = lent;
    this.send({ act: 'accept', key }, handle, giveBack);
    if (handle) this.send({ act: 'accept-asked', key });
  }

  private send(body: Body, handle?: unknown, sent: () => void = () => {}): void {
    const { process: child } = this.worker;
    if (!child.connected || this.gone) {
      sent();
      return;
    }
    const done = (): void => {
      if (this.unsent.delete(done)) sent();
    };
    this.unsent.add(done);
    // A worker that dies with a message under way is heard of by its exit.
    child.send({ cmd: CMD, ...body }, handle as never, {}, done);
  }

  private listen(): void {
    const { process: child } = this.worker;
    // Unheard, an EPIPE on the channel would end the master.
    this.worker.on('error', () => {});
    child.on('error', (error) => {
      if (this.pid === null) this.ended({ code: null, signal: null, error: `could not be forked: ${error.message}` });
    });
    child.on('message', (message, handle) => {
      closeStray(handle);
      if (message === 'ready') this.post({ type: 'ready-message', id: this.identity.id });
    });
    child.on(
      'internalMessage' as 'message',
      ((message: WorkerMessage | { cmd: typeof NODES_ENVELOPE }, handle: unknown) => {
        if (message.cmd === CMD) this.receive(message, handle);
        else if (message.cmd !== NODES_ENVELOPE) closeStray(handle);
      }) as never,
    );
    // After the exit, or ahead of it. Node tells no 'disconnect' where a handle was never received: then it is the last pipe's end.
    child.once('disconnect', () => this.figuresTaker?.silent());
    child.once('close', () => this.figuresTaker?.silent());
    child.on('exit', (code, signal) => {
      this.gone = true;
      this.traffic.gone(this.id);
      for (const done of this.unsent) done();
      // What it wrote last is in the pipe still; a grandchild that holds the pipe must not hold up the respawn.
      void this.words.complete().then(() => this.ended({ code, signal }));
    });
  }

  private ended(how: { code: number | null; signal: string | null; error?: string }): void {
    this.gone = true;
    this.listeners.forget(this);
    this.traffic.gone(this.id);
    for (const finish of this.figureAsks.values())
      finish(this.lastFigures ?? { connections: 0, inFlight: 0, requests: 0, webSockets: 0 });
    this.post({ type: 'exited', id: this.identity.id, ...how });
  }

  private receive(message: WorkerMessage, handle: unknown): void {
    const { id } = this.identity;
    if (!TAKES_HANDLE.includes(message.act)) closeStray(handle);
    switch (message.act) {
      case 'hello':
        this.post({ type: 'hello', id });
        break;
      case 'idle':
        this.post({ type: 'idle', id });
        this.isLoaded = true;
        this.rehearse();
        break;
      case 'listen': {
        const { seq, spec } = message;
        if (!isListenSpec(spec)) break; // Not from the preload: the app speaks on this channel as well.
        this.post({ type: 'listen-asked', id });
        if (spec.protocol === 'http' || spec.protocol === 'https') this.speaksHttp = true;
        this.rehearse();
        const refusal = this.listeners.isInherited(spec) ? null : refusalToListen(this.plan, spec);
        if (refusal !== null) {
          this.sendListenFailed(seq, spec, EACCES, ` (${refusal})`);
          break;
        }
        void this.listeners.ask(this, seq, spec, (key) =>
          this.post({ type: 'listening', id, key, label: labelOf(spec) }),
        );
        break;
      }
      case 'owned':
        if (isErrno(message.errno)) this.listeners.owned(this, message.key, message.errno);
        break;
      case 'close':
        this.keys.delete(message.key);
        this.post({ type: 'closed', id, key: message.key });
        break;
      case 'accept-missed':
        if (this.accepting && this.keys.has(message.key)) this.sendAccept(message.key);
        break;
      case 'leaving':
        this.post({ type: 'leaving', id });
        break;
      case 'activated':
        this.post({ type: 'activated', id });
        break;
      case 'pong':
        if (this.pinged !== null && this.pinged.seq === message.seq) this.pinged.answered();
        break;
      case 'chmod':
        // Node aborts where it is no such number.
        if (isUpTo(message.mode, MAX_MODE)) this.listeners.changeMode(message.key, message.mode);
        break;
      case 'handoff':
      case 'handoff-asked':
      case 'claim':
      case 'decline':
      case 'load':
      case 'bounced':
        this.traffic.receive(this, message, handle);
        break;
      case 'observed':
        if (isObservedDelta(message)) this.observer?.(message);
        break;
      case 'figured':
        this.figuresTaker?.told(message);
        break;
      case 'handover-off':
        this.traffic.explain(this, message.why);
        break;
      case 'signalled':
        this.signalAsks.get(message.seq)?.(message.heard);
        break;
      case 'stats': {
        const { connections, inFlight, requests, webSockets } = message;
        if (message.figures !== undefined) this.figuresTaker?.told(message.figures);
        const told = { connections, inFlight, requests, webSockets };
        if (!Object.values(told).every(isCount)) break; // Not from the preload: these go to terminals, and to Prometheus.
        this.lastFigures = told;
        this.figureAsks.get(message.seq)?.(told);
        break;
      }
    }
  }

  private environment(): NodeJS.ProcessEnv {
    const { slot, generation, appName } = this.identity;
    const { config } = this.plan;
    const handshake: Handshake = {
      version: VERSION,
      holdsUnixSockets: this.listeners.holdsUnixSockets,
      inheritedPaths: this.listeners.inheritedPaths(),
      private: config.private,
      drainTimeoutMs: config.drainTimeoutMs,
      killTimeoutMs: config.killTimeoutMs,
      closeSpreadMs: config.closeSpreadMs,
      handover: config.handover === 'auto',
      keptOutput: this.isKept,
    };
    // cluster.fork adds the master's own environment: what the plan does not have is taken out by undefined.
    const removed = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
    return {
      ...removed,
      ...this.plan.env,
      ZDSUP: '1',
      ZDSUP_APP: appName,
      ZDSUP_SLOT: String(slot),
      ZDSUP_GENERATION: String(generation),
      ZDSUP_RELEASE: this.plan.release.id,
      NODE_APP_INSTANCE: String(slot),
      [HANDSHAKE_VARIABLE]: JSON.stringify(handshake),
    };
  }
}
