/** Who gets a connection: by weight, and by the client's address. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Receiver, SmoothState, Weights } from '../../src/domain/routing.js';
import { FRESH, pickByAddress, pickByWeight } from '../../src/domain/routing.js';
import { Scene } from './scene.js';

/** Workers of one generation in slots 0, 1, ...; ids are their own over all generations. */
const generationOf = (generation: number, count: number): Receiver[] =>
  Array.from({ length: count }, (_, slot) => ({ id: generation * 100 + slot, generation, slot }));

function picks(count: number, receivers: Receiver[], weights: Weights, from: SmoothState = FRESH): number[] {
  let state = from;
  return Array.from({ length: count }, () => {
    const picked = pickByWeight(state, receivers, weights);
    state = picked.state;
    return picked.id;
  });
}

const old = generationOf(1, 3);
const coming = generationOf(2, 1);
const both = [...old, ...coming];
const CLIENTS = Array.from({ length: 20_000 }, (_, n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);

/** The client's place: which worker has it. */
const placesOf = (receivers: Receiver[], weights: Weights = {}): Receiver[] => {
  const byId = new Map(receivers.map((receiver) => [receiver.id, receiver]));
  return CLIENTS.map((address) => byId.get(pickByAddress(address, receivers, weights))!);
};
const movedShare = (before: Receiver[], after: Receiver[]): number =>
  before.filter((place, index) => place.slot !== after[index]!.slot).length / before.length;

describe('by weight', () => {
  test.for([1, 5, 20, 50, 80, 99])('%i of any 100 connections go to the generation with that weight', (weight) => {
    const ids = picks(1_000, both, { 1: 100 - weight, 2: weight });
    const hits = ids.map((id) => (id >= 200 ? 1 : 0));
    const windows = hits
      .slice(0, 900)
      .map((_, from) => hits.slice(from, from + 100).reduce<number>((a, b) => a + b, 0));
    expect(new Set(windows)).toEqual(new Set([weight]));
  });

  test('a small share is spread evenly: no two at once', () => {
    const at = picks(200, both, { 1: 80, 2: 20 }).flatMap((id, index) => (id >= 200 ? [index] : []));
    const gaps = at.slice(1).map((index, before) => index - at[before]!);
    expect(new Set(gaps)).toEqual(new Set([5]));
  });

  test('within a generation each worker has its turn', () => {
    const ids = picks(400, both, { 1: 75, 2: 25 });
    expect([100, 101, 102, 200].map((id) => ids.filter((picked) => picked === id).length)).toEqual([
      100, 100, 100, 100,
    ]);
  });

  test('without weights all have their turn, whichever generation they are of', () => {
    expect(picks(8, both, {})).toEqual([100, 101, 102, 200, 100, 101, 102, 200]);
  });

  test('weight 0 gets none while anybody else is there', () => {
    expect(picks(200, both, { 1: 100, 2: 0 }).filter((id) => id >= 200)).toEqual([]);
    expect(picks(3, coming, { 1: 100, 2: 0 })).toEqual([200, 200, 200]);
  });

  test('a change of weight holds from the next connection on', () => {
    let { state } = pickByWeight(FRESH, both, { 1: 99, 2: 1 });
    for (let n = 0; n < 47; n++) ({ state } = pickByWeight(state, both, { 1: 99, 2: 1 }));
    const generations = (ids: number[]): number[] => ids.map((id) => Math.floor(id / 100));
    const changed = { 1: 80, 2: 20 };
    expect(generations(picks(100, both, changed, state))).toEqual(generations(picks(100, both, changed)));
  });

  test('any workers, come and gone at any time: it picks one that is there, and remembers none that are not', () => {
    const moment = fc.record({
      old: fc.subarray(generationOf(1, 4)),
      coming: fc.subarray(generationOf(2, 4), { minLength: 1 }),
      weight: fc.nat(100),
      isWeighted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 40 }), (moments) => {
        let state = FRESH;
        for (const { old, coming, weight, isWeighted } of moments) {
          const receivers = [...old, ...coming];
          const weights: Weights = isWeighted ? { 1: 100 - weight, 2: weight } : {};
          const picked = pickByWeight(state, receivers, weights);
          state = picked.state;
          const chosen = receivers.find(({ id }) => id === picked.id)!;
          expect(chosen).toBeDefined();
          if (isWeighted && old.length > 0) expect(weights[chosen.generation]).toBeGreaterThan(0);
          expect(Object.keys(state.credit).length).toBeLessThanOrEqual(2);
          expect(Object.keys(state.last).length).toBeLessThanOrEqual(3);
        }
      }),
    );
  });
});

