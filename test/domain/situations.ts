/** Situations that a pledge would hold in vacuously where no history ever got into them. */
import { activeIds, all, leaving, live, sameRollout, verdictOf } from './pledge.js';
import type { Moment } from './world.js';

type Sight = (moment: Moment) => boolean;

const SIGHTS: Record<string, Sight> = {
  'a promotion': ({ effects }) => verdictOf(effects)?.outcome === 'succeeded',
  'a reload that fails': ({ effects }) => verdictOf(effects)?.outcome === 'failed' && verdictOf(effects)?.from !== null,
  'two generations that serve': ({ after }) =>
    new Set(activeIds(after).map((id) => after.workers[id]!.generation)).size === 2,
  'an abort in mid-shift': (moment) => {
    const rollout = sameRollout(moment);
    return (
      rollout?.step === 'aborting' &&
      moment.before.rollout?.step !== 'aborting' &&
      activeIds(moment.after).some((id) => moment.after.workers[id]!.generation === rollout.to)
    );
  },
  'an abort that is waited for': ({ before, after, event }) =>
    before.rollout?.step === 'aborting' && after.rollout?.step === 'aborting' && event.type === 'timer',
  'a second cause during an abort': ({ before, event }) =>
    before.rollout?.step === 'aborting' &&
    event.type === 'exited' &&
    before.workers[event.id]?.generation === before.rollout.to,
  'a rollout held up by drains': ({ after, effects }) => after.rollout?.step === 'waiting' && effects.length === 0,
  'three generations with workers': ({ after }) => new Set(all(after).map(({ generation }) => generation)).size >= 3,
  'an old worker given up ahead of the new': ({ after, effects }) =>
    after.rollout?.step === 'booting' && after.rollout.from !== null && effects.some(({ type }) => type === 'retire'),
  'an atomic switch': ({ effects }) => effects.filter(({ type }) => type === 'activate').length >= 2,
  'a respawn that hurries': ({ before, after, effects, context }) =>
    before.rollout?.step === 'done' &&
    effects.some((effect) => {
      const status = effect.type === 'activate' ? after.workers[effect.id]!.status : undefined;
      const policy =
        effect.type === 'activate' ? after.generations[after.workers[effect.id]!.generation]!.policy : null;
      return status?.state === 'active' && context.now < status.readyAt + policy!.minReadyMs;
    }),
  'an edited release': ({ after }) => Object.values(after.generations).some(({ modified }) => modified),
  'a kill at the end of a drain': ({ before, effects }) =>
    effects.some((effect) => effect.type === 'kill' && before.workers[effect.id]?.status.state === 'draining'),
  'a kill for never getting ready': ({ before, effects }) =>
    effects.some((effect) => effect.type === 'kill' && before.workers[effect.id]?.status.state === 'starting'),
  'a stop in mid-rollout': ({ before, event }) =>
    event.type === 'stop-requested' && before.rollout?.step === 'shifting',
  'a drain that a stop shortens': ({ before, after, event }) =>
    event.type === 'stop-requested' &&
    all(before).some(({ id, status }) => {
      const now = after.workers[id]?.status;
      return status.state === 'draining' && now?.state === 'draining' && now.killAt < status.killAt;
    }),
  'a hold': ({ effects }) => effects.some(({ type }) => type === 'held'),
  'a weight that rises, its workers first': ({ before, after, effects }) =>
    effects.some(({ type }) => type === 'held') &&
    before.rollout?.step === 'canary' &&
    before.rollout.weight !== null &&
    before.rollout.weight < after.rollout!.weight!,
  'a hold with fewer workers than before': ({ before, effects }) =>
    before.rollout?.step === 'canary' &&
    effects.some((effect) => effect.type === 'retire' && before.workers[effect.id]?.generation === before.rollout!.to),
  'a canary that crashes': ({ before, event, after }) =>
    before.rollout?.step === 'canary' && event.type === 'exited' && after.rollout?.reason?.includes('exited') === true,
  'an old worker that is replaced in a hold': ({ before, event, after }) =>
    before.rollout?.step === 'canary' && event.type === 'unresponsive' && after.rollout?.step === 'canary',
  'a promotion out of a hold': ({ before, event, after }) =>
    event.type === 'promote-requested' && before.rollout?.step === 'canary' && after.rollout?.step !== 'canary',
  'a worker that is recycled': ({ effects }) =>
    effects.some((effect) => effect.type === 'recycle-ended' && effect.reason === null && effect.cause !== 'command'),
  'a worker that is recycled by hand': ({ effects }) =>
    effects.some((effect) => effect.type === 'recycle-ended' && effect.reason === null && effect.cause === 'command'),
  'a recycling in vain': ({ effects }) =>
    effects.some((effect) => effect.type === 'progress' && effect.kind === 'recycle-failed'),
  'a recycling that a rollout gives up': ({ event, effects }) =>
    event.type === 'rollout-requested' && effects.some((effect) => effect.type === 'recycle-ended'),
  'a recycling that an edited folder holds up': ({ effects }) =>
    effects.some((effect) => effect.type === 'progress' && effect.kind === 'recycling-paused'),
  'a worker that crashes while it is recycled': ({ before, event }) =>
    event.type === 'exited' && before.workers[event.id]?.recycling === true && activeIds(before).includes(event.id),
  'an abort by hand': ({ event, ignored }) => event.type === 'abort-requested' && ignored === undefined,
  'a warm-up beside a worker that serves': ({ after, effects }) =>
    effects.some(({ type }) => type === 'warm-up') && activeIds(after).length > 0,
  'a warm-up that fails a rollout': ({ before, event, effects }) =>
    event.type === 'warmed-up' && before.rollout?.step !== 'aborting' && verdictOfAbort(effects),
  'a warm-up that is not waited for any more': ({ effects }) =>
    effects.some((effect) => effect.type === 'progress' && effect.message.endsWith('is not waited for')),
  'a warm-up that an outage leaves out': ({ effects }) =>
    effects.some((effect) => effect.type === 'progress' && effect.message.includes('without a warm-up')),
  'a HUP that waits': ({ after }) => after.reloadQueued !== null,
  'a rollback that takes its next way': ({ effects }) =>
    verdictOf(effects)?.outcome === 'failed' && verdictOf(effects)!.ways.length > 0,
  'parked workers that do not wake': ({ effects }) => {
    const failed = verdictOf(effects);
    return (
      failed?.outcome === 'failed' && failed.kind === 'rollback' && failed.to !== null && failed.to === failed.backTo
    );
  },
  'what was replaced on trial is gone back to': ({ before, effects }) => {
    const gone = verdictOf(effects);
    return gone?.outcome === 'succeeded' && gone.backTo !== null && gone.backTo === before.fallback;
  },
  'an outage: nobody serves, all crashed': ({ after }) =>
    after.serving !== null && !after.stop && !all(after).some((worker) => live(worker) || leaving(worker)),
};

const verdictOfAbort = (effects: Moment['effects']): boolean =>
  effects.some((effect) => effect.type === 'progress' && effect.kind === 'failed');

export const SITUATIONS = Object.keys(SIGHTS).sort();

export const situationsOf = (moment: Moment): string[] => SITUATIONS.filter((name) => SIGHTS[name]!(moment));
