/** Runs in the master. `dashboard`: where the page is, with its token. Over the control socket alone, which is its owner's. */
import type { ControlResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import type { CommandContext } from './context.js';

export function dashboard({ appName, page }: CommandContext): ControlResult {
  const link = page();
  if (link === null)
    throw new ZdsupError({
      code: 'ZDSUP_HTTP_OFF',
      message: `${appName} has no dashboard: its master has no HTTP`,
      hint: 'put http: 9000 into the config, and zdsup reload; or start it with --http 9000',
      exitStatus: 1,
    });
  return { type: 'result', ok: true, exitStatus: 0, command: 'dashboard', ...link };
}
