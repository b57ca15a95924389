/** Properties of `step()` over random histories: DESIGN section 6, invariants. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fleet } from '../../src/domain/types.js';
import type { History } from './histories.js';
import { calmHistories, tidyHistories, troubledHistories, wildHistories } from './histories.js';
import { play } from './moves.js';
import type { Pledge } from './pledge.js';
import { PLEDGES } from './pledges.js';
import { SITUATIONS, situationsOf } from './situations.js';
import { World } from './world.js';

const { anAbortKeepsToTheSurge, noServedListenerIsClosed, ...usual } = PLEDGES;

/** Plays a history under watch; what breaks is told with the whole sequence of events. */
function told(
  history: History,
  pledges: Record<string, Pledge | undefined>,
  then: (world: World) => void = () => {},
): void {
  const world = new World({}, (moment) => {
    for (const pledge of Object.values(pledges)) pledge!(moment, world);
  });
  try {
    play(history, world);
    then(world);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${world.trail.join('\n')}`);
  }
}

/** Nothing is under way and nothing is owed: a fleet at rest is ended, or serves with all that is desired and nothing else. */
function expectRest(fleet: Fleet): void {
  const workers = Object.values(fleet.workers);
  if (fleet.stop || fleet.ended) {
    expect(fleet.ended).toBe(true);
    expect(workers).toEqual([]);
    return;
  }
  expect(fleet.rollout?.step).toBe('done');
  expect(fleet.reloadQueued).toBeNull();
  const serving = fleet.generations[fleet.serving!]!;
  expect(Object.keys(fleet.generations)).toEqual([String(serving.number)]);
  expect(workers.map(({ slot }) => slot).sort()).toEqual([...serving.slots].sort());
  expect(serving.slots).toHaveLength(serving.policy.instances);
  expect(workers.map(({ status }) => status.state)).toEqual(workers.map(() => 'active'));
}

/** Where a rollout is held, a person decides. */
function settled(world: World, decision: 'promote-requested' | 'abort-requested'): void {
  world.settle();
  while (world.fleet.rollout?.step === 'canary') {
    expect(world.send({ type: decision }).ignored).toBeUndefined();
    world.settle();
  }
}

describe('over random histories', () => {
  test('every pledge on capacity, workers and events holds at every step', () => {
    fc.assert(
      fc.property(wildHistories, (history) => told(history, usual)),
      { numRuns: 500 },
    );
  });

  test('so it does where releases turn bad one after the other, and ways back cannot be gone; and the fleet comes to rest', () => {
    fc.assert(
      fc.property(troubledHistories, (history) =>
        told(history, usual, (world) => {
          settled(world, 'promote-requested');
          expectRest(world.fleet);
        }),
      ),
      { numRuns: 150 },
    );
  });

  test('once every worker behaves, the fleet comes to rest: all that is desired serves, or the master has ended', () => {
    fc.assert(
      fc.property(tidyHistories, (history) =>
        told(history, usual, (world) => {
          settled(world, 'promote-requested');
          expectRest(world.fleet);
        }),
      ),
      { numRuns: 500 },
    );
  });

  test('after any history without a stop, a good release can be brought in', () => {
    fc.assert(
      fc.property(calmHistories, (history) =>
        told(history, usual, (world) => {
          settled(world, 'abort-requested');
          if (world.fleet.ended) return; // The first start has failed.
          for (const process of world.processes.values()) process.hung = false;
          settled(world, 'abort-requested');
          world.send({ type: 'rollout-requested', kind: 'reload', source: 'command', allowListeners: false });
          settled(world, 'promote-requested');
          expect(world.fleet.rollout).toMatchObject({ outcome: 'succeeded', reason: null });
          expectRest(world.fleet);
        }),
      ),
      { numRuns: 300 },
    );
  });

  test('a stop ends every fleet by its deadline, whatever its workers do', () => {
    fc.assert(
      fc.property(wildHistories, (history) =>
        told(history, usual, (world) => {
          for (const process of world.processes.values()) process.hung = true;
          world.send({ type: 'stop-requested' });
          const deadlineAt = Math.max(world.now, world.fleet.stop?.deadlineAt ?? 0);
          world.settle();
          expectRest(world.fleet);
          expect(world.now).toBeLessThanOrEqual(deadlineAt);
        }),
      ),
      { numRuns: 200 },
    );
  });

  test('an end at once kills every process there is, and is final', () => {
    fc.assert(
      fc.property(wildHistories, (history) =>
        told(history, usual, (world) => {
          world.send({ type: 'end-at-once' });
          expect(world.fleet.ended).toBe(true);
          expect([...world.processes.values()].filter(({ order }) => order !== 'kill')).toEqual([]);
          for (const { id } of world.processes.values())
            world.send({ type: 'exited', id, code: null, signal: 'SIGKILL' });
        }),
      ),
      { numRuns: 100 },
    );
  });

  test('an abort brings the old generation back within the surge', () => {
    fc.assert(
      fc.property(wildHistories, (history) => told(history, { anAbortKeepsToTheSurge })),
      { numRuns: 300 },
    );
  });

  test('no listener that the serving generation serves on is ever closed', () => {
    fc.assert(
      fc.property(wildHistories, (history) => told(history, { noServedListenerIsClosed })),
      { numRuns: 500 },
    );
  });
});

test('the histories get into all the situations that the pledges are about', () => {
  const reached = new Set<string>();
  const histories = [
    ...fc.sample(wildHistories, { numRuns: 1_000, seed: 4 }),
    ...fc.sample(troubledHistories, { numRuns: 100, seed: 3 }),
  ];
  for (const history of histories) {
    const world = new World({}, (moment) => {
      for (const situation of situationsOf(moment)) reached.add(situation);
    });
    play(history, world);
  }
  expect([...reached].sort()).toEqual(SITUATIONS);
});
