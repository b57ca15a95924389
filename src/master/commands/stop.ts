/** Runs in the master. `stop`: ends when the last worker has gone. */
import type { ControlResult } from '../../shared/control-protocol.js';
import type { Observer } from '../effects.js';
import type { CommandContext, Tell } from './context.js';
import { stoppedAtOnce } from './refusals.js';

export async function stop(
  { supervisor, effects, ended, appName }: CommandContext,
  tell: Tell,
): Promise<ControlResult> {
  const startedAt = Date.now();
  let left = '';
  const observer: Observer = {
    progress: tell,
    holdStopped: (message) => {
      left = `; ${message}`;
    },
  };
  effects.observers.add(observer);
  supervisor.post({ type: 'stop-requested' });
  const failed = await ended;
  // A second Ctrl-C in the master's terminal came over it; a first start that has failed is no such end.
  if (failed && supervisor.state.stop) throw stoppedAtOnce(appName);
  return {
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'stop',
    durationMs: Date.now() - startedAt,
    message: `stopped${left}`,
  };
}
