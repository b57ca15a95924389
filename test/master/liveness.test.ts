/** Who is asked, whose silence counts, and what is held against nobody: by a clock that the test sets. */
import { describe, expect, test } from 'vitest';
import { emptyFleet } from '../../src/domain/fleet.js';
import type { Event, Fleet, WorkerStatus } from '../../src/domain/types.js';
import type { Effects } from '../../src/master/effects.js';
import { livenessTimeoutOf, watchLiveness } from '../../src/master/liveness.js';
import type { Plan } from '../../src/master/plan.js';

const TIMEOUT_MS = 1_000;
/** A fifth of the time-out. */
const TICK_MS = 200;

const planWith = (livenessTimeoutMs: number, more: object = {}): Plan =>
  ({ execArgv: [], env: {}, config: { livenessTimeoutMs }, ...more }) as unknown as Plan;

/** Workers 1 and 2 of one generation; each answers at once unless it is silent. */
class Watched {
  readonly posted: Event[] = [];
  readonly silent = new Set<number>();
  readonly asked: number[] = [];
  readonly state: Record<number, WorkerStatus['state']> = { 1: 'active', 2: 'active' };
  /** Answers that a silent worker owes. */
  readonly owed: (() => void)[] = [];
  private now = 0;
  private timer: { at: number; act: () => void } | null = null;

  constructor(timeoutMs = TIMEOUT_MS) {
    const worker = (id: number) => ({
      ping: (answer: () => void) => {
        this.asked.push(id);
        if (this.silent.has(id)) this.owed.push(answer);
        else answer();
      },
    });
    const effects = {
      plans: new Map([[1, planWith(timeoutMs)]]),
      workers: new Map([1, 2].map((id) => [id, worker(id)])),
    } as unknown as Effects;
    watchLiveness(
      effects,
      () => this.fleet,
      (event) => this.posted.push(event),
      {
        now: () => this.now,
        after: (ms, act) => {
          this.timer = { at: this.now + ms, act };
        },
      },
    );
  }

  private get fleet(): Fleet {
    const workers = Object.entries(this.state).map(([id, state]) => [
      id,
      { id: Number(id), generation: 1, status: { state } },
    ]);
    return { ...emptyFleet(), workers: Object.fromEntries(workers) } as Fleet;
  }

  /** @param lateMs the process did not run for so long when its timer was due */
  tick(lateMs = 0): this {
    const { at, act } = this.timer!;
    this.now = at + lateMs;
    act();
    return this;
  }

  ticks(count: number): this {
    for (let i = 0; i < count; i++) this.tick();
    return this;
  }

  get dueInMs(): number {
    return this.timer!.at - this.now;
  }
}

const unresponsive = (id: number): Event => ({ type: 'unresponsive', id });
/** One to ask, and one for each part of the time-out. */
const TICKS_TO_BLAME = 1 + TIMEOUT_MS / TICK_MS;

describe('a worker', () => {
  test('that is silent for its time-out is told of, and not a tick sooner; the other is not', () => {
    const watched = new Watched();
    watched.silent.add(2);
    expect(watched.ticks(TICKS_TO_BLAME - 1).posted).toEqual([]);
    expect(watched.tick().posted).toEqual([unresponsive(2)]);
  });

  test('that answers late, but within its time-out, is asked anew and blamed for nothing', () => {
    const watched = new Watched();
    watched.silent.add(2);
    watched.ticks(TICKS_TO_BLAME - 1);
    watched.owed[0]!();
    expect(watched.ticks(TICKS_TO_BLAME - 1).posted, 'its silence counts from the new question').toEqual([]);
    expect(watched.tick().posted).toEqual([unresponsive(2)]);
  });

  test('that has not answered yet has one question in its channel, however long it is blocked', () => {
    const watched = new Watched();
    watched.silent.add(2);
    watched.ticks(50);
    expect(watched.asked.filter((id) => id === 2)).toHaveLength(1);
  });

  test('that is parked is asked as well: it is the way back', () => {
    const watched = new Watched();
    watched.state[2] = 'parked';
    watched.silent.add(2);
    watched.ticks(8);
    expect(watched.posted).toContainEqual({ type: 'unresponsive', id: 2 });
  });

  test('that is no longer active is forgotten: what it was silent for does not count when it is back', () => {
    const watched = new Watched();
    watched.silent.add(2);
    watched.ticks(TICKS_TO_BLAME - 1);
    watched.state[2] = 'draining';
    watched.tick();
    watched.state[2] = 'active';
    expect(watched.ticks(TICKS_TO_BLAME - 1).posted).toEqual([]);
  });
});

describe('time in which the master itself did not run', () => {
  test('is held against nobody: all watches begin anew', () => {
    const watched = new Watched();
    watched.silent.add(1).add(2);
    watched.ticks(TICKS_TO_BLAME - 1).tick(60_000);
    expect(watched.ticks(TICKS_TO_BLAME - 1).posted).toEqual([]);
    expect(watched.tick().posted).toEqual([unresponsive(1), unresponsive(2)]);
  });

  test('of less than a tick is the usual lateness of a busy host', () => {
    const watched = new Watched();
    watched.silent.add(2);
    for (let i = 0; i < TICKS_TO_BLAME; i++) watched.tick(TICK_MS);
    expect(watched.posted).toEqual([unresponsive(2)]);
  });
});

describe('questions come', () => {
  test.each([
    ['a fifth of the time-out apart', 1_000, 200],
    ['at least 50 ms apart', 100, 50],
    ['at most 1 s apart', 30_000, 1_000],
    ['not at all where it is off; the plan of the next generation is looked for each second', 0, 1_000],
  ])('%s', (_, timeoutMs, tickMs) => {
    const watched = new Watched(timeoutMs);
    expect(watched.dueInMs).toBe(tickMs);
    watched.silent.add(2);
    expect(watched.ticks(2).asked.includes(2)).toBe(timeoutMs > 0);
  });
});

describe('the time-out', () => {
  test('is that of the config, and 0 for a generation that has gone', () => {
    expect(livenessTimeoutOf(planWith(30_000))).toBe(30_000);
    expect(livenessTimeoutOf(undefined)).toBe(0);
  });

  test('is off under an inspector, by an argument or by NODE_OPTIONS', () => {
    expect(livenessTimeoutOf(planWith(30_000, { execArgv: ['--inspect=0'] }))).toBe(0);
    expect(livenessTimeoutOf(planWith(30_000, { env: { NODE_OPTIONS: '--trace-warnings --inspect-brk' } }))).toBe(0);
    expect(livenessTimeoutOf(planWith(30_000, { env: { NODE_OPTIONS: '--trace-warnings' } }))).toBe(30_000);
  });
});
