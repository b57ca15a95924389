/** Runs in the master. `rollback`: back to what was good before, or to a given release; of a rollout under way it is the abort, unless that goes back itself. */
import { rolloutUnderWay } from '../../domain/fleet.js';
import { wayBackOf } from '../../domain/rollback.js';
import type { ReleaseRef, RollbackRefusal } from '../../domain/types.js';
import { readPrevious } from '../../releases/current.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { abort } from './abort.js';
import type { CommandContext, Tell } from './context.js';
import { late } from './late.js';
import { refusedRollback } from './refusals.js';
import { releaseName } from './release-name.js';
import { outcome, watchRollout } from './rollouts.js';

/**
 * Settles when what was gone back to serves alone, and the other generation has gone.
 * @param to a release of the store; undefined: the parked generation, else what the last good one has run, else the release that was good before
 */
export async function rollback(context: CommandContext, to: string | undefined, tell: Tell): Promise<ControlResult> {
  const { supervisor } = context;
  const { rollout } = supervisor.state;
  if (to === undefined && rolloutUnderWay(supervisor.state) && rollout!.kind !== 'rollback')
    return abort(context, 'rollback', tell);
  const startedAt = Date.now();
  const release = to === undefined ? undefined : await stored(context, to);
  const watch = watchRollout(context, supervisor.state.serving, tell);
  try {
    let ignored = await supervisor.request({ type: 'rollback-requested', release, ranBy: parkedOn(context, release) });
    if (ignored === ('nothing-before' satisfies RollbackRefusal)) {
      const previous = previousOf(context);
      if (previous !== null)
        ignored = await supervisor.request({ type: 'rollback-requested', release: await stored(context, previous) });
    }
    // What a soak has begun by itself is what is asked for: it is waited for.
    if (ignored !== undefined && ignored !== ('rolling-back' satisfies RollbackRefusal))
      throw refusedRollback(
        context,
        ignored,
        await releaseName(context, supervisor.state.serving),
        (await late(import('../../releases/store.js'))).listReleases(context.store).length > 0,
      );
    return await outcome(context, 'rollback', watch, startedAt);
  } finally {
    watch.stop();
  }
}

/** Of before the start of this master, the store alone knows. */
function previousOf({
  store,
  effects,
  supervisor,
}: Pick<CommandContext, 'store' | 'effects' | 'supervisor'>): string | null {
  const previous = readPrevious(store);
  // A master that was killed while it noted what is good may have left the one that serves there.
  return previous === effects.plans.get(supervisor.state.serving ?? -1)?.deployed?.id ? null : previous;
}

/** Of the snapshot: while nothing is under way, a rollback would find nothing to go back to. */
export function noWayBack(context: Pick<CommandContext, 'store' | 'effects' | 'supervisor'>): { noWayBack?: true } {
  const { state } = context.supervisor;
  if (state.serving === null || rolloutUnderWay(state)) return {};
  const way = wayBackOf(state);
  return way === 'none' || (way === 'store' && previousOf(context) === null) ? { noWayBack: true } : {};
}

/** The parked generation, where it runs that release: no boot is needed. */
function parkedOn({ supervisor, effects }: CommandContext, release: ReleaseRef | undefined): number | undefined {
  const parked = supervisor.state.warm?.generation;
  if (parked === undefined || release === undefined) return undefined;
  return effects.plans.get(parked)?.deployed?.id === release.id ? parked : undefined;
}

/** @throws ZdsupError ZDSUP_RELEASE_MISSING, ZDSUP_RELEASE_BROKEN */
const stored = async ({ store, appName }: CommandContext, id: string): Promise<ReleaseRef> =>
  (await late(import('../../releases/store.js'))).findRelease(store, appName, id);
