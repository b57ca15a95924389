/** What the pledges on the core are written with. A pledge holds at every step, whatever happens. */
import type { Effect, Fleet, Rollout, Worker } from '../../src/domain/types.js';
import type { Moment, World } from './world.js';

/** Gets the moment before the fake world performs its effects. @throws where it is broken */
export type Pledge = (moment: Moment, world: World) => void;

export const all = (fleet: Fleet): Worker[] => Object.values(fleet.workers);
export const live = (worker: Worker): boolean => ['starting', 'ready', 'active'].includes(worker.status.state);
export const leaving = (worker: Worker): boolean => ['draining', 'killing'].includes(worker.status.state);
export const activeIds = (fleet: Fleet): number[] =>
  all(fleet).flatMap((worker) => (worker.status.state === 'active' ? [worker.id] : []));

/** Counted on: it answers, and has not asked to be replaced. */
export const stays = (worker: Worker): boolean => !worker.unresponsive && !worker.leaving;

export const confirmedIds = (fleet: Fleet): number[] =>
  activeIds(fleet).filter((id) => {
    const { status } = fleet.workers[id]!;
    return status.state === 'active' && status.confirmBy === null && stays(fleet.workers[id]!);
  });

export function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(`broken promise: ${what}`);
}

export const verdictOf = (effects: Effect[]): Rollout | undefined =>
  effects.flatMap((effect) => (effect.type === 'rollout-ended' ? [effect.rollout] : []))[0];

export const underWay = (rollout: Rollout | null): rollout is Rollout => rollout !== null && rollout.step !== 'done';

/** The rollout that was under way before the step, as it stands after it. */
export function sameRollout({ before, after, effects }: Moment): Rollout | null {
  if (!underWay(before.rollout)) return null;
  return verdictOf(effects) ?? (after.rollout?.id === before.rollout.id ? after.rollout : null);
}
