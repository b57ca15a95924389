/** Runs in the master. `dashboard`: where the page is, with its token. Over the control socket alone, which is its owner's. */
import { basename } from 'node:path';
import type { ControlResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import type { CommandContext } from './context.js';

export function dashboard({ web, ...context }: CommandContext): ControlResult {
  const link = web.link();
  if (link === null)
    throw new ZdsupError({
      code: 'ZDSUP_HTTP_OFF',
      message: `${context.appName} has no dashboard: its master has no HTTP`,
      hint: howToHaveIt(context),
      exitStatus: 1,
    });
  return { type: 'result', ok: true, exitStatus: 0, command: 'dashboard', ...link };
}

/** As it was started: a config file that it was not started from is read by no reload. */
function howToHaveIt({ appName, configPath, effects, supervisor }: Omit<CommandContext, 'web'>): string {
  const again = `zdsup stop ${appName}, then zdsup start ${appName} --http 9000`;
  if (configPath === null) return again;
  const verb = effects.plans.get(supervisor.state.serving ?? -1)?.deployed ? 'deploy' : 'reload';
  return `put http: 9000 into ${basename(configPath)}, then zdsup ${verb} ${appName}; or ${again}`;
}
