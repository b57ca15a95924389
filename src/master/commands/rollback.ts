/** Runs in the master. `rollback`: back to what was good before, or to a given release; of a rollout under way it is the abort. */
import { rolloutUnderWay } from '../../domain/fleet.js';
import type { ReleaseRef } from '../../domain/types.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { abort } from './abort.js';
import type { CommandContext, Tell } from './context.js';
import { refusedRollback } from './refusals.js';
import { outcome, watchRollout } from './rollouts.js';

/** Settles when the generation that was gone back to serves alone, and the other one has gone. */
export async function rollback(
  context: CommandContext,
  release: ReleaseRef | undefined,
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor, effects } = context;
  if (release === undefined && rolloutUnderWay(supervisor.state)) return abort(context, 'rollback', tell);
  const startedAt = Date.now();
  const watch = watchRollout(effects, supervisor.state.serving, tell);
  try {
    const ignored = await supervisor.request({ type: 'rollback-requested', release });
    if (ignored !== undefined) throw refusedRollback(context, ignored);
    return await outcome(context, 'rollback', watch, startedAt);
  } finally {
    watch.stop();
  }
}
