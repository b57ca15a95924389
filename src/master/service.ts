/**
 * Runs in the master of a systemd unit: tells the manager how the fleet is. READY when the first generation serves, RELOADING and READY again around each
 * rollout, STOPPING, STATUS in words, WATCHDOG while all is well, and more time where something takes long. Decides nothing.
 */
import { isBusy, isHealthy, statusWords } from '../domain/service-state.js';
import type { Fleet, Rollout } from '../domain/types.js';
import { watchdogMs } from '../shared/service-manager.js';
import type { Observer, RolloutEnd } from './effects.js';
import type { Notice, Send } from './notify.js';
import { Notifier, sendByDescriptor, sendByProgram } from './notify.js';

/** How often it is looked at, in ms, where no watchdog wants it sooner. */
const LOOK_MS = 15_000;
/** At each look, what takes long gets so much time more, in ms: the manager's own limit is for what hangs. */
const MORE_TIME_MS = 60_000;
/** Beyond the deadline of a stop: the last workers are killed, and the journal is written, in ms. */
const LAST_MOMENTS_MS = 10_000;
/** Its words are told at most so often, in ms: a rollout of many workers has many steps. */
const WORDS_EVERY_MS = 250;
/** The last words are waited for so long, in ms. */
const LAST_WORDS_MS = 1_000;

export interface ServiceOptions {
  send: Send;
  /** As the manager wants to hear of the master, in ms; null: not at all. */
  watchdogMs: number | null;
  state(): Fleet;
  /** Settles when the queue has dealt with an event that changes nothing. */
  turn(): Promise<unknown>;
  /** The instant by the clock that decides. */
  now(): number;
  warn(message: string): void;
}

/** Null where no manager has asked to be told. */
export function sendOf(env: NodeJS.ProcessEnv, notifyFd: number | null): Send | null {
  if (!env.NOTIFY_SOCKET) return null;
  return notifyFd === null ? sendByProgram(env.NOTIFY_SOCKET, env.PATH) : sendByDescriptor(notifyFd);
}

export const watchdogOf = (env: NodeJS.ProcessEnv): number | null => watchdogMs(env, process.pid);

export class Service implements Observer {
  private readonly notifier: Notifier;
  private readonly looking: NodeJS.Timeout;
  private readonly startedAt = Date.now();
  private words = '';
  private wordsDue: NodeJS.Timeout | null = null;
  private stopping = false;
  private warned = false;

  constructor(private readonly options: ServiceOptions) {
    this.notifier = new Notifier(options.send, (why) => this.failed(why));
    // Half of what the manager waits: sd_watchdog_enabled(3).
    const lookMs = Math.min(LOOK_MS, (options.watchdogMs ?? Number.POSITIVE_INFINITY) / 2);
    this.looking = setInterval(() => void this.look(), lookMs);
    // An app may boot for longer than its unit's TimeoutStartSec: a first generation has a deadline of its own.
    this.tell({ EXTEND_TIMEOUT_USEC: MORE_TIME_MS * 1_000 });
  }

  rolloutBegun(rollout: Rollout): void {
    if (rollout.from === null) return; // A first start is no reload.
    this.tell({ RELOADING: 1, MONOTONIC_USEC: monotonicUs(), EXTEND_TIMEOUT_USEC: MORE_TIME_MS * 1_000 });
  }

  /** It rests there until a person or its judge acts: that may be tomorrow. */
  held(): void {
    this.ready();
  }

  rolloutEnded({ rollout }: RolloutEnd): void {
    const { serving } = this.options.state();
    if (serving !== null) this.ready();
    else if (rollout.outcome === 'failed') this.tell({ STATUS: `failed: ${rollout.reason ?? 'no reason is known'}` });
  }

  progress(): void {
    if (this.options.state().stop && !this.stopping) this.stop();
    this.wordsDue ??= setTimeout(() => {
      this.wordsDue = null;
      const words = statusWords(this.options.state());
      if (words === this.words || this.options.state().ended) return;
      this.words = words;
      this.tell({ STATUS: words });
    }, WORDS_EVERY_MS);
  }

  /** Nothing is told any more. @returns when the last words are said, or nobody reads them */
  async end(): Promise<void> {
    clearInterval(this.looking);
    if (this.wordsDue) clearTimeout(this.wordsDue);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([this.notifier.said(), new Promise((resolve) => (timer = setTimeout(resolve, LAST_WORDS_MS)))]);
    clearTimeout(timer);
  }

  private ready(): void {
    if (this.options.state().stop) return; // It would not be ready for long.
    this.words = statusWords(this.options.state());
    this.tell({ READY: 1, STATUS: this.words });
  }

  private stop(): void {
    this.stopping = true;
    const deadlineAt = this.options.state().stop!.deadlineAt;
    const leftMs = Math.max(0, deadlineAt - this.options.now()) + LAST_MOMENTS_MS;
    this.words = statusWords(this.options.state());
    this.tell({ STOPPING: 1, STATUS: this.words, EXTEND_TIMEOUT_USEC: Math.round(leftMs * 1_000) });
  }

  private async look(): Promise<void> {
    await this.options.turn();
    const fleet = this.options.state();
    const notice: Notice = {};
    if (this.options.watchdogMs !== null && isHealthy(fleet)) notice.WATCHDOG = 1;
    // A stop was given all its time when it began.
    if (isBusy(fleet) && !this.stopping) notice.EXTEND_TIMEOUT_USEC = MORE_TIME_MS * 1_000;
    if (Object.keys(notice).length > 0) this.tell(notice);
  }

  private tell(notice: Notice): void {
    this.notifier.tell(notice);
  }

  private failed(why: string): void {
    if (this.warned) return;
    this.warned = true;
    const afterMs = Date.now() - this.startedAt;
    this.options.warn(`the service manager cannot be told how the app is (${afterMs} ms after the start): ${why}`);
  }
}

/** The clock of CLOCK_MONOTONIC, by which the manager tells this reload from the one before. */
const monotonicUs = (): string => String(process.hrtime.bigint() / 1_000n);
