/**
 * What master and worker say to each other over the cluster IPC channel.
 *
 * A `cmd` that starts with `NODE_` arrives as `internalMessage`: it may carry a handle and the app's own
 * `process.on('message')` never sees it. A worker is known by its channel, never by a field of a message.
 */
import type { FiguresDelta } from './figures.js';
import type { SparseCounts } from './latency-buckets.js';

export const CMD = 'NODE_ZDSUP';

/** Handed to the preload in the environment (and deleted by it before the app runs), so that it is there synchronously. */
export const HANDSHAKE_VARIABLE = 'ZDSUP_HANDSHAKE';

export interface Handshake {
  /** Version of the master; a preload of another version refuses to run. */
  version: string;
  /**
   * The master holds unix sockets, whose paths this worker must not remove. Told at the fork: watching `fs` costs 4 ms of every
   * start, and most apps have none. A first start that races itself (two workers, one path) is mended by the master.
   */
  holdsUnixSockets: boolean;
  /** Unix sockets that a service manager has bound: their paths are held too, without a link that says so. */
  inheritedPaths: string[];
  /** Ports that the app listens on by itself. */
  private: number[];
  /** How long an orphan may drain, in ms. */
  drainTimeoutMs: number;
  /** How long the app's own SIGTERM handler may take after the drain, in ms. */
  killTimeoutMs: number;
  /** Over how long the WebSockets are closed before the drain deadline, in ms. */
  closeSpreadMs: number;
  /** Idle connections may change worker (config `handover`). */
  handover: boolean;
  /** What it writes is read by the log process, which never stalls: it waits until the kernel has it, so that its end loses nothing. */
  keptOutput: boolean;
}

/** Arguments of the listen seam, as `net.Server` gave them. `address` is a path where `addressType` is -1. */
export interface ListenSpec {
  address: string | null;
  port: number | null;
  addressType: number;
  flags: number;
  /**
   * Nth `listen` on port 0 of this address in this worker: each gets a socket of its own, the same in every worker. Of UDP, the nth
   * that is open on this address.
   */
  index: number;
  protocol: 'http' | 'https' | 'tcp' | 'tls' | 'udp';
}

export type SocketName = { address: string; family: string; port: number } | Record<string, never>;

export type WorkerMessage = { cmd: typeof CMD } & (
  | { act: 'hello'; version: string }
  /** Its event loop has time to spare: the app's script is loaded. Said once. */
  | { act: 'idle' }
  | { act: 'listen'; seq: number; spec: ListenSpec }
  /** Answers `own`: the errno of listen(2) on the shared socket, 0 when it listens now. */
  | { act: 'owned'; key: string; errno: number }
  | { act: 'close'; key: string }
  /** The app wants this worker to be replaced; it serves until its successor does. */
  | { act: 'leaving' }
  /** Answers `activate`: all that came before it has been taken. */
  | { act: 'activated' }
  | { act: 'pong'; seq: number }
  /** Answers `accept-asked` where it has not: there was no descriptor for it. */
  | { act: 'accept-missed'; key: string }
  | { act: 'chmod'; key: string; mode: number }
  /** `figures`: what is to be added to them, while they are on. */
  | {
      act: 'stats';
      seq: number;
      connections: number;
      inFlight: number;
      requests: number;
      webSockets: number;
      figures?: FiguresDelta;
    }
  /** What is to be added to its figures; once a second while they are on, and as it ends. */
  | ({ act: 'figured' } & FiguresDelta)
  /** Answers `signal`: does the app have a handler for it? */
  | { act: 'signalled'; seq: number; heard: boolean }
  /** Carries an idle connection that this worker gives away. It keeps its copy, unread, until `taken` or `untaken`. */
  | ({ act: 'handoff'; seq: number } & Passed)
  /** Has a handoff been received? Asked where `taken` is long in coming. */
  | { act: 'handoff-asked'; seq: number }
  /** Answers `take`: the worker has the connection, and waits for `grant` before it reads from it. */
  | { act: 'claim'; id: number }
  /** Answers `take`: this worker has no room for it, or no such listener. */
  | { act: 'decline'; id: number }
  /** Open connections, said where the number has changed. `fixed`: of them, those that never change worker. */
  | { act: 'load'; connections: number; fixed: number }
  /** What came of its requests since it told last, while it is to `observe`. */
  | ({ act: 'observed' } & ObservedDelta)
  /** Idle connections of some server of this worker stay where they are: why. Said once for each reason. */
  | { act: 'handover-off'; why: string }
  /** Answers `bounce`, and carries the same socket under a new descriptor. */
  | { act: 'bounced'; key: string; backlog: number }
);

