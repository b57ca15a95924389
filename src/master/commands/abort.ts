/** Runs in the master. `abort`, and `rollback` of a rollout under way: gives it up; settles when the old generation is whole again. */
import type { ControlResult } from '../../shared/control-protocol.js';
import type { CommandContext, Tell } from './context.js';
import { refusedIntervention, stopped } from './refusals.js';
import { releaseName } from './release-name.js';
import { conditionOf, failureOf, orEnded, succeeded, watchRollout } from './rollouts.js';

export async function abort(
  context: CommandContext,
  command: 'abort' | 'rollback',
  tell: Tell,
): Promise<ControlResult> {
  const { supervisor, appName } = context;
  const startedAt = Date.now();
  const watch = watchRollout(context, supervisor.state.serving, tell);
  try {
    const ignored = await supervisor.request({ type: `${command}-requested` });
    if (ignored !== undefined) throw refusedIntervention(context, command, ignored);
    const end = await orEnded(context, command, watch.ended);
    if (supervisor.state.stop) throw stopped(appName, command);
    const { from, to, kind } = end.rollout;
    if (conditionOf(context, from) === 'down') return failureOf(context, end, watch);
    const gone = to === null ? `the ${kind} was given up` : `generation ${to} was given up`;
    const name = command === 'rollback' ? await releaseName(context, from) : null;
    const serves = `generation ${from} serves${name === null ? '' : ` release ${name}`} as before`;
    return succeeded(command, from, startedAt, `${gone}, ${serves}`);
  } finally {
    watch.stop();
  }
}
