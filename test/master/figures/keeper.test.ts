/** Of a worker that has ended, all is counted that it has told, and then it is no worker any more: whether an event says so or not. */
import { expect, test, vi } from 'vitest';
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
  await Promise.resolve();
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
