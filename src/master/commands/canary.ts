/** Runs in the master. `canary` and `promote`: another weight for the generation that is held, or all of the traffic. */
import type { Event } from '../../domain/types.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import type { CommandContext, Tell } from './context.js';
import { refusedIntervention } from './refusals.js';
import { outcome, watchRollout } from './rollouts.js';

/** Settles when the weight holds: the workers that it needs serve first. @param weight 0 to 100, which promotes */
export const canary = (context: CommandContext, weight: number, tell: Tell): Promise<ControlResult> =>
  intervene(context, 'canary', { type: 'weight-requested', weight }, tell);

/**
 * Settles when the next step holds until a person acts, or the new generation serves alone and the old one has gone.
 * @param full past all steps that are left
 */
export const promote = (context: CommandContext, full: boolean, tell: Tell): Promise<ControlResult> =>
  intervene(context, 'promote', { type: 'promote-requested', full }, tell);

async function intervene(
  context: CommandContext,
  command: 'canary' | 'promote',
  event: Event,
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor } = context;
  const startedAt = Date.now();
  const watch = watchRollout(context, supervisor.state.serving, tell);
  try {
    const ignored = await supervisor.request(event);
    if (ignored !== undefined) throw refusedIntervention(context, command, ignored);
    return await outcome(context, command, watch, startedAt);
  } finally {
    watch.stop();
  }
}
