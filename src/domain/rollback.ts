/** The way back: to the parked generation, to what the last good one has run, or to a release. A rollout like any other. Pure. */
import { rolloutUnderWay } from './fleet.js';
import { dropQueuedReload } from './interventions.js';
import { beginRollout } from './new-rollout.js';
import { abortRollout } from './rollout.js';
import { withScale } from './scaling.js';
import type { Effect, Fleet, Generation, ReleaseRef, RollbackRefusal, RolloutSource, RolloutTarget } from './types.js';
import { warmGeneration } from './warm.js';

/** A generation is there still, and parked. */
type Way = { warm: Generation } | { cold: RolloutTarget };

/** Returns why it is refused, where it is. */
export function requestRollback(
  fleet: Fleet,
  { release, ranBy }: { release?: ReleaseRef | undefined; ranBy?: number | undefined },
  now: number,
  effects: Effect[],
): RollbackRefusal | undefined {
  if (fleet.stop) return 'stopping';
  const { rollout } = fleet;
  if (rollout && rolloutUnderWay(fleet)) {
    if (rollout.step === 'aborting') return 'aborting';
    if (rollout.kind === 'rollback' && !release) return 'rolling-back'; // Its abort would keep what is to go.
    if (rollout.from === null) return 'first-start';
    if (release) return 'rollout-under-way';
    dropQueuedReload(fleet, effects);
    abortRollout(fleet, 'rolled back by hand', null, now, effects);
    return undefined;
  }
  if (fleet.serving === null) return 'nothing-serves';
  if (fleet.scaling) return 'scale-under-way';
  const way = release ? wayTo(fleet, release, ranBy) : targetOfRollback(fleet);
  if (way === null) return isBack(fleet) ? 'back-already' : 'nothing-before';
  beginRollback(fleet, way, 'command', null, now, effects);
  return undefined;
}

/** From one that was never good: what was good before that lies one step further, and is another question. */
function isBack({ rollout, serving }: Fleet): boolean {
  return rollout !== null && rollout.outcome === 'succeeded' && rollout.backTo !== null && rollout.to === serving;
}

function wayTo(fleet: Fleet, release: ReleaseRef, ranBy: number | undefined): Way {
  const warm = warmGeneration(fleet);
  return warm && warm.number === ranBy ? { warm } : { cold: { kind: 'release', release } };
}

/** Null where nothing that was good before is known. */
export function targetOfRollback(fleet: Fleet): Way | null {
  const warm = warmGeneration(fleet);
  if (warm) return { warm };
  return fleet.lastGood === null ? null : { cold: { kind: 'generation', number: fleet.lastGood } };
}

export function beginRollback(
  fleet: Fleet,
  way: Way,
  source: RolloutSource,
  cause: string | null,
  now: number,
  effects: Effect[],
): void {
  const backTo = 'warm' in way ? way.warm.number : way.cold.kind === 'generation' ? way.cold.number : null;
  // It was let in with its listeners before.
  const rollout = beginRollout(
    fleet,
    { kind: 'rollback', source, allowListeners: true, noCanary: true, backTo, cause },
    now,
    effects,
  );
  if ('cold' in way) {
    effects.push({ type: 'prepare', rolloutId: rollout.id, scaled: fleet.scaled, target: way.cold });
    return;
  }
  const { warm } = way;
  warm.policy = withScale(fleet, warm.policy);
  rollout.to = warm.number;
  rollout.step = 'booting';
  fleet.warm = null;
}
