/** Runs in the CLI. Long work of one or several masters, one after another: progress, result, exit status; Ctrl-C only detaches. */
import type { RunningApp } from '../../client/apps.js';
import { ask, NobodyThere } from '../../client/control-client.js';
import type { ControlRequest, ControlResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { printError } from '../render/error.js';
import { makeProgress } from '../render/progress.js';

/** What a shell gives for a command that was interrupted: 128 + SIGINT. */
const INTERRUPTED = 130;

export async function carryOut(
  apps: RunningApp[],
  request: ControlRequest,
  options: { json: boolean; verb: string },
): Promise<number> {
  const results: (ControlResult & { app?: unknown })[] = [];
  let status = 0;
  for (const app of apps) {
    const result = await one(app, request, options);
    if (options.json) results.push(result);
    status = Math.max(status, result.exitStatus);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(apps.length === 1 ? results[0] : results, null, 2)}\n`);
  return status;
}

async function one(
  app: RunningApp,
  request: ControlRequest,
  options: { json: boolean; verb: string },
): Promise<ControlResult> {
  const progress = makeProgress(app.name, options.json ? 'none' : process.stderr.isTTY ? 'live' : 'lines');
  const detach = (): void => {
    progress.end();
    process.stderr.write(`detached: the ${options.verb} goes on; zdsup status ${app.name} shows it\n`);
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', detach);
  try {
    const result = await ask(app.socketPath, request, { onProgress: progress.show });
    progress.end();
    if (!options.json) tell(app.name, result);
    return result;
  } catch (error) {
    progress.end();
    if (!(error instanceof NobodyThere)) throw error;
    throw new ZdsupError({
      code: 'ZDSUP_APP_NOT_RUNNING',
      message: `${app.name} is not running any more`,
      hint: 'start it with zdsup start <script>',
      exitStatus: 3,
    });
  } finally {
    process.off('SIGINT', detach);
  }
}

function tell(app: string, result: ControlResult): void {
  if (!result.ok) printError(result.error, { json: false, ...(result.stderr ? { stderr: result.stderr } : {}) });
  else if (result.command !== 'status')
    process.stdout.write(
      `${app}: ${result.message}${result.durationMs > 0 ? ` (${(result.durationMs / 1000).toFixed(1)} s)` : ''}\n`,
    );
}
