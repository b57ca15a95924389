/**
 * Runs in the master. The one queue: everything that happens becomes an event, the core decides, effects.ts acts.
 * Owns the fleet and the timer; knows no socket, no process, no file.
 */
import { emptyFleet } from '../domain/fleet.js';
import { nextWakeAt } from '../domain/reconcile.js';
import { step } from '../domain/step.js';
import type { Effect, Event, Fleet } from '../domain/types.js';

export type Perform = (effect: Effect, fleet: Fleet) => void;

/** A timer that is due later than Node can count is set again when it fires, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A timer that fires so much too late, in ms, tells of time in which this process was stopped or starved. */
const STANDSTILL_MS = 500;

/** After a standstill the clock stays so long before what is due, in ms: words that came meanwhile are heard, and workers that were stopped too can speak. */
const HEARING_MS = 500;

/** Wall time at the start, monotonic from there on: a clock that is set moves no deadline. In whole ms since 1970. */
const steadyClock = (): number => Math.floor(performance.timeOrigin + performance.now());

/** Wall time may differ by so much from what it was taken for, in ms: rounding, and a clock that is being slewed. */
const WALL_TOLERANCE_MS = 100;
/** Shifts of wall time that are remembered. */
const KEPT_SHIFTS = 1_000;

export class Supervisor {
  private fleet: Fleet = emptyFleet();
  private readonly queue: { event: Event; done?: (ignored: string | undefined) => void; at: number }[] = [];
  /** Since somebody looked, in ms; null while nobody does. */
  private longestDelayMs: number | null = null;
  private running = false;
  private timer: NodeJS.Timeout | null = null;
  /** The instant of the last decision. */
  private decidedAt = 0;
  /**
   * Time in which this process did not run. No deadline runs in it: what a worker has said meanwhile lies unread in
   * its channel, and timers come before channels in a turn of the event loop.
   */
  private lostMs = 0;
  /** Of the timer, by the clock that decides. */
  private dueAt: number | null = null;
  /** The hearing after a standstill is given once: a process that starves at every turn still comes to its deadlines. */
  private heard = false;

  /** How far wall time is ahead of the clock that decides, from that instant on: it moves in a standstill, and where the host sleeps or its clock is set. */
  private readonly shifts: { at: number; aheadMs: number }[] = [];

  constructor(
    private readonly perform: Perform,
    private readonly clock: () => number = steadyClock,
    private readonly wall: () => number = Date.now,
  ) {}

  /** Before the first event: numbers rollouts on from the last one of a master before this. */
  continueAfter(lastRolloutId: number): void {
    this.fleet = emptyFleet(lastRolloutId + 1);
  }

  /** The instant by the clock that decides. */
  now(): number {
    return Math.max(this.decidedAt, this.clock() - this.lostMs);
  }

  /** An instant of the fleet's as people have it, in ms since 1970. */
  wallOf(at: number): number {
    const shift = this.shifts.findLast((one) => one.at <= at) ?? this.shifts[0];
    return at + (shift?.aheadMs ?? 0);
  }

  get state(): Fleet {
    return this.fleet;
  }

  post(event: Event): void {
    this.queue.push({ event, at: this.instantOfPost() });
    this.run();
  }

  /** Posts an event and tells why it was ignored, where it was. Settles when the event has been dealt with. */
  request(event: Event): Promise<string | undefined> {
    return new Promise((done) => {
      this.queue.push({ event, done, at: this.instantOfPost() });
      this.run();
    });
  }

  /** How long an event waits and is worked on is measured, or no more. */
  measureDelay(on: boolean): void {
    this.longestDelayMs = on ? 0 : null;
  }

  /** The longest since it was asked last, in ms. */
  takeLongestDelayMs(): number {
    const longest = this.longestDelayMs ?? 0;
    if (this.longestDelayMs !== null) this.longestDelayMs = 0;
    return longest;
  }

  private instantOfPost(): number {
    return this.longestDelayMs === null ? 0 : performance.now();
  }

  /** One that was posted before anybody measured has no instant. */
  private noteDelay(longestMs: number, postedAt: number): void {
    if (postedAt > 0) this.longestDelayMs = Math.max(longestMs, performance.now() - postedAt);
  }

  private run(): void {
    if (this.running) return; // An effect that posts is dealt with after those of its own event.
    this.running = true;
    try {
      for (let next = this.queue.shift(); next; next = this.queue.shift()) {
        this.decidedAt = this.instantOfDecision();
        this.noteShift();
        const result = step(this.fleet, next.event, { now: this.decidedAt, random: Math.random() });
        this.fleet = result.fleet;
        for (const effect of result.effects) this.perform(effect, this.fleet);
        next.done?.(result.ignored);
        if (this.longestDelayMs !== null) this.noteDelay(this.longestDelayMs, next.at);
      }
    } finally {
      this.running = false;
    }
    this.setTimer();
  }

  /** What was not due at the last decision is ahead, also where it has come due since. */
  private setTimer(): void {
    if (this.timer) clearTimeout(this.timer);
    const at = this.fleet.ended ? null : nextWakeAt(this.fleet, this.decidedAt);
    if (at === null) {
      this.timer = null;
      this.dueAt = null;
    } else this.timer = this.wakeIn(Math.min(Math.max(0, at - this.now()), LONGEST_TIMER_MS));
  }

  private wakeIn(ms: number): NodeJS.Timeout {
    this.dueAt = this.now() + ms;
    return setTimeout(() => {
      if (this.lateMs(this.now()) <= STANDSTILL_MS) this.heard = false;
      this.post({ type: 'timer' });
    }, ms);
  }

  private lateMs(now: number): number {
    return this.dueAt === null ? 0 : now - this.dueAt;
  }

  /** Leaves a standstill out, whoever brings the first event after it. */
  private instantOfDecision(): number {
    const now = this.now();
    const lateMs = this.lateMs(now);
    if (lateMs <= STANDSTILL_MS) return now;
    const lostMs = lateMs + (this.heard ? 0 : HEARING_MS);
    this.heard = true;
    this.lostMs += lostMs;
    return Math.max(this.decidedAt + 1, now - lostMs); // An instant before and one after it are told apart.
  }

  private noteShift(): void {
    const aheadMs = this.wall() - this.decidedAt;
    const last = this.shifts.at(-1);
    if (last && Math.abs(aheadMs - last.aheadMs) <= WALL_TOLERANCE_MS) return;
    this.shifts.push({ at: this.decidedAt, aheadMs });
    if (this.shifts.length > KEPT_SHIFTS) this.shifts.shift();
  }
}
