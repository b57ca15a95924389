/** What the verdict promises, over many runs of simulated traffic. Every run has its seed: the figures are the same everywhere. */
import { describe, expect, test } from 'vitest';
import { beginSoak } from '../../../src/domain/verdict/judge.js';
import type { Behaviour, Simulated } from './traffic.js';
import { logNormal, simulate, slowTail } from './traffic.js';

const seeds = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const badOnes = (runs: Simulated[]): Simulated[] => runs.filter(({ verdict }) => verdict === 'bad');

const CLEAN: Behaviour = { failures: 0 };
const TWO_PERCENT: Behaviour = { failures: 0.02 };
const ONE_PERCENT: Behaviour = { failures: 0.01 };

describe('failures', () => {
  test('2 % beside a clean stable generation are found within 600 canary requests at weight 5: 20 runs of 20', () => {
    const runs = seeds(20).map((seed) =>
      simulate({ seed, weight: 5, canary: TWO_PERCENT, stable: CLEAN, until: { canaryRequests: 600 } }),
    );
    expect(badOnes(runs)).toHaveLength(20);
  });

  test('and not by luck of these seeds: of 1,000 runs at least 990', () => {
    const runs = seeds(1_000).map((seed) =>
      simulate({ seed, weight: 5, canary: TWO_PERCENT, stable: CLEAN, until: { canaryRequests: 600 } }),
    );
    expect(badOnes(runs).length).toBeGreaterThanOrEqual(990);
  });

  test.for([5, 50])(
    'of 1 % in both, looked at after every request for 20,000 requests at weight %i, abort at most 5 runs of 1,000',
    { timeout: 300_000 },
    (weight) => {
      const runs = seeds(1_000).map((seed) =>
        simulate({ seed, weight, canary: ONE_PERCENT, stable: ONE_PERCENT, until: { requests: 20_000 } }),
      );
      expect(badOnes(runs).length).toBeLessThanOrEqual(5);
      expect(runs.filter(({ verdict }) => verdict === 'good').length).toBeGreaterThanOrEqual(950);
    },
  );

  test('that both have for a while, in an outage of what both need, accuse nobody', () => {
    const runs = seeds(50).map((seed) => {
      let state = simulate({ seed, weight: 5, canary: CLEAN, stable: CLEAN, until: { requests: 5_000 } }).state;
      for (const failures of [0.5, 0, 0.9, 0.01])
        state = simulate({
          seed: seed * 1_000 + failures * 100,
          weight: 5,
          canary: { failures },
          stable: { failures },
          until: { requests: 5_000 },
          from: state,
        }).state;
      return state.bad;
    });
    expect(runs.filter((bad) => bad !== null)).toEqual([]);
  });

  test('that begin after 200,000 good requests are found within 600 of the canary: 20 runs of 20', () => {
    const runs = seeds(20).map((seed) => {
      const long = { seed, weight: 5, canary: ONE_PERCENT, stable: ONE_PERCENT, everyRequests: 500 };
      const { state } = simulate({ ...long, until: { requests: 200_000 } });
      return simulate({ ...long, canary: { failures: 0.1 }, until: { canaryRequests: 600 }, from: state });
    });
    expect(badOnes(runs)).toHaveLength(20);
  });

  test('within the tolerance, 5.8 % beside 5 %, are not held against it', () => {
    const runs = seeds(20).map((seed) =>
      simulate({
        seed,
        weight: 50,
        canary: { failures: 0.058 },
        stable: { failures: 0.05 },
        everyRequests: 500,
        until: { requests: 300_000 },
      }),
    );
    expect(badOnes(runs)).toEqual([]);
  });

  test('too rare to matter, 0.02 % beside none, are not held against it', () => {
    const runs = seeds(20).map((seed) =>
      simulate({
        seed,
        weight: 5,
        canary: { failures: 0.0002 },
        stable: CLEAN,
        everyRequests: 500,
        until: { requests: 300_000 },
      }),
    );
    expect(badOnes(runs).length).toBeLessThanOrEqual(1);
  });
});

describe('latency', () => {
  const STABLE: Behaviour = { failures: 0, latencyMs: logNormal(8, 0.6) };
  /** 1,000 requests a second, looked at twice a second. */
  const realistic = { weight: 5, everyRequests: 500 };

  test('twice as long for every request is found within 2,000 canary requests: 20 runs of 20', () => {
    const runs = seeds(20).map((seed) =>
      simulate({
        seed,
        ...realistic,
        canary: { failures: 0, latencyMs: logNormal(16, 0.6) },
        stable: STABLE,
        until: { canaryRequests: 2_000 },
      }),
    );
    expect(badOnes(runs)).toHaveLength(20);
    expect(Math.max(...runs.map(({ canaryRequests }) => canaryRequests))).toBeLessThan(600);
  });

  test('twice as long for the slowest 2 % alone is found within 10,000 canary requests: 20 runs of 20', () => {
    const runs = seeds(20).map((seed) =>
      simulate({
        seed,
        ...realistic,
        canary: { failures: 0, latencyMs: slowTail(8, 0.6, 2.054, 2) },
        stable: STABLE,
        until: { canaryRequests: 10_000 },
      }),
    );
    expect(badOnes(runs)).toHaveLength(20);
  });

  test('that is the same in both aborts no run of 100, with 50,000 requests each', { timeout: 120_000 }, () => {
    const runs = seeds(100).map((seed) =>
      simulate({ seed, ...realistic, canary: STABLE, stable: STABLE, until: { requests: 50_000 } }),
    );
    expect(badOnes(runs)).toEqual([]);
  });

  test('a tenth longer, or less than 1 ms, is tolerated: none of 20 runs', () => {
    const tenth = seeds(10).map((seed) =>
      simulate({
        seed,
        ...realistic,
        canary: { failures: 0, latencyMs: logNormal(8.8, 0.6) },
        stable: STABLE,
        until: { requests: 100_000 },
      }),
    );
    const tiny = seeds(10).map((seed) =>
      simulate({
        seed,
        ...realistic,
        canary: { failures: 0, latencyMs: logNormal(0.5, 0.3) },
        stable: { failures: 0, latencyMs: logNormal(0.25, 0.3) },
        until: { requests: 100_000 },
      }),
    );
    expect(badOnes([...tenth, ...tiny])).toEqual([]);
  });
});

describe('a soak', () => {
  const before = (stable: Behaviour) =>
    beginSoak(
      simulate({ seed: 7, weight: 20, canary: stable, stable, everyRequests: 500, until: { requests: 20_000 } }).state,
    );
  const soak = (seed: number, stable: Behaviour, canary: Behaviour) =>
    simulate({
      seed,
      weight: 100,
      canary,
      stable,
      everyRequests: 500,
      until: { requests: 30_000 },
      from: before(stable),
    });

  test('finds failures and slowness that begin after the promotion: 20 runs of 20', () => {
    const stable = { failures: 0.001, latencyMs: logNormal(8, 0.6) };
    const failing = seeds(20).map((seed) => soak(seed, stable, { ...stable, failures: 0.02 }));
    const slow = seeds(20).map((seed) => soak(seed, stable, { ...stable, latencyMs: logNormal(16, 0.6) }));
    expect([badOnes(failing).length, badOnes(slow).length]).toEqual([20, 20]);
  });

  test('of a release that is as the old one is good: 100 runs of 100', () => {
    const stable = { failures: 0.001, latencyMs: logNormal(8, 0.6) };
    const runs = seeds(100).map((seed) => soak(seed, stable, stable));
    expect(runs.filter(({ verdict }) => verdict !== 'good').map(({ reason }) => reason)).toEqual([]);
  });
});
