/** Of a worker that has ended, all is counted that it has told, and then it is no worker any more: whether an event says so or not. */
import { expect, onTestFinished, test, vi } from 'vitest';
import type { FiguresTaker, MeasuredWorker } from '../../../src/master/figures/keeper.js';
import { FiguresKeeper } from '../../../src/master/figures/keeper.js';

function world() {
  let taker: FiguresTaker | null = null;
  const worker: MeasuredWorker = {
    ...{ id: 1, generation: 3, hasServed: true, hasExited: false, isSilent: false },
    keepFigures: (next) => {
      taker = next;
    },
  };
  const keeper = new FiguresKeeper({
    workers: new Map([[1, worker]]),
    releaseOf: () => 'r3',
    crashes: () => 0,
    queue: { measure() {}, takeLongestMs: () => 0 },
  });
  keeper.begin();
  const told = { responses: [0, 2, 0, 0, 0, 0], taken: 0, given: 0, latency: [1, 2], latencySumMs: 1 };
  return { keeper, worker, taker: taker as unknown as FiguresTaker, told: { requests: 3, ...told } };
}

const shown = (keeper: FiguresKeeper) => {
  const { generations, totals } = keeper.ofApp(undefined);
  return { workers: generations[0]!.workerCount, requests: totals.requests, aborted: totals.responses.aborted };
};

test('a look waits for what a worker has told that has just ended', async () => {
  const { keeper, worker, taker, told } = world();
  worker.hasExited = true;
  let settled = false;
  const settling = keeper.settled().then(() => {
    settled = true;
  });
  await new Promise((turn) => setImmediate(turn));
  expect([settled, shown(keeper)]).toEqual([false, { workers: 1, requests: 0, aborted: 0 }]);
  taker.told(told);
  taker.silent();
  await settling;
  expect(shown(keeper)).toEqual({ workers: 0, requests: 3, aborted: 1 });
  keeper.end();
});

test('one of whose end no event tells is found by the next look, and by the next turn of the page', async () => {
  for (const find of ['look', 'turn']) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const later = performance.now() + 2_000;
    const { keeper, worker, taker, told } = world();
    taker.told(told);
    worker.hasExited = true;
    worker.isSilent = true;
    if (find === 'look') await keeper.settled();
    else {
      vi.spyOn(performance, 'now').mockReturnValue(later);
      await vi.advanceTimersByTimeAsync(2_000);
      vi.restoreAllMocks();
    }
    expect(shown(keeper)).toEqual({ workers: 0, requests: 3, aborted: 1 });
    keeper.end();
    vi.useRealTimers();
  }
});

test('how a process is stays as it was told last, where one word says nothing of it', () => {
  const { keeper, taker, told } = world();
  const loop = { utilization: 0.5, delayP50Ms: 1, delayP99Ms: 2 };
  taker.told({ ...told, process: { heapUsedBytes: 10, heapTotalBytes: 20, loop } });
  taker.told(told);
  expect(keeper.ofWorker(1)).toMatchObject({ totals: { requests: 6 }, heapUsedBytes: 10, heapTotalBytes: 20, loop });
  keeper.end();
});

test('rates are over the time that has gone by, however often somebody looks', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }); // Pages are turned by looks alone.
  let now = 1_000;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => {
    clock.mockRestore();
    vi.useRealTimers();
  });
  const { keeper, taker, told } = world();
  const rate = (afterMs: number): number => {
    now += afterMs;
    return keeper.ofApp(undefined).rates.requestsPerSecond;
  };
  taker.told({ ...told, requests: 30 });
  for (let look = 0; look < 8; look += 1) expect(rate(100), 'the page is not full').toBe(0);
  expect(rate(700)).toBe(30 / 1.5); // A master that was busy turns it late.
  for (let look = 0; look < 8; look += 1) expect(rate(100)).toBe(30 / 1.5);
  expect(rate(700)).toBe(30 / 3);
  keeper.end();
});
