import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs } from '../../src/domain/backoff.js';

const DEFAULTS = { initialMs: 100, factor: 2, capMs: 30_000, jitter: 0.2, resetAfterMs: 60_000 };
const MIDDLE = 0.5;

describe('the delay before a respawn', () => {
  test('begins with the initial delay and doubles with each failure in a row', () => {
    expect([1, 2, 3, 4, 5].map((failures) => backoffMs(DEFAULTS, failures, MIDDLE))).toEqual([
      100, 200, 400, 800, 1_600,
    ]);
  });

  test('stays at the cap, also after thousands of failures', () => {
    expect([10, 100, 5_000].map((failures) => backoffMs(DEFAULTS, failures, MIDDLE))).toEqual([30_000, 30_000, 30_000]);
  });

  test('stays 0 with an initial delay of 0, also after thousands of failures', () => {
    expect([1, 2_000].map((failures) => backoffMs({ ...DEFAULTS, initialMs: 0 }, failures, MIDDLE))).toEqual([0, 0]);
  });

  test('does not grow with a factor of 1', () => {
    expect([1, 50].map((failures) => backoffMs({ ...DEFAULTS, factor: 1 }, failures, MIDDLE))).toEqual([100, 100]);
  });

  test('varies by the jitter either way', () => {
    expect(backoffMs(DEFAULTS, 1, 0)).toBe(80);
    expect(backoffMs(DEFAULTS, 1, 1 - Number.EPSILON)).toBe(120);
    expect(backoffMs(DEFAULTS, 20, 0)).toBe(24_000);
  });

  test('is the same each time without jitter', () => {
    expect([0, 0.3, 0.99].map((random) => backoffMs({ ...DEFAULTS, jitter: 0 }, 2, random))).toEqual([200, 200, 200]);
  });

  test('is a finite number of whole ms from 0, whatever the config and the count of failures', () => {
    const config = fc.record({
      initialMs: fc.nat(60_000),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      capMs: fc.nat(3_600_000),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      resetAfterMs: fc.nat(60_000),
    });
    fc.assert(
      fc.property(
        config,
        fc.integer({ min: 1, max: 10_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (some, failures, random) => {
          const delay = backoffMs(some, failures, random);
          expect(Number.isInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(Math.ceil(some.capMs * (1 + some.jitter)));
        },
      ),
    );
  });
});
