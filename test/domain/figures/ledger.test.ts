/** What the workers tell is added up so that nothing is counted twice or lost, in whatever order they come and go. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEPT_GENERATIONS, Ledger } from '../../../src/domain/figures/ledger.js';
import type { FiguresDelta, Totals } from '../../../src/shared/figures.js';
import { RESPONSE_CLASSES } from '../../../src/shared/figures.js';
import { BUCKET_COUNT, bucketOf } from '../../../src/shared/latency-buckets.js';

type Move =
  | { kind: 'join'; generation: number }
  | { kind: 'tell'; who: number; begun: number; ended: number; status: number; ms: number; moved: number }
  | { kind: 'go'; who: number }
  | { kind: 'turn'; ms: number };

const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('join' as const), generation: fc.nat(30) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('tell' as const),
        who: fc.nat(),
        begun: fc.nat(50),
        ended: fc.nat(50),
        status: fc.nat(RESPONSE_CLASSES.length - 1),
        ms: fc.double({ min: 0, max: 1e7, noNaN: true }),
        moved: fc.nat(3),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('go' as const), who: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('turn' as const), ms: fc.integer({ min: 1, max: 5_000 }) }) },
  ),
  { maxLength: 120 },
);

const answersOf = ({ responses }: Totals): number =>
  Object.values(responses).reduce((sum: number, count: number) => sum + count, 0);
const measuredOf = ({ latency }: Totals): number =>
  latency.reduce((sum, value, at) => sum + (at % 2 === 1 ? value : 0), 0);

const SUMMED = ['requests', 'taken', 'given', 'latencySumMs'] as const;

/** Plain numbers, kept by the test. */
interface Book {
  requests: number;
  answers: number;
  measured: number;
  moved: number;
}
const newBook = (): Book => ({ requests: 0, answers: 0, measured: 0, moved: 0 });

function run(list: Move[], check: (ledger: Ledger, world: World) => void = () => {}): { ledger: Ledger; world: World } {
  const ledger = new Ledger();
  const world: World = { app: newBook(), generations: new Map(), live: new Map(), nextId: 1 };
  for (const move of list) {
    act(ledger, world, move);
    check(ledger, world);
  }
  return { ledger, world };
}

interface World {
  app: Book;
  generations: Map<number, Book>;
  live: Map<number, { generation: number; book: Book }>;
  nextId: number;
}

function act(ledger: Ledger, world: World, move: Move): void {
  const ids = [...world.live.keys()];
  if (move.kind === 'turn') ledger.turn(move.ms);
  if (move.kind === 'join') {
    const { generation } = move;
    const id = world.nextId++;
    if (!ledger.ofGenerations().some((one) => one.generation === generation))
      world.generations.set(generation, newBook());
    world.live.set(id, { generation, book: newBook() });
    ledger.joined(id, generation, `r${generation}`, 0);
  }
  if ((move.kind !== 'tell' && move.kind !== 'go') || ids.length === 0) return;
  const id = ids[move.who % ids.length]!;
  const { generation, book } = world.live.get(id)!;
  const books = [book, world.generations.get(generation)!, world.app];
  if (move.kind === 'go') {
    const lost = book.requests - book.answers;
    for (const one of books) one.answers += lost;
    world.live.delete(id);
    ledger.gone(id);
    return;
  }
  const isWhole = RESPONSE_CLASSES[move.status] !== 'aborted';
  const ended = Math.min(move.ended, book.requests + move.begun - book.answers);
  for (const one of books) {
    one.requests += move.begun;
    one.answers += ended;
    one.measured += isWhole ? ended : 0;
    one.moved += move.moved;
  }
  const delta: FiguresDelta = {
    requests: move.begun,
    responses: RESPONSE_CLASSES.map((_, index) => (index === move.status ? ended : 0)),
    taken: move.moved,
    given: move.moved,
    latency: isWhole && ended > 0 ? [bucketOf(move.ms), ended] : [],
    latencySumMs: isWhole ? ended * Math.round(move.ms) : 0,
  };
  ledger.told(id, delta, 0);
}

