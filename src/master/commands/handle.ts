/** Runs in the master. One file a control command: they post events and wait for what the core makes of them. */
import type { ControlRequest, ControlResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import { abort } from './abort.js';
import { canary, promote } from './canary.js';
import type { CommandContext, Tell } from './context.js';
import { rollOut } from './rollouts.js';
import { scale } from './scale.js';
import { stop } from './stop.js';

export function handleCommand(context: CommandContext, request: ControlRequest, tell: Tell): Promise<ControlResult> {
  switch (request.command) {
    case 'status':
      return context.snapshot().then((app) => ({ type: 'result', ok: true, exitStatus: 0, command: 'status', app }));
    case 'ping':
      return Promise.resolve({ type: 'result', ok: true, exitStatus: 0, command: 'ping' });
    case 'reload':
    case 'restart':
      return rollOut(
        context,
        request.command,
        {
          allowListeners: request.allowListeners === true,
          noWait: request.noWait === true,
          weight: request.weight,
          release: request.release,
        },
        tell,
      );
    case 'canary':
      return canary(context, request.weight, tell);
    case 'promote':
      return promote(context, tell);
    case 'abort':
      return abort(context, tell);
    case 'scale':
      return scale(context, request.to, tell);
    case 'stop':
      return stop(context, tell);
    case 'describe':
      return late(import('./describe.js')).then(({ describe }) => describe(context));
    case 'signal':
      return late(import('./signal.js')).then(({ signal }) => signal(context, request.signal));
  }
}

/** Loaded when first asked for, to keep the master small. An upgrade of zdsup's files may have taken them away since. */
const late = <T>(module: Promise<T>): Promise<T> =>
  module.catch((error: Error) => {
    throw new ZdsupError({
      code: 'ZDSUP_VERSION_MISMATCH',
      message: `the master runs zdsup ${VERSION}, whose files are no longer as they were: ${error.message.split('\n')[0]}`,
      hint: 'restart the master to finish the upgrade: zdsup stop, then start it again',
      exitStatus: 1,
    });
  });
