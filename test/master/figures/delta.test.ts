/** What comes on a worker's channel and is no delta is added to nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ledger } from '../../../src/domain/figures/ledger.js';
import { isFiguresDelta } from '../../../src/master/figures/delta.js';
import { BUCKET_COUNT } from '../../../src/shared/latency-buckets.js';

const GOOD = {
  requests: 5,
  responses: [0, 4, 0, 0, 0, 1],
  taken: 1,
  given: 0,
  latency: [12, 3, 40, 1],
  latencySumMs: 3.25,
  process: { heapUsedBytes: 5e6, heapTotalBytes: 8e6, loop: { utilization: 0.4, delayP50Ms: 0.1, delayP99Ms: 3 } },
};

test('what the preload tells is one', () => {
  expect(isFiguresDelta(GOOD)).toBe(true);
  const { process: _, ...short } = GOOD;
  expect(isFiguresDelta(short)).toBe(true);
});

test.each([
  { requests: -1 },
  { requests: 1.5 },
  { requests: '5' },
  { requests: 1e9 },
  { responses: [1, 2] },
  { responses: [0, 0, 0, 0, 0, Number.NaN] },
  { responses: { length: 6 } },
  { latency: [1] },
  { latency: [BUCKET_COUNT, 1] },
  { latency: [1, -1] },
  { latency: Array.from({ length: 2 * BUCKET_COUNT + 2 }, () => 1) },
  { latencySumMs: Number.POSITIVE_INFINITY },
  { latencySumMs: -1 },
  { latencySumMs: 1e308 },
  { taken: null },
  { process: {} },
  { process: null },
  { process: { ...GOOD.process, loop: { ...GOOD.process.loop, delayP99Ms: 'late' } } },
])('%j makes it none', (bad) => {
  expect(isFiguresDelta({ ...GOOD, ...bad })).toBe(false);
});

test('whatever an app sends, what is let through leaves totals that are numbers', () => {
  const anything = fc.oneof(
    fc.anything(),
    fc.record({
      requests: fc.anything(),
      responses: fc.anything(),
      taken: fc.nat(),
      given: fc.nat(),
      latency: fc.array(fc.oneof(fc.nat(400), fc.anything())),
      latencySumMs: fc.double(),
    }),
  );
  fc.assert(
    fc.property(anything, (value) => {
      if (!isFiguresDelta(value)) return;
      const ledger = new Ledger();
      ledger.joined(1, 1, 'r', 0);
      ledger.told(1, value, 0);
      const { requests, latency, latencySumMs } = ledger.ofApp().totals;
      expect([requests, latencySumMs, ...latency].every(Number.isFinite)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