function expectBook(totals: Totals, book: Book): void {
  expect({
    requests: totals.requests,
    answers: answersOf(totals),
    measured: measuredOf(totals),
    taken: totals.taken,
    given: totals.given,
  }).toEqual({
    requests: book.requests,
    answers: book.answers,
    measured: book.measured,
    taken: book.moved,
    given: book.moved,
  });
}

test('the app has what all its workers told, each generation what its own did, whoever goes in between', () => {
  fc.assert(
    fc.property(moves, (list) => {
      const { ledger, world } = run(list);
      expectBook(ledger.ofApp().totals, world.app);
      for (const { generation, totals, release } of ledger.ofGenerations()) {
        expect(release).toBe(`r${generation}`);
        expectBook(totals, world.generations.get(generation)!);
      }
      for (const [id, { book }] of world.live) expectBook(ledger.ofWorker(id)!.totals, book);
    }),
    { numRuns: 150 },
  );
});

test('totals never fall, neither of the app nor of a generation that is remembered', () => {
  fc.assert(
    fc.property(moves, (list) => {
      let app = new Ledger().ofApp().totals;
      let generations = new Map<number, Totals>();
      run(list, (ledger) => {
        const next = ledger.ofApp().totals;
        for (const key of SUMMED) expect(next[key]).toBeGreaterThanOrEqual(app[key]);
        for (const name of RESPONSE_CLASSES) expect(next.responses[name]).toBeGreaterThanOrEqual(app.responses[name]);
        const now = new Map(ledger.ofGenerations().map(({ generation, totals }) => [generation, totals]));
        for (const [generation, totals] of now) {
          const last = generations.get(generation);
          if (last) expect(answersOf(totals)).toBeGreaterThanOrEqual(answersOf(last));
        }
        app = next;
        generations = now;
      });
    }),
    { numRuns: 60 },
  );
});

test('once all workers have gone, every request has one answer or was broken off', () => {
  fc.assert(
    fc.property(moves, (list) => {
      const { ledger, world } = run(list);
      for (const id of world.live.keys()) ledger.gone(id);
      const { totals } = ledger.ofApp();
      expect(answersOf(totals)).toBe(totals.requests);
      for (const generation of ledger.ofGenerations()) expect(generation.workerCount).toBe(0);
    }),
    { numRuns: 100 },
  );
});

test('of generations without workers the newest are remembered, and those with workers all', () => {
  fc.assert(
    fc.property(moves, (list) => {
      const { ledger, world } = run(list);
      const shown = ledger.ofGenerations();
      const served = new Set([...world.live.values()].map(({ generation }) => generation));
      for (const generation of served) expect(shown.map((one) => one.generation)).toContain(generation);
      expect(shown.filter(({ workerCount }) => workerCount === 0).length).toBeLessThanOrEqual(KEPT_GENERATIONS);
    }),
    { numRuns: 100 },
  );
  const ledger = new Ledger();
  for (let generation = 1; generation <= 40; generation += 1) {
    ledger.joined(generation, generation, 'r', 0);
    if (generation > 1) ledger.gone(generation);
  }
  const shown = ledger.ofGenerations().map(({ generation }) => generation);
  expect(shown).toEqual([1, ...Array.from({ length: KEPT_GENERATIONS }, (_, index) => 41 - KEPT_GENERATIONS + index)]);
});

