/** Runs in the master. One file a control command: they post events and wait for what the core makes of them. */
import type { ControlRequest, ControlResult } from '../../shared/control-protocol.js';
import type { CommandContext, Tell } from './context.js';
import { rollOut } from './rollouts.js';
import { scale } from './scale.js';
import { stop } from './stop.js';

export function handleCommand(context: CommandContext, request: ControlRequest, tell: Tell): Promise<ControlResult> {
  switch (request.command) {
    case 'status':
      return context.snapshot().then((app) => ({ type: 'result', ok: true, exitStatus: 0, command: 'status', app }));
    case 'reload':
    case 'restart':
      return rollOut(
        context,
        request.command,
        { allowListeners: request.allowListeners === true, noWait: request.noWait === true },
        tell,
      );
    case 'scale':
      return scale(context, request.to, tell);
    case 'stop':
      return stop(context, tell);
  }
}
