/** Runs in the CLI. `zdsup status`: a table for people, the snapshot with `--json`. */

import type { RunningApp } from '../../client/apps.js';
import { gone, notRunning, recordFiles, runningApps } from '../../client/apps.js';
import { askStatus, NobodyThere } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { ZdsupError } from '../../shared/errors.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { renderStatus } from '../render/status.js';

/** @returns 3 where one was named that does not run: what is remembered of it is shown all the same */
export async function status(name: string | undefined, options: { json: boolean }): Promise<number> {
  const all = name === undefined || name === 'all';
  const known = await knownToo(await runningApps());
  const apps = all ? known : known.filter((app) => app.name === name);
  if (!all && apps.length === 0)
    throw await notRunning(
      name,
      known.flatMap((app) => app.running ?? []),
    );
  const snapshots = (await Promise.all(apps.map((app) => snapshotOf(app, all)))).filter((found) => found !== null);
  if (!all && snapshots.length === 0) throw gone(name);
  if (options.json) process.stdout.write(`${JSON.stringify({ apps: snapshots }, null, 2)}\n`);
  else if (snapshots.length === 0) process.stdout.write('no app is running; start one with zdsup start <script>\n');
  else process.stdout.write(renderStatus(snapshots, Date.now(), process.stdout.columns));
  return !all && snapshots[0]!.ended ? 3 : 0;
}

/** Those that run and the others. What reads the records is loaded where one is wanted. */
async function knownToo(running: RunningApp[]): Promise<KnownApp[]> {
  if (recordFiles().some(({ name }) => !running.some((app) => app.name === name)))
    return (await import('../../client/known-apps.js')).withRemembered(running);
  return running.map((app) => ({ name: app.name, running: app, remembered: null }));
}

/** Null where there is nothing to show: it has gone meanwhile, or its record is broken, which is told. */
async function snapshotOf({ name, running, remembered }: KnownApp, oneOfMany: boolean): Promise<AppSnapshot | null> {
  const live = running && (await askFor(running));
  if (live) return live;
  const { brokenRecord, rememberedApps, snapshotAtRest } = await import('../../client/records.js');
  const left = remembered ?? rememberedApps().find((one) => one.name === name);
  if (!left) return null;
  if (left.record !== null) return snapshotAtRest(left, left.record);
  const broken = brokenRecord(left);
  if (!oneOfMany) throw broken;
  process.stderr.write(`warning: ${broken.message} (${broken.code}); ${broken.hint}\n`);
  return null;
}

/** Null where it has gone meanwhile. A master that does not answer is shown as such. */
async function askFor(app: RunningApp): Promise<AppSnapshot | null> {
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
    if (!(error instanceof ZdsupError) || error.code !== 'ZDSUP_APP_UNRESPONSIVE') throw error;
    return (await import('../../client/records.js')).snapshotUnresponsive(app.name);
  }
}
