/** Where a rollback goes, and what it tries next. */
import { isDeepStrictEqual } from 'node:util';
import type { Rollout } from '../../src/domain/types.js';
import type { Pledge } from './pledge.js';
import { all, hold, verdictOf } from './pledge.js';
import type { Moment, World } from './world.js';

const begunIn = ({ effects }: Moment): Rollout[] =>
  effects.flatMap((effect) => (effect.type === 'rollout-begun' ? [effect.rollout] : []));

/** By the generation that they led away from, and how many were left. */
const gone = new WeakMap<World, Set<string>>();

/** There is one soak for a generation, so nothing of it is ever tried a second time: no loop is without end. */
export const aSoakGoesEachWayOnce: Pledge = (moment, world) => {
  const ways = gone.get(world) ?? new Set();
  gone.set(world, ways);
  for (const { kind, source, from, ways: left } of begunIn(moment)) {
    if (kind !== 'rollback' || source !== 'soak') continue;
    const way = `from generation ${from} with ${left.length} ways left`;
    hold(!ways.has(way), `the soak rolls back ${way} for the second time`);
    ways.add(way);
  }
};

/** In the same step, so that nothing comes between; as the next of its list, for the same who asked. */
export const aWayThatCannotBeGoneIsFollowedByTheNext: Pledge = (moment) => {
  const failed = verdictOf(moment.effects);
  hold(failed?.outcome !== 'succeeded' || failed.ways.length === 0, 'once it is there, no way is left');
  if (failed?.outcome !== 'failed' || failed.ways.length === 0) return;
  hold(!failed.aborted && !moment.after.stop, 'what a person has given up, or a stop has, is over');
  const next = begunIn(moment)[0];
  hold(next?.kind === 'rollback' && next.source === failed.source && next.from === failed.from, 'the next way is gone');
  hold(isDeepStrictEqual(next!.ways, failed.ways.slice(1)), 'of the ways that were left, it is the first');
  hold(next!.cause?.includes(failed.reason!) === true, 'it says why');
};

export const whatIsParkedIsTheLastGoodOne: Pledge = ({ after: fleet }) => {
  const { warm, lastGood } = fleet;
  if (warm === null || warm.until === null) return;
  const isParked = all(fleet).some(
    ({ generation, status }) => generation === warm.generation && status.state === 'parked',
  );
  hold(!isParked || warm.generation === lastGood, `generation ${warm.generation} is parked, ${lastGood} was good last`);
};

/** It is newer than the last good one; and brought in again, it is on trial again. */
export const whatWasReplacedOnTrialHasYetToProveItself: Pledge = ({ before, after, effects }) => {
  const { fallback, lastGood, serving } = after;
  hold(fallback === null || (fallback > (lastGood ?? 0) && fallback !== serving), `${fallback} is no way back`);
  const back = verdictOf(effects);
  if (back?.outcome !== 'succeeded' || back.backTo === null || back.backTo !== before.fallback) return;
  const { good, policy } = after.generations[back.to!]!;
  hold(good === (policy.soakMs === 0), `generation ${back.to} is good before its soak`);
  hold(good || after.soak?.generation === back.to, `generation ${back.to} is on trial`);
};
