/** The numbers that the core decides by, worked out from a config on a host of two CPUs. */
import { describe, expect, test, vi } from 'vitest';
import type { Policy } from '../../src/domain/types.js';
import { policyOf } from '../../src/master/planning/release.js';
import type { AppConfigInput } from '../../src/shared/config-keys.js';
import { parseConfig } from '../../src/shared/config-schema.js';

vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  availableParallelism: () => 2,
}));

const policyFor = (config: Partial<AppConfigInput>): Policy =>
  policyOf(parseConfig({ script: 'app.js', ...config }, 'zdsup.config.js')[0]!, null);

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
