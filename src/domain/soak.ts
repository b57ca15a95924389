/**
 * The time on trial after a promotion: a crash loop or a bad verdict in it rolls back by itself. A generation that comes through is good, and
 * what a later rollback goes back to. Pure.
 */
import { servingGeneration } from './fleet.js';
import { beginRollback, targetOfRollback } from './rollback.js';
import type { Effect, Fleet, Generation, Rollout } from './types.js';

/** At the promotion. What went back to a good one is not tried again; a later start is to run it, and not what it has replaced. */
export function beginSoak(fleet: Fleet, rollout: Rollout, target: Generation, now: number, effects: Effect[]): void {
  fleet.soak = null;
  if (target.good || rollout.from === null || rollout.kind === 'rollback' || target.policy.soakMs === 0) {
    become(target, effects);
    return;
  }
  fleet.soak = {
    rolloutId: rollout.id,
    generation: target.number,
    from: rollout.from,
    until: now + target.policy.soakMs,
  };
}

/** Once its time is over. One that is down or crash-loops at that moment is not good yet. */
export function settleSoak(fleet: Fleet, now: number, effects: Effect[]): boolean {
  const { soak } = fleet;
  if (!soak || now < soak.until) return false;
  fleet.soak = null;
  const generation = fleet.generations[soak.generation];
  if (!generation || generation.number !== fleet.serving) return true;
  become(generation, effects);
  effects.push({
    type: 'progress',
    kind: 'soaked',
    message: `generation ${generation.number} has served for ${generation.policy.soakMs / 1000} s since its promotion: it is good`,
    generation: generation.number,
  });
  return true;
}

function become(generation: Generation, effects: Effect[]): void {
  generation.good = true;
  effects.push({ type: 'good', generation: generation.number });
}

/** Something has gone wrong in the soak: back, where there is a way. */
export function rollBackFromSoak(fleet: Fleet, reason: string, now: number, effects: Effect[]): void {
  const { soak } = fleet;
  const bad = servingGeneration(fleet);
  if (!soak || !bad || fleet.stop || bad.number !== soak.generation) return;
  const target = targetOfRollback(fleet);
  if (target === null || fleet.scaling) {
    fleet.soak = null;
    effects.push({
      type: 'progress',
      kind: 'warning',
      message: `generation ${bad.number} is on trial and has failed (${reason}), but ${target === null ? 'nothing that was good before is known' : 'a scale is under way'}: it goes on serving`,
      generation: bad.number,
    });
    return;
  }
  effects.push({
    type: 'progress',
    kind: 'rolling-back',
    message: `generation ${bad.number} has failed in its soak: ${reason}; rolling back`,
    generation: bad.number,
  });
  beginRollback(fleet, target, 'soak', reason, now, effects);
}
