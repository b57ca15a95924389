/** Who gives connections away, and who gets the next one. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Load } from '../../src/domain/balance.js';
import { neediest, sharesOf, surpluses } from '../../src/domain/balance.js';
import type { Weights } from '../../src/domain/routing.js';

const loadsOf = (...generations: number[][]): Load[] =>
  generations.flatMap((counts, index) =>
    counts.map((connections, slot) => ({ id: (index + 1) * 100 + slot, generation: index + 1, connections })),
  );

const total = (loads: Load[]): number => loads.reduce((sum, { connections }) => sum + connections, 0);
const countOf = (loads: Load[], generation: number): number =>
  total(loads.filter((load) => load.generation === generation));

/** All that is asked for is given, one connection after the other, and each goes to whoever needs it most. */
function evenedOut(loads: Load[], weights: Weights): { loads: Load[]; moved: number } {
  const now = loads.map((load) => ({ ...load }));
  const due = surpluses(loads, weights);
  for (const { id, count } of due) now.find((load) => load.id === id)!.connections -= count;
  const moved = due.reduce((sum, { count }) => sum + count, 0);
  for (let left = moved; left > 0; left--) {
    const id = neediest(now, weights)!;
    now.find((load) => load.id === id)!.connections += 1;
  }
  return { loads: now, moved };
}

const counts = (least: number) => fc.array(fc.nat(300), { minLength: least, maxLength: 6 });
const anyLoads = fc.tuple(counts(1), counts(1)).map(([old, coming]) => loadsOf(old, coming));
const anyWeights: fc.Arbitrary<Weights> = fc.oneof(
  fc.constant({}),
  fc.nat(100).map((weight) => ({ 1: 100 - weight, 2: weight })),
);

describe('shares', () => {
  test('are whole, and add up to what is open', () => {
    fc.assert(
      fc.property(anyLoads, anyWeights, (loads, weights) => {
        const shares = [...sharesOf(loads, weights).values()];
        expect(shares).toHaveLength(loads.length);
        expect(shares.every((share) => Number.isInteger(share) && share >= 0)).toBe(true);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total(loads));
      }),
    );
  });

  test.for([1, 5, 20, 50, 80])(
    'with weight %i, of 50 connections each generation has its part within one',
    (weight) => {
      const loads = loadsOf([20, 17, 13], [0, 0]);
      const shares = sharesOf(loads, { 1: 100 - weight, 2: weight });
      expect(Math.abs(shares.get(200)! + shares.get(201)! - weight / 2)).toBeLessThan(1);
      expect(Math.abs(shares.get(200)! - shares.get(201)!)).toBeLessThanOrEqual(1);
    },
  );

  test('what cannot be divided stays where it is', () => {
    const shares = sharesOf(loadsOf([4, 3, 4]), {});
    expect([100, 101, 102].map((id) => shares.get(id))).toEqual([4, 3, 4]);
  });
});

describe('a surplus', () => {
  test('of a skewed start is given away down to the share', () => {
    expect(surpluses(loadsOf([40, 0, 0, 0]), {})).toEqual([{ id: 100, count: 30 }]);
  });

  test('is nobody’s where all have their share, give or take one', () => {
    expect(surpluses(loadsOf([10, 10, 10, 10]), {})).toEqual([]);
    expect(surpluses(loadsOf([11, 10, 9, 10]), {})).toEqual([]);
    expect(surpluses(loadsOf([1, 0, 0, 0]), {})).toEqual([]);
    expect(surpluses([], {})).toEqual([]);
    expect(surpluses(loadsOf([7]), {})).toEqual([]);
  });

  test('from 10 connections a worker up nobody is left alone with more than 1.2 times the mean', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { minLength: 2, maxLength: 8 }), (list) => {
        const loads = loadsOf(list);
        const mean = total(loads) / loads.length;
        fc.pre(mean >= 10);
        const busiest = Math.max(...list);
        if (busiest > 1.2 * mean) expect(surpluses(loads, {})).not.toEqual([]);
        for (const { connections } of evenedOut(loads, {}).loads) expect(connections).toBeLessThanOrEqual(1.2 * mean);
      }),
    );
  });

  test('is settled at once: when all is given, nothing more is asked', () => {
    fc.assert(
      fc.property(anyLoads, anyWeights, (loads, weights) => {
        const after = evenedOut(loads, weights).loads;
        expect(surpluses(after, weights)).toEqual([]);
        expect(evenedOut(after, weights).moved).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  test('is never more than what others lack, and no giver falls below its share', () => {
    fc.assert(
      fc.property(anyLoads, anyWeights, (loads, weights) => {
        const shares = sharesOf(loads, weights);
        const lacking = loads.reduce((sum, { id, connections }) => sum + Math.max(0, shares.get(id)! - connections), 0);
        const due = surpluses(loads, weights);
        expect(due.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(lacking);
        for (const { id, count } of due) {
          const had = loads.find((load) => load.id === id)!.connections;
          expect(count).toBeGreaterThan(0);
          expect(had - count).toBe(shares.get(id));
        }
      }),
    );
  });

  test('does not come and go: with one connection more or less on each worker nothing moves', () => {
    const noise = fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 500 }), fc.array(noise, { maxLength: 20 }), (each, rounds) => {
        for (const round of rounds) expect(surpluses(loadsOf(round.map((off) => each + off)), {})).toEqual([]);
      }),
    );
  });

  test('of few connections: what one round of such noise moves stays moved', () => {
    const noise = fc.array(fc.integer({ min: -1, max: 1 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), noise, (each, round) => {
        const { loads, moved } = evenedOut(loadsOf(round.map((off) => each + off)), {});
        expect(moved).toBeLessThanOrEqual(3);
        expect(surpluses(loads, {})).toEqual([]);
      }),
    );
  });
});