describe('by address', () => {
  test.for([2, 4, 8, 16])('each of %i workers has its part of the clients', (count) => {
    const places = placesOf(generationOf(1, count));
    for (const { slot } of generationOf(1, count)) {
      const part = places.filter((place) => place.slot === slot).length / places.length;
      expect(part * count).toBeGreaterThan(0.9);
      expect(part * count).toBeLessThan(1.1);
    }
  });

  test.for([2, 4, 8, 16])(
    'with one more than %i workers only the clients of the new one move, and one fewer gives its own back',
    (count) => {
      const before = placesOf(generationOf(1, count));
      const after = placesOf(generationOf(1, count + 1));
      const moved = after.filter((place, index) => place.slot !== before[index]!.slot);
      expect(moved.every(({ slot }) => slot === count)).toBe(true);
      expect(movedShare(before, after) * (count + 1)).toBeGreaterThan(0.9);
      expect(movedShare(before, after) * (count + 1)).toBeLessThan(1.1);
    },
  );

  test('over a reload, one slot after the other, no client leaves its slot', () => {
    const before = placesOf(generationOf(1, 4));
    for (let done = 0; done <= 4; done++) {
      const beside = [...generationOf(1, 4), ...generationOf(2, done)];
      const after = [...generationOf(1, 4).slice(done), ...generationOf(2, done)];
      for (const receivers of [beside, beside.toReversed(), after]) {
        const places = placesOf(receivers);
        expect(movedShare(before, places)).toBe(0);
        expect(places.every(({ slot, generation }) => generation === (slot < done ? 2 : 1))).toBe(true);
      }
    }
  });

  test('a worker and its replacement in one slot: the replacement has the clients', () => {
    const [first, ...others] = generationOf(1, 3);
    const places = placesOf([{ ...first!, id: 999 }, first!, ...others]);
    expect(places.filter(({ id }) => id === first!.id)).toEqual([]);
    expect(places.some(({ id }) => id === 999)).toBe(true);
  });

  test.for([1, 5, 20, 50, 80])('%i of 100 clients are of the generation with that weight', (weight) => {
    const places = placesOf([...generationOf(1, 4), ...generationOf(2, 2)], { 1: 100 - weight, 2: weight });
    const part = (100 * places.filter(({ generation }) => generation === 2).length) / places.length;
    expect(Math.abs(part - weight)).toBeLessThan(weight < 5 ? 0.5 : 1);
  });

  test('the clients of each of two weighted generations are spread over all of its workers', () => {
    const places = placesOf([...generationOf(1, 2), ...generationOf(2, 2)], { 1: 50, 2: 50 });
    for (const id of [100, 101, 200, 201]) {
      const part = places.filter((place) => place.id === id).length / places.length;
      expect(part).toBeGreaterThan(0.22);
      expect(part).toBeLessThan(0.28);
    }
  });

  test('as a weight rises, clients move to that generation and none moves away from it', () => {
    const receivers = [...generationOf(1, 4), ...generationOf(2, 4)];
    let before = placesOf(receivers, { 1: 100, 2: 0 });
    expect(before.every(({ generation }) => generation === 1)).toBe(true);
    for (const weight of [1, 5, 20, 50, 80, 100]) {
      const after = placesOf(receivers, { 1: 100 - weight, 2: weight });
      const back = after.filter((place, index) => place.generation < before[index]!.generation);
      const astray = after.filter(
        (place, index) => place.generation === before[index]!.generation && place.id !== before[index]!.id,
      );
      expect([back.length, astray.length]).toEqual([0, 0]);
      expect(movedShare(before, after)).toBe(0);
      before = after;
    }
    expect(before.every(({ generation }) => generation === 2)).toBe(true);
  });

  test('who has weight 0 gets none while anybody else is there', () => {
    expect(placesOf(both, { 1: 100, 2: 0 }).every(({ generation }) => generation === 1)).toBe(true);
    expect(placesOf(coming, { 1: 100, 2: 0 }).every(({ generation }) => generation === 2)).toBe(true);
  });

  test('addresses of every form are spread', () => {
    const receivers = generationOf(1, 4);
    for (const prefix of ['2001:db8::', '::ffff:192.0.2.', '192.0.2.']) {
      const ids = Array.from({ length: 200 }, (_, n) => pickByAddress(`${prefix}${n}`, receivers, {}));
      expect(new Set(ids).size).toBe(4);
    }
  });
});

describe('what the shell is told', () => {
  const routes = (scene: Scene): unknown[] =>
    scene.effects.flatMap((effect) => (effect.type === 'route' ? [effect.routing] : []));
  const STICKY = { mode: 'dispatch', sticky: true, weights: {} };
  const DIRECT = { mode: 'direct', sticky: false, weights: {} };

  test('nothing where workers accept by themselves from first to last', () => {
    const scene = new Scene({ instances: 3 }).start();
    scene.reload();
    scene.settle();
    expect(routes(scene)).toEqual([]);
    expect(scene.fleet.routing).toEqual(DIRECT);
  });

  test('sticky: the master accepts while more than one worker is active', () => {
    const scene = new Scene({ instances: 2, sticky: true }).start();
    expect(routes(scene)).toEqual([STICKY]);
    scene.scale(1);
    scene.settle();
    expect(routes(scene)).toEqual([STICKY, DIRECT]);
    scene.scale(3);
    scene.settle();
    expect(routes(scene)).toEqual([STICKY, DIRECT, STICKY]);
  });

  test('sticky: a reload of the only worker asks the master for the time of the overlap', () => {
    const scene = new Scene({ instances: 1, sticky: true }).start();
    expect(routes(scene)).toEqual([]);
    scene.reload();
    scene.settle();
    expect(routes(scene)).toEqual([STICKY, DIRECT]);
  });

  test('that the master accepts comes ahead of the second worker that would', () => {
    const scene = new Scene({ instances: 1, sticky: true }).start();
    const from = scene.effects.length;
    scene.scale(2);
    scene.settle();
    const told = scene.effects.slice(from).map(({ type }) => type);
    expect(told.filter((type) => type === 'route' || type === 'activate')).toEqual(['route', 'activate']);
  });

  test('the config of the serving generation holds until the next one is promoted', () => {
    const scene = new Scene({ instances: 2 }).start();
    scene.policy = { ...scene.policy, sticky: true };
    scene.reload();
    scene.boot();
    scene.wake();
    expect(scene.slots('active').some((slot) => slot.startsWith('2/'))).toBe(true);
    expect(routes(scene)).toEqual([]);
    scene.settle();
    expect(routes(scene)).toEqual([STICKY]);
  });
});