test('of a worker that has not joined or has gone nothing is counted', () => {
  const ledger = new Ledger();
  const delta: FiguresDelta = {
    requests: 3,
    responses: [0, 3, 0, 0, 0, 0],
    taken: 0,
    given: 0,
    latency: [12, 1],
    latencySumMs: 0.2,
  };
  ledger.told(1, delta, 0);
  ledger.joined(1, 1, 'r', 0);
  ledger.told(1, delta, 0);
  ledger.joined(1, 1, 'r', 0); // As one that was parked and serves again.
  expect(ledger.ofWorker(1)!.totals).toMatchObject({ requests: 3, latency: [12, 1], latencySumMs: 0.2 });
  ledger.gone(1);
  ledger.gone(1);
  ledger.told(1, delta, 0);
  expect(ledger.ofApp().totals.requests).toBe(3);
  expect(ledger.ofWorker(1)).toBeNull();
});

const answered = (requests: number, failed = 0, ms = 20): FiguresDelta => ({
  requests,
  responses: [0, requests - failed, 0, 0, failed / 2, failed / 2], // What is broken off has failed as well.
  taken: 0,
  given: 0,
  latency: [bucketOf(ms), requests],
  latencySumMs: requests * ms,
});

test('rates are of the last five pages that are full, by the time that they took', () => {
  const ledger = new Ledger();
  ledger.joined(1, 1, 'r', 0);
  ledger.told(1, answered(100, 10, 20), 500);
  expect(ledger.ofApp().rates).toEqual({ requestsPerSecond: 0, errorRate: 0, p50Ms: null, p99Ms: null });
  ledger.turn(500);
  const { requestsPerSecond, errorRate, p50Ms, p99Ms } = ledger.ofWorker(1)!.rates;
  expect({ requestsPerSecond, errorRate }).toEqual({ requestsPerSecond: 200, errorRate: 0.1 });
  for (const ms of [p50Ms!, p99Ms!]) expect(Math.abs(ms / 20 - 1)).toBeLessThan(0.05);
  for (let page = 0; page < 4; page += 1) ledger.turn(1_000);
  expect(ledger.ofApp().rates.requestsPerSecond).toBeCloseTo(100 / 4.5);
  ledger.turn(1_000);
  expect(ledger.ofApp().rates).toEqual({ requestsPerSecond: 0, errorRate: 0, p50Ms: null, p99Ms: null });
  expect(bucketOf(1e9)).toBe(BUCKET_COUNT - 1);
});

test('the rate of one that joins in the middle of a page is over the time that has passed since, and so are those of its generation and of the app', () => {
  const ledger = new Ledger();
  ledger.turn(1_000); // Nobody serves yet.
  ledger.joined(1, 1, 'r', 900);
  const rates = (): number[] =>
    [ledger.ofWorker(1)!, ledger.ofGenerations()[0]!, ledger.ofApp()].map(({ rates: { requestsPerSecond } }) =>
      Math.round(requestsPerSecond),
    );
  ledger.turn(1_000);
  expect(rates()).toEqual([0, 0, 0]);
  ledger.told(1, answered(450), 500); // Of 600 ms.
  ledger.turn(1_000);
  expect(rates()).toEqual([750, 750, 750]);
  ledger.told(1, answered(750), 500);
  ledger.turn(1_000);
  expect(rates()).toEqual([750, 750, 750]);
  ledger.joined(2, 1, 'r', 400);
  ledger.told(1, answered(750), 500);
  ledger.told(2, answered(3), 405); // Too short a time to say anything yet.
  ledger.turn(1_000);
  expect(ledger.ofWorker(2)!.rates.requestsPerSecond).toBe(0);
  ledger.told(2, answered(327), 500);
  ledger.turn(1_000);
  expect(ledger.ofWorker(2)!.rates.requestsPerSecond).toBeCloseTo(300);
});

test('of one that falls silent the rate sinks with the time that passes', () => {
  const ledger = new Ledger();
  ledger.joined(1, 1, 'r', 0);
  ledger.told(1, answered(1_000), 1_000);
  ledger.turn(1_000);
  for (const expected of [500, 333, 250, 200, 0]) {
    ledger.turn(1_000);
    expect(Math.round(ledger.ofWorker(1)!.rates.requestsPerSecond)).toBe(expected);
  }
});
