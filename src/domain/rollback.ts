/** The rollback: a rollout like any other along one of the ways back, and along the next where that cannot be gone. Pure. */
import { rolloutUnderWay } from './fleet.js';
import { dropQueuedReload } from './interventions.js';
import { beginRollout } from './new-rollout.js';
import { abortByHand } from './rollout.js';
import { withScale } from './scaling.js';
import type { Effect, Fleet, ReleaseRef, RollbackRefusal, RolloutSource, Way } from './types.js';
import { warmGeneration } from './warm.js';
import { generationOf, waysBack } from './ways.js';

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
    const isGivenUp = rollout.step === 'aborting';
    const goesOn = rollout.kind === 'rollback' && (!isGivenUp || rollout.ways.length > 0);
    if (goesOn && !release) return 'rolling-back'; // Its abort would keep what is to go.
    if (isGivenUp) return 'aborting';
    if (rollout.from === null) return 'first-start';
    if (release) return 'rollout-under-way';
    dropQueuedReload(fleet, effects);
    abortByHand(fleet, 'rolled back by hand', now, effects);
    return undefined;
  }
  if (fleet.serving === null) return 'nothing-serves';
  if (fleet.scaling) return 'scale-under-way';
  const ways = release ? waysTo(fleet, release, ranBy) : waysBack(fleet);
  if (ways.length === 0) return isBack(fleet) ? 'back-already' : 'nothing-before';
  beginRollback(fleet, ways, 'command', null, now, effects);
  return undefined;
}

/** `store`: this master knows of nothing; what was deployed before its start may be there. */
export function wayBackOf(fleet: Fleet): 'known' | 'store' | 'none' {
  if (waysBack(fleet).length > 0) return 'known';
  return isBack(fleet) ? 'none' : 'store';
}

/** From one that was never good: what was good before that lies one step further, and is another question. */
function isBack({ rollout, serving }: Fleet): boolean {
  return rollout !== null && rollout.outcome === 'succeeded' && rollout.backTo !== null && rollout.to === serving;
}

function waysTo(fleet: Fleet, release: ReleaseRef, ranBy: number | undefined): Way[] {
  const boots: Way[] = [{ kind: 'boot', target: { kind: 'release', release } }];
  const warm = warmGeneration(fleet);
  return warm && warm.number === ranBy ? [{ kind: 'wake', generation: ranBy }, ...boots] : boots;
}

/** The first of these ways; the others are left for where it cannot be gone. */
export function beginRollback(
  fleet: Fleet,
  [way, ...ways]: Way[],
  source: RolloutSource,
  cause: string | null,
  now: number,
  effects: Effect[],
): void {
  // It was let in with its listeners before.
  const rollout = beginRollout(
    fleet,
    { kind: 'rollback', source, allowListeners: true, noCanary: true, backTo: generationOf(way!), ways, cause },
    now,
    effects,
  );
  if (way!.kind === 'boot') {
    effects.push({ type: 'prepare', rolloutId: rollout.id, scaled: fleet.scaled, target: way!.target });
    return;
  }
  const warm = fleet.generations[way!.generation]!;
  warm.policy = withScale(fleet, warm.policy);
  rollout.to = warm.number;
  rollout.step = 'booting';
  fleet.warm = null;
}

/** Once one could not be gone, and nobody has given it up. Returns true where there is a next one. */
export function takeNextWay(fleet: Fleet, now: number, effects: Effect[]): boolean {
  const { rollout } = fleet;
  if (rollout?.outcome !== 'failed' || rollout.ways.length === 0) return false;
  const { from, ways, source, cause, reason } = rollout;
  effects.push({
    type: 'progress',
    kind: 'rolling-back',
    message: `the way back from generation ${from} goes on: ${wordsFor(fleet, ways[0]!)}`,
    generation: from!,
  });
  beginRollback(fleet, ways, source, cause === null ? reason : `${cause}; ${reason}`, now, effects);
  return true;
}

function wordsFor(fleet: Fleet, way: Way): string {
  const number = generationOf(way);
  if (number === null) return 'its release is booted';
  return number === fleet.fallback
    ? `generation ${number} had not proven itself when it was replaced, and had not crashed either`
    : `what generation ${number} has run is booted`;
}
