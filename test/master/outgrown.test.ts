/** Who is measured, of what, and who is told of: by a clock and figures that the test sets. */
import { expect, test } from 'vitest';
import { emptyFleet } from '../../src/domain/fleet.js';
import type { Event, Fleet, Limits } from '../../src/domain/types.js';
import type { Effects } from '../../src/master/effects.js';
import { watchLimits } from '../../src/master/outgrown.js';

const MB = 2 ** 20;

/** Two workers of the serving generation 1, and one of generation 2; of worker n the pid is 100 + n. */
class Measured {
  readonly posted: Event[] = [];
  readonly measured: number[][] = [];
  readonly counted: number[] = [];
  readonly rss: Record<number, number> = {};
  readonly requests: Record<number, number> = {};
  now = 0;
  private act: () => void = () => {};
  private readonly fleet: Fleet;

  constructor(limits: Partial<Limits>) {
    const worker = (id: number, generation: number, more: object = {}) => ({
      ...{ id, slot: 0, generation, pid: 100 + id, forkedAt: 0, luck: 0, due: null, recycling: false },
      status: { state: 'active' },
      ...more,
    });
    this.fleet = {
      ...emptyFleet(),
      serving: 1,
      generations: {
        1: { policy: { instances: 2, limits: { memory: null, ageMs: null, requests: null, ...limits } } },
      },
      workers: { 1: worker(1, 1), 2: worker(2, 1), 3: worker(3, 2), 4: worker(4, 1, { recycling: true }) },
    } as unknown as Fleet;
    const process = (id: number) => ({
      figures: async () => {
        this.counted.push(id);
        return { requests: this.requests[id] ?? 0 };
      },
    });
    const effects = { workers: new Map([1, 2, 3, 4].map((id) => [id, process(id)])) } as unknown as Effects;
    watchLimits(
      effects,
      () => this.fleet,
      (event) => this.posted.push(event),
      () => this.now,
      {
        after: (_, act) => {
          this.act = act;
        },
        usageOf: async (pids) => {
          this.measured.push(pids);
          return new Map(pids.map((pid) => [pid, { cpuPercent: 0, rssBytes: this.rss[pid] ?? 0 }]));
        },
      },
    );
  }

  async look(): Promise<void> {
    const { act } = this;
    act();
    while (this.act === act) await new Promise((turn) => setImmediate(turn));
  }
}

test('where nothing is limited, nobody is measured', async () => {
  const world = new Measured({});
  await world.look();
  expect([world.measured, world.counted, world.posted]).toEqual([[], [], []]);
});

test('those that serve are measured, of what is limited alone; who is past it is told of with the figures', async () => {
  const world = new Measured({ memory: { bytes: 100 * MB, of: 'each' } });
  world.rss[102] = 101 * MB;
  world.rss[103] = 200 * MB;
  await world.look();
  expect(world.measured).toEqual([[101, 102]]);
  expect(world.counted).toEqual([]);
  expect(world.posted).toEqual([
    { type: 'outgrown', id: 2, cause: 'memory', what: 'has 101 MB of memory, its own limit is 100 MB' },
  ]);
});

test('requests are asked for, age is reckoned', async () => {
  const world = new Measured({ requests: 10, ageMs: 60_000 });
  world.requests[1] = 10;
  world.now = 59_999;
  await world.look();
  expect(world.measured).toEqual([]);
  expect(world.posted).toMatchObject([{ id: 1, cause: 'requests' }]);
  world.now = 60_000;
  world.requests[1] = 0;
  await world.look();
  expect(world.posted.slice(1)).toMatchObject([
    { id: 1, cause: 'age' },
    { id: 2, cause: 'age' },
  ]);
});
