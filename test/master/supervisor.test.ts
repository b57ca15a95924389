/** The one queue, and its timer. */
import { afterEach, expect, test, vi } from 'vitest';
import type { Effect, Policy } from '../../src/domain/types.js';
import { Supervisor } from '../../src/master/supervisor.js';

const POLICY: Policy = {
  instances: 1,
  configuredInstances: 1,
  check: 'listening',
  readyDeadlineMs: 60_000,
  minReadyMs: 50,
  surge: 1,
  unavailable: 0,
  atomic: false,
  drainTimeoutMs: 1_000,
  killTimeoutMs: 1_000,
  stopTimeoutMs: 1_000,
  backoff: { initialMs: 100, factor: 2, capMs: 1_000, jitter: 0, resetAfterMs: 1_000 },
  maxDraining: 2,
  sticky: false,
  smoke: false,
  warmup: 'none',
  crashLoop: { count: 5, windowMs: 60_000 },
  canary: null,
  soakMs: 0,
  keepWarmMs: 0,
  limits: { memory: null, ageMs: null, requests: null },
};

afterEach(() => void vi.useRealTimers());

/** A first start up to the moment when only time is missing. */
function started(clock: () => number): { supervisor: Supervisor; effects: Effect[] } {
  const effects: Effect[] = [];
  const supervisor = new Supervisor((effect) => effects.push(effect), clock);
  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  supervisor.post({ type: 'prepared', rolloutId: 1, policy: POLICY });
  supervisor.post({ type: 'hello', id: 1 });
  supervisor.post({ type: 'listening', id: 1, key: 'tcp:1', label: 'port 1' });
  supervisor.post({ type: 'activated', id: 1 });
  return { supervisor, effects };
}

test('what comes due between a decision and the setting of its timer is not lost', () => {
  vi.useFakeTimers();
  let now = 1_000;
  const { supervisor, effects } = started(() => now);
  // The clock is read once for the decision, a moment too early, and once for the timer, when it is due.
  const readings = [1_049, 1_050];
  now = Number.NaN;
  const at = vi
    .spyOn(supervisor as unknown as { clock(): number }, 'clock')
    .mockImplementation(() => readings.shift() ?? 1_050);
  supervisor.post({ type: 'timer' });
  expect(effects.some((effect) => effect.type === 'rollout-ended')).toBe(false);
  vi.advanceTimersByTime(1);
  expect(effects).toContainEqual(expect.objectContaining({ type: 'rollout-ended' }));
  at.mockRestore();
});

test('an event that an effect posts is dealt with after the effects of its own event', () => {
  vi.useFakeTimers();
  const order: string[] = [];
  const supervisor: Supervisor = new Supervisor((effect) => {
    order.push(effect.type);
    if (effect.type === 'fork') supervisor.post({ type: 'forked', id: effect.id, pid: 1 });
  });
  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  supervisor.post({ type: 'prepared', rolloutId: 1, policy: { ...POLICY, instances: 2 } });
  expect(order).toEqual(['rollout-begun', 'prepare', 'progress', 'fork', 'fork', 'progress', 'progress']);
  supervisor.post({ type: 'end-at-once' });
});

test('a request settles with the reason for which its event was ignored', async () => {
  const { supervisor } = started(() => 1_000);
  expect(
    await supervisor.request({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false }),
  ).toBe('another rollout is under way');
  expect(await supervisor.request({ type: 'stop-requested' })).toBeUndefined();
  supervisor.post({ type: 'end-at-once' });
});

test('a deadline does not pass while the process is stopped: what came meanwhile is heard first', () => {
  vi.useFakeTimers();
  let now = 1_000;
  const effects: Effect[] = [];
  const supervisor = new Supervisor(
    (effect) => effects.push(effect),
    () => now,
  );
  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  supervisor.post({ type: 'prepared', rolloutId: 1, policy: POLICY });
  supervisor.post({ type: 'hello', id: 1 });
  now += 100_000; // Stopped over the readiness deadline.
  vi.advanceTimersToNextTimer();
  expect(effects.filter(({ type }) => type === 'kill')).toEqual([]);
  supervisor.post({ type: 'listening', id: 1, key: 'tcp:1', label: 'port 1' });
  expect(effects.filter(({ type }) => type === 'activate')).toHaveLength(1);
  supervisor.post({ type: 'end-at-once' });
});

/** Up to the timer of the readiness deadline, of a worker that has yet to say that it is ready. */
function unready(clock: () => number): { supervisor: Supervisor; kills: () => number } {
  const effects: Effect[] = [];
  const supervisor = new Supervisor((effect) => effects.push(effect), clock);
  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  supervisor.post({ type: 'prepared', rolloutId: 1, policy: { ...POLICY, check: 'message' } });
  supervisor.post({ type: 'hello', id: 1 });
  supervisor.post({ type: 'listening', id: 1, key: 'tcp:1', label: 'port 1' });
  return { supervisor, kills: () => effects.filter(({ type }) => type === 'kill').length };
}