export interface ObservedDelta {
  /** Answered, or broken off by the app. */
  requests: number;
  /** Of them: answered with 5xx, or broken off. */
  failed: number;
  latency: SparseCounts;
  /** The longest time for which its event loop was held up. */
  heldUpMs: number;
}

/** What goes with a connection from worker to worker. */
export interface Passed {
  /** The listener that it came through. */
  key: string;
  /** It has had a request: the receiver's keep-alive timer runs for it, as between two requests. */
  used: boolean;
  /** So many requests it has had, where the server limits them (`maxRequestsPerSocket`). */
  requests: number;
}

export type MasterMessage = { cmd: typeof CMD } & (
  | { act: 'listen-failed'; seq: number; errno: number }
  /** Carries a handle: call listen(2) on it once and answer `owned`. */
  | { act: 'own'; key: string; backlog: number }
  /** Of UDP it carries the handle: the app sends through it at once. */
  | { act: 'listening'; seq: number; key: string; name: SocketName }
  /** Carries a handle, but for UDP: accept from it now. */
  | { act: 'accept'; key: string }
  | { act: 'activate' }
  /** Stop accepting, let idle connections go, and stay: `unpark` comes ahead of the sockets that it is to accept from again. */
  | { act: 'park' }
  | { act: 'unpark' }
  /** Carries a connection: serve it as if it had been accepted. */
  | { act: 'probe'; key: string }
  /** Carries a connection: answer on it without the app. */
  | { act: 'rehearse' }
  /** Stop accepting, finish what is in flight within `deadlineMs`, then end. `handover`: idle connections have somewhere to go. */
  | { act: 'retire'; deadlineMs: number; closeIdle: boolean; handover: boolean }
  /** Answers `handoff`: the connection has a new owner, or the master holds it for the next one; the worker closes its copy. */
  | { act: 'taken'; seq: number }
  /** Answers `handoff`: it stays with the worker, which goes on reading from it. `stays`: it is not given away again. */
  | { act: 'untaken'; seq: number; stays: boolean }
  /** Carries a connection: claim it, or decline. `fresh`: it was accepted by the master; `stays`: it was this worker's, and nobody else has room. */
  | ({ act: 'take'; id: number; fresh: boolean; stays: boolean } & Passed)
  /** Has a connection that was offered been received? Answered with `decline` where not. */
  | { act: 'take-asked'; id: number }
  /** Answers `claim`: the connection is this worker's alone. */
  | { act: 'grant'; id: number }
  /** Answers `claim`: it went elsewhere meanwhile; close this copy unread. */
  | { act: 'revoke'; id: number }
  /** Say now how many connections you have. */
  | { act: 'count' }
  /** Give so many idle connections away, now or as they become idle in the next moments. */
  | { act: 'give'; count: number }
  /** Carries a listening socket: send it back. */
  | { act: 'bounce'; key: string }
  /** Accept no more from it, the master does; connections come by `take`. */
  | { act: 'hold'; key: string }
  | { act: 'stats'; seq: number }
  /** Tell every half second what came of the requests, or no more. `loop`: and for how long the event loop was held up. */
  | { act: 'observe'; on: boolean; loop: boolean }
  /** Keep figures and tell them, or no more. Comes ahead of the first socket to accept from. */
  | { act: 'figures'; on: boolean }
  /** Is your event loop alive? */
  | { act: 'ping'; seq: number }
  /** Sent behind `accept`: has its socket come? */
  | { act: 'accept-asked'; key: string }
  /** A signal that the worker is shielded from, for the app's own handlers. */
  | { act: 'signal'; seq: number; signal: NodeJS.Signals }
);
