/** The feed: one snapshot a second for all who watch, and none for nobody. */
import { expect, test, vi } from 'vitest';
import type { Observer } from '../../src/master/effects.js';
import type { FeedMessage } from '../../src/master/feed.js';
import { Feed, SAMPLE_MS } from '../../src/master/feed.js';
import type { Progress } from '../../src/shared/control-protocol.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';

function world(hold: () => Promise<() => void> = () => Promise.resolve(() => {})) {
  vi.useFakeTimers();
  const made: AppSnapshot[] = [];
  const observers = new Set<Observer>();
  const warnings: string[] = [];
  let holders = 0;
  const feed = new Feed({
    snapshot: () => {
      const app = { name: 'shop', generation: made.length } as AppSnapshot;
      made.push(app);
      return Promise.resolve(app);
    },
    observers,
    figures: {
      hold: async () => {
        const letGo = await hold();
        holders += 1;
        return () => {
          holders -= 1;
          letGo();
        };
      },
    },
    warn: (message) => void warnings.push(message),
  });
  const passes = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
  return { feed, made, observers, warnings, passes, holders: () => holders };
}

const step: Progress = { type: 'progress', kind: 'serving', at: '2026-01-01T00:00:00.000Z', message: 'serves' };

test('all who watch get the same samples, made once, and each step as it comes', async () => {
  const { feed, made, observers, passes, holders } = world();
  const one: FeedMessage[] = [];
  const other: FeedMessage[] = [];
  const ends = [feed.subscribe((message) => one.push(message))];
  await passes(0);
  expect(one).toEqual([{ type: 'sample', app: made[0] }]);
  ends.push(feed.subscribe((message) => other.push(message))); // Has the last one at once.
  expect(other).toEqual(one);
  await passes(3 * SAMPLE_MS);
  expect(made).toHaveLength(4);
  expect(feed.latest()).toBe(made[3]);
  for (const observer of observers) observer.progress?.(step);
  expect(one).toEqual([...made.map((app) => ({ type: 'sample', app })), { type: 'event', event: step }]);
  expect(other).toEqual(one);
  expect(holders()).toBe(1);
  for (const end of ends) end();
});

test('while nobody watches, nothing is made, heard or held', async () => {
  const { feed, made, observers, passes, holders } = world();
  const ends = [feed.subscribe(() => {}), feed.subscribe(() => {})];
  await passes(0);
  for (const end of ends) {
    end();
    end();
  }
  await passes(5 * SAMPLE_MS);
  expect([made.length, observers.size, holders(), feed.latest(), vi.getTimerCount()]).toEqual([1, 0, 0, null, 0]);
});

test('who leaves while figures are still being loaded lets them go', async () => {
  let loaded = (_: () => void): void => {};
  const { feed, made, passes, holders } = world(() => new Promise((resolve) => (loaded = resolve)));
  feed.subscribe(() => {})();
  loaded(() => {});
  await passes(0);
  expect([made.length, holders()]).toEqual([0, 0]);
});

test('where figures cannot be had, samples come without, and the log says why', async () => {
  const { feed, made, warnings, passes } = world(() => Promise.reject(new Error('no such file\nat …')));
  const end = feed.subscribe(() => {});
  await passes(SAMPLE_MS);
  expect(made).toHaveLength(2);
  expect(warnings).toEqual(['figures cannot be had: no such file']);
  end();
});
