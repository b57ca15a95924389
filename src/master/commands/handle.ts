/** Runs in the master. One file a control command: they post events and wait for what the core makes of them. */
import type { ControlRequest, ControlResult } from '../../shared/control-protocol.js';
import { abort } from './abort.js';
import { canary, promote } from './canary.js';
import type { CommandContext, Connection } from './context.js';
import { late } from './late.js';
import { pause } from './pause.js';
import { rollback } from './rollback.js';
import { rollOut } from './rollouts.js';
import { scale } from './scale.js';
import { stop } from './stop.js';

export function handleCommand(
  context: CommandContext,
  request: ControlRequest,
  connection: Connection,
): Promise<ControlResult> {
  const tell = connection.send;
  switch (request.command) {
    case 'status':
      return context
        .snapshot(request.looksAtRelease !== false)
        .then((app) => ({ type: 'result', ok: true, exitStatus: 0, command: 'status', app }));
    case 'ping':
      return Promise.resolve({ type: 'result', ok: true, exitStatus: 0, command: 'ping' });
    case 'watch':
      return late(Promise.all([context.feed(), import('./watch.js')])).then(([feed, { watch }]) =>
        watch(feed, context.ended, connection),
      );
    case 'reload':
    case 'restart':
      return rollOut(
        context,
        request.command,
        {
          allowListeners: request.allowListeners === true,
          noWait: request.noWait === true,
          noCanary: request.noCanary === true,
          weight: request.weight,
          release: request.release,
        },
        tell,
      );
    case 'canary':
      return canary(context, request.weight, tell);
    case 'promote':
      return promote(context, request.full === true, tell);
    case 'pause':
      return pause(context);
    case 'abort':
      return abort(context, 'abort', tell);
    case 'rollback':
      return rollback(context, request.to, tell);
    case 'scale':
      return scale(context, request.to, tell);
    case 'recycle':
      return late(import('./recycle.js')).then(({ recycle }) =>
        recycle(context, request.slot, request.noWait === true, tell),
      );
    case 'stop':
      return stop(context, tell);
    case 'describe':
      return late(import('./describe.js')).then(({ describe }) => describe(context));
    case 'dashboard':
      return late(import('./dashboard.js')).then(({ dashboard }) => dashboard(context));
    case 'signal':
      return late(import('./signal.js')).then(({ signal }) => signal(context, request.signal));
  }
}
