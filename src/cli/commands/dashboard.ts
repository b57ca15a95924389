/** Runs in the CLI. `zdsup dashboard`: the link to the page of an app, with its token. */
import { chooseApps, gone } from '../../client/apps.js';
import { ask, NobodyThere } from '../../client/control-client.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { ANSWER_TIMEOUT_MS, failedResult } from '../../shared/control-protocol.js';
import { toReport } from '../../shared/errors.js';
import { printError } from '../render/error.js';

export type DashboardResult = Extract<ControlResult, { command: 'dashboard' }>;

/** @returns the highest exit status */
export async function dashboard(name: string | undefined, { json }: { json: boolean }): Promise<number> {
  const apps = await chooseApps(name);
  const results = await Promise.all(
    apps.map(async (app) => ({ app: app.name, ...(await askDashboard(app.name, app.socketPath)) })),
  );
  if (json) process.stdout.write(`${JSON.stringify(name === 'all' ? results : results[0], null, 2)}\n`);
  else
    for (const result of results) {
      if (!result.ok) printError(result.error, { json: false });
      else if (result.command === 'dashboard')
        process.stdout.write(`${name === 'all' ? `${result.app}: ` : ''}${linkOf(result)}\n`);
    }
  return Math.max(...results.map(({ exitStatus }) => exitStatus));
}

/** Never rejects: what it comes to is the result. */
export const askDashboard = (app: string, socketPath: string): Promise<ControlResult> =>
  ask(socketPath, { command: 'dashboard' }, { answerWithinMs: ANSWER_TIMEOUT_MS }).catch((error: Error) =>
    failedResult(toReport(error instanceof NobodyThere ? gone(app) : error)),
  );

/** Or what makes one: no browser opens a unix socket. */
export const linkOf = ({ url, socket, path }: DashboardResult): string =>
  url ??
  `the page is behind the unix socket ${socket}: from your machine, ssh -L 9000:${socket} <this host>, then open http://127.0.0.1:9000${path}; or open ${path} of a proxy that stands before the socket`;
