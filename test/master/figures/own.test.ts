/** What the master says of itself is of the last interval, whatever was before. */
import { expect, onTestFinished, test } from 'vitest';
import { OwnFigures } from '../../../src/master/figures/own.js';

const NOTHING = { cpuPercent: 0, rssBytes: 1 };

/** Node looks at the loop every 20 ms: an interval has to have some of them in it. */
const goBy = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a loop that was blocked is busy and late for one interval, and an idle one is neither', async () => {
  const own = new OwnFigures({ measure() {}, takeLongestMs: () => 0 });
  own.begin();
  onTestFinished(() => own.end());
  await goBy(50);
  block(800);
  await goBy(50);
  own.turn();
  const blocked = own.shown(NOTHING).loop;
  expect(blocked.utilization).toBeGreaterThan(0.5);
  expect(blocked.delayP99Ms).toBeGreaterThan(400);
  await goBy(400);
  expect(own.shown(NOTHING).loop, 'until the interval is over').toEqual(blocked);
  own.turn();
  const idle = own.shown(NOTHING).loop;
  expect(idle.utilization).toBeLessThan(0.4);
  expect(idle.delayP50Ms, 'what Node waits between two looks is no delay').toBeLessThan(15);
  expect(idle.delayP99Ms).toBeLessThan(400);
});

test("the queue's delay is the longest of the last interval", () => {
  const longest = [3, 0, 7, 0];
  const own = new OwnFigures({ measure() {}, takeLongestMs: () => longest.shift() ?? 0 });
  own.begin();
  onTestFinished(() => own.end());
  own.turn();
  expect([own.shown(NOTHING).queueDelayMs, own.shown(NOTHING).queueDelayMs]).toEqual([3, 3]);
});
