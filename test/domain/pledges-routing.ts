/** What the shell is told of routing, and what a hold is. */
import { isDeepStrictEqual } from 'node:util';
import type { Pledge } from './pledge.js';
import { activeIds, confirmedIds, hold, sameRollout, underWay } from './pledge.js';

/** Told when it changes and only then, and what was told last is what stands. */
export const everyRouteIsTold: Pledge = ({ before, after, effects }) => {
  const told = effects.flatMap((effect) => (effect.type === 'route' ? [effect.routing] : []));
  const changed = !isDeepStrictEqual(before.routing, after.routing);
  hold(
    told.length === (changed ? 1 : 0),
    `the routing ${changed ? 'has' : 'has not'} changed, told ${told.length} times`,
  );
  if (changed) hold(isDeepStrictEqual(told[0], after.routing), 'what is told is what stands');
};

/** Weights are those of two generations that serve, of one rollout under way; they add up. */
export const weightsAreOfARollout: Pledge = ({ after }) => {
  const { mode, weights } = after.routing;
  const generations = Object.keys(weights).map(Number);
  if (after.ended || generations.length === 0) return;
  const { rollout } = after;
  hold(mode === 'dispatch', 'weights are the master’s to keep');
  hold(underWay(rollout) && rollout.wantedWeight !== null, 'weights belong to a rollout that is held');
  hold(isDeepStrictEqual(generations, [rollout!.from, rollout!.to]), `weights of generations ${generations}`);
  hold(weights[rollout!.from!]! + weights[rollout!.to!]! === 100, 'weights add up to 100');
  if (rollout!.step !== 'canary')
    hold(weights[rollout!.to!] === 0, 'a generation gets nothing before it is held, or once it is given up');
};

/** No connection of direct mode ever gets to a worker whose generation is held back, and none before its master accepts. */
export const aCanaryNeverAcceptsByItself: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (!rollout || rollout.wantedWeight === null || (rollout.step !== 'booting' && rollout.step !== 'canary')) return;
  const { before, after, effects } = moment;
  const serves = activeIds(after).some((id) => after.workers[id]!.generation === rollout.to);
  if (serves) hold(after.routing.mode === 'dispatch', 'the master accepts where a generation is held');
  if (before.routing.mode === 'dispatch' || !serves) return;
  const told = effects.map(({ type }) => type);
  hold(told.indexOf('route') < told.indexOf('activate'), 'the master accepts ahead of the first worker that would');
};

/** While it holds, all old slots are wanted, and the new generation has what its weight needs, which serves. */
export const aHoldTakesNothingFromTheOld: Pledge = (moment) => {
  const rollout = sameRollout(moment);
  if (!rollout || rollout.wantedWeight === null || (rollout.step !== 'booting' && rollout.step !== 'canary')) return;
  const { after } = moment;
  const { slots, policy } = after.generations[rollout.to!]!;
  hold(
    isDeepStrictEqual(after.generations[rollout.from!]!.slots, rollout.fromSlots),
    'no old slot is given up in a hold',
  );
  const needs = (weight: number): number => Math.max(1, Math.ceil((policy.instances * weight) / 100));
  hold(slots.length >= needs(rollout.wantedWeight), `${slots.length} workers for ${rollout.wantedWeight} %`);
  if (rollout.step !== 'canary') return;
  const confirmed = confirmedIds(after).filter((id) => after.workers[id]!.generation === rollout.to).length;
  hold(confirmed >= needs(rollout.weight!), `${confirmed} workers serve ${rollout.weight} %`);
  if (rollout.weight === rollout.wantedWeight)
    hold(slots.length === needs(rollout.weight!), `${slots.length} workers are wanted for ${rollout.weight} %`);
};
