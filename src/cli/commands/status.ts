/** Runs in the CLI. `zdsup status`: a table for people, the snapshot with `--json`. */

import type { RunningApp } from '../../client/apps.js';
import { chooseApps, gone, runningApps } from '../../client/apps.js';
import { askStatus, NobodyThere } from '../../client/control-client.js';
import { ZdsupError } from '../../shared/errors.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { renderStatus } from '../render/status.js';

export async function status(name: string | undefined, options: { json: boolean }): Promise<number> {
  const all = name === undefined || name === 'all';
  const apps = all ? await runningApps() : await chooseApps(name);
  const snapshots = (await Promise.all(apps.map(snapshotOf))).filter((snapshot) => snapshot !== null);
  if (!all && snapshots.length === 0) throw gone(name);
  if (options.json) process.stdout.write(`${JSON.stringify({ apps: snapshots }, null, 2)}\n`);
  else if (snapshots.length === 0) process.stdout.write('no app is running; start one with zdsup start <script>\n');
  else process.stdout.write(renderStatus(snapshots, Date.now()));
  return 0;
}

/** Null where it has gone meanwhile. A master that does not answer is shown as such. */
async function snapshotOf(app: RunningApp): Promise<AppSnapshot | null> {
  try {
    const result = await askStatus(app.socketPath);
    if (result.ok && result.command === 'status') return result.app;
    throw new ZdsupError(
      result.ok
        ? { code: 'ZDSUP_CONTROL_PROTOCOL', message: 'the master answered something else', exitStatus: 1 }
        : result.error,
    );
  } catch (error) {
    if (error instanceof NobodyThere) return null;
    if (error instanceof ZdsupError && error.code === 'ZDSUP_APP_UNRESPONSIVE') return unresponsive(app.name);
    throw error;
  }
}

function unresponsive(name: string): AppSnapshot {
  return {
    name,
    state: 'unresponsive',
    masterPid: 0,
    version: '',
    startedAt: '',
    release: null,
    generation: null,
    listeners: [],
    weights: {},
    rollout: null,
    workers: [],
  };
}
