/** The numbers that the core decides by, worked out from a config on a host of two CPUs. */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/domain/types.js';
import { policyOf } from '../../src/master/planning/release.js';
import type { AppConfigInput } from '../../src/shared/config-keys.js';
import { parseConfig } from '../../src/shared/config-schema.js';

const GB = 2 ** 30;
const HOST = { cpus: 2, memoryBytes: 4 * GB };

const policyFor = (config: Partial<AppConfigInput>): Policy =>
  policyOf(parseConfig({ script: 'app.js', ...config }, 'zdsup.config.js')[0]!, null, HOST);

describe('what a worker is recycled for', () => {
  test('is nothing by default', () => {
    expect(policyFor({}).limits).toEqual({ memory: null, ageMs: null, requests: null });
  });

  test('is its own size, age and number of requests', () => {
    expect(policyFor({ maxMemory: '512mb', maxAge: '1h', maxRequests: 10 }).limits).toEqual({
      memory: { bytes: GB / 2, of: 'each' },
      ageMs: 3_600_000,
      requests: 10,
    });
  });

  test('is its part of a share of the memory that the host gives', () => {
    expect(policyFor({ maxMemory: '50%' }).limits.memory).toEqual({ bytes: 2 * GB, of: 'all' });
  });
});

describe('shares of the instances', () => {
  test('surge is rounded up, unavailable down', () => {
    expect(policyFor({ instances: 5, surge: '25%', unavailable: '50%' })).toMatchObject({ surge: 2, unavailable: 2 });
  });

  test('the default surge is at least one worker', () => {
    expect([1, 2, 4, 5].map((instances) => policyFor({ instances }).surge)).toEqual([1, 1, 1, 2]);
  });

  test('max is the number of CPUs', () => {
    expect(policyFor({ instances: 'max', unavailable: '50%' })).toMatchObject({ instances: 2, unavailable: 1 });
  });

  test('that round to no worker at all on this host still leave a reload a way to go', () => {
    const { surge, unavailable } = policyFor({ instances: 'max', surge: 0, unavailable: '25%' });
    expect(surge + unavailable).toBeGreaterThanOrEqual(1);
  });
});

test.for([
  [{ ready: 'listening' }, 'listening'],
  [{ ready: 'message' }, 'message'],
  [{ ready: { path: '/healthz' } }, 'http'],
] as const)('%j is a check of the kind %s', ([config, check]) => {
  expect(policyFor(config).check).toBe(check);
});