describe('with weights', () => {
  test.for([1, 5, 20, 50, 80])(
    'weight %i takes its part of 50 open connections, within one, and gives it back',
    (weight) => {
      const up = evenedOut(loadsOf([20, 17, 13], [0, 0]), { 1: 100 - weight, 2: weight }).loads;
      expect(Math.abs(countOf(up, 2) - weight / 2)).toBeLessThan(1);
      const down = evenedOut(up, { 1: 99, 2: 1 }).loads;
      expect(Math.abs(countOf(down, 2) - 0.5)).toBeLessThan(1);
    },
  );

  test('weight 0 gives everything away', () => {
    const { loads } = evenedOut(loadsOf([10, 10], [7, 8]), { 1: 100, 2: 0 });
    expect(countOf(loads, 2)).toBe(0);
    expect(countOf(loads, 1)).toBe(35);
  });

  test('a generation that is less than one connection off is left alone', () => {
    expect(surpluses(loadsOf([25, 25], [0]), { 1: 99, 2: 1 })).toEqual([]);
    expect(surpluses(loadsOf([25, 24], [1]), { 1: 99, 2: 1 })).toEqual([]);
    expect(surpluses(loadsOf([25, 23], [2]), { 1: 99, 2: 1 })).toEqual([{ id: 200, count: 1 }]);
  });

  test('what cannot move counts for nothing: of the others each generation has its part', () => {
    const [full, mixed, fresh] = loadsOf([66, 34], [0]);
    const weights = { 1: 90, 2: 10 };
    const loads = [{ ...full!, fixed: 66 }, { ...mixed!, fixed: 24 }, fresh!];
    expect(surpluses(loads, weights)).toEqual([{ id: 101, count: 5 }]);
    const after = [loads[0]!, { ...loads[1]!, connections: 33 }, { ...fresh!, connections: 1 }];
    expect(sharesOf(after, weights).get(200)).toBe(1);
    expect(neediest(after, weights), 'the old one: it lacks nine tenths of one more').toBe(100);
    expect(neediest([...loads, { ...fresh!, id: 201, connections: 9, fixed: 9 }], weights)).toBe(200);
  });

  test('a generation that is even is evened out within, too', () => {
    const { loads } = evenedOut(loadsOf([40, 0], [40, 40]), { 1: 33, 2: 67 });
    expect(loads.map(({ connections }) => connections)).toEqual([20, 20, 40, 40]);
  });
});

describe('the next one goes to', () => {
  test('the worker with the fewest', () => {
    expect(neediest(loadsOf([3, 1, 2]), {})).toBe(101);
    expect(neediest(loadsOf([1, 1]), {})).toBe(100);
    expect(neediest([], {})).toBeUndefined();
  });

  test('the generation that lacks most by its weight', () => {
    expect(neediest(loadsOf([5, 0], [4]), { 1: 50, 2: 50 })).toBe(200);
    expect(neediest(loadsOf([5, 0], [5]), { 1: 80, 2: 20 })).toBe(101);
    expect(neediest(loadsOf([0, 0], [0]), { 1: 1, 2: 99 })).toBe(200);
  });

  test('the shares are those of all, also where the one that gives is left out', () => {
    const loads = loadsOf([24, 24], [1]);
    const others = ({ id }: Load): boolean => id !== 100;
    expect(neediest(loads, { 1: 95, 2: 5 }, others), 'gen 2 lacks 1.5 of 50, the other old one nothing').toBe(200);
  });

  test('nobody of weight 0, unless nobody else is there', () => {
    expect(neediest(loadsOf([9, 9], [0]), { 1: 100, 2: 0 })).toBe(100);
    expect(neediest(loadsOf([], [3, 2]), { 1: 100, 2: 0 })).toBe(201);
  });
});
