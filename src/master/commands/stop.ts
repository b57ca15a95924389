/** Runs in the master. `stop`: ends when the last worker has gone. */
import type { ControlResult } from '../../shared/control-protocol.js';
import type { Observer } from '../effects.js';
import type { CommandContext, Tell } from './context.js';
import { ended as endedAtOnce } from './refusals.js';

export async function stop(
  { supervisor, effects, ended, appName }: CommandContext,
  tell: Tell,
): Promise<ControlResult> {
  const startedAt = Date.now();
  const observer: Observer = { progress: tell };
  effects.observers.add(observer);
  supervisor.post({ type: 'stop-requested' });
  const failed = await ended;
  // A second Ctrl-C in the master's terminal came over it: what was in flight has no answer.
  if (failed && supervisor.state.stop) throw endedAtOnce(appName, 'stop');
  return {
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'stop',
    durationMs: Date.now() - startedAt,
    message: 'stopped',
  };
}