test('nor does the deadline whose own timer fires late, nor by an event that comes ahead of it', () => {
  vi.useFakeTimers();
  let now = 1_000;
  const { supervisor, kills } = unready(() => now);
  now += 2_000;
  vi.advanceTimersToNextTimer(); // What comes sooner: an app that never listens would be ready.
  now = 200_000; // Stopped over the deadline.
  supervisor.post({ type: 'probe-failed', id: 1, reason: 'no answer' });
  expect(kills()).toBe(0);
  vi.advanceTimersToNextTimer();
  now += 100;
  supervisor.post({ type: 'ready-message', id: 1 });
  now += 1_000;
  vi.advanceTimersToNextTimer();
  expect(kills()).toBe(0);
  supervisor.post({ type: 'end-at-once' });
});

test('a process that is late at every turn still comes to its deadlines', () => {
  vi.useFakeTimers();
  let now = 1_000;
  const { supervisor, kills } = unready(() => now);
  for (let turns = 0; turns < 10 && kills() === 0; turns++) {
    now += 70_000;
    vi.advanceTimersToNextTimer();
  }
  expect(kills()).toBe(1);
  supervisor.post({ type: 'end-at-once' });
});

/** One whose first workers have been forked. */
function forking(clock: () => number, policy: Policy): Supervisor {
  const supervisor = new Supervisor(() => {}, clock, clock);
  supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  supervisor.post({ type: 'prepared', rolloutId: 1, policy });
  return supervisor;
}

test('instants are told in wall time: those from before a standstill as they were, those after it with what it took', () => {
  vi.useFakeTimers();
  let now = 1_000;
  const supervisor = forking(() => now, { ...POLICY, instances: 2 });
  const { forkedAt } = supervisor.state.workers[1]!;
  now += 100_000; // Stopped over the readiness deadline.
  vi.advanceTimersToNextTimer();
  expect(supervisor.now(), 'no deadline runs in it').toBeLessThan(100_000);
  expect(supervisor.wallOf(forkedAt)).toBe(1_000);
  expect(supervisor.wallOf(supervisor.now())).toBe(101_000);
  now += 50;
  expect(supervisor.wallOf(supervisor.now())).toBe(101_050);
  supervisor.post({ type: 'end-at-once' });
});

test('an instant right before a standstill is told apart from those after it', () => {
  vi.useFakeTimers();
  let now = 1_000;
  const supervisor = forking(() => now, POLICY);
  now += POLICY.readyDeadlineMs - 50;
  supervisor.post({ type: 'timer' });
  const before = now;
  now += 100_000;
  vi.advanceTimersToNextTimer();
  expect(supervisor.wallOf(before)).toBe(before);
  expect(supervisor.wallOf(supervisor.now())).toBe(now);
  supervisor.post({ type: 'end-at-once' });
});

test('a host that slept, or whose clock was set, has its wall time from there on', () => {
  let now = 1_000;
  let setBackMs = 0;
  const supervisor = new Supervisor(
    () => {},
    () => now,
    () => now - setBackMs,
  );
  supervisor.post({ type: 'timer' });
  now += 10;
  setBackMs = 60_000;
  supervisor.post({ type: 'timer' });
  expect([1_000, 1_010, 1_020].map((at) => supervisor.wallOf(at))).toEqual([1_000, -58_990, -58_980]);
});

test('how long an event waits and is worked on is measured while somebody wants to know', () => {
  vi.useFakeTimers();
  let elapsedMs = 5;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => elapsedMs);
  const supervisor: Supervisor = new Supervisor(
    (effect) => {
      if (effect.type === 'prepare') {
        supervisor.post({ type: 'timer' }); // Waits until this one has been dealt with.
        elapsedMs += 30;
      }
    },
    () => 1_000,
  );
  const begin = (): void =>
    supervisor.post({ type: 'rollout-requested', kind: 'reload', source: 'start', allowListeners: false });
  supervisor.measureDelay(true);
  expect(supervisor.takeLongestDelayMs()).toBe(0);
  begin();
  supervisor.post({ type: 'timer' }); // Is dealt with at once.
  expect(supervisor.takeLongestDelayMs()).toBe(30);
  expect(supervisor.takeLongestDelayMs()).toBe(0);
  supervisor.measureDelay(false);
  clock.mockClear();
  supervisor.post({ type: 'timer' });
  expect(clock).not.toHaveBeenCalled();
  expect(supervisor.takeLongestDelayMs()).toBe(0);
  clock.mockRestore();
});
