/** Runs in the CLI. `zdsup status`: a table for people, the snapshot with `--json`. */

import type { RunningApp } from '../../client/apps.js';
import { gone, notRunning } from '../../client/apps.js';
import { askStatus, NobodyThere } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { knownApps } from '../../client/known-apps.js';
import type { Remembered } from '../../client/records.js';
import { brokenRecord, endOf } from '../../client/records.js';
import type { AppRecord } from '../../shared/app-record.js';
import { ZdsupError } from '../../shared/errors.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { renderStatus } from '../render/status.js';

export async function status(name: string | undefined, options: { json: boolean }): Promise<number> {
  const all = name === undefined || name === 'all';
  const known = await knownApps();
  const apps = all ? known : known.filter((app) => app.name === name);
  if (!all && apps.length === 0)
    throw await notRunning(
      name,
      known.flatMap((app) => app.running ?? []),
    );
  const snapshots = (await Promise.all(apps.map(snapshotOf))).filter((snapshot) => snapshot !== null);
  if (!all && snapshots.length === 0) throw apps[0]!.remembered ? brokenRecord(apps[0]!.remembered) : gone(name);
  for (const { remembered } of apps)
    if (remembered?.fault) process.stderr.write(`warning: ${brokenRecord(remembered).message} (ZDSUP_RECORD_BROKEN)\n`);
  if (options.json) process.stdout.write(`${JSON.stringify({ apps: snapshots }, null, 2)}\n`);
  else if (snapshots.length === 0) process.stdout.write('no app is running; start one with zdsup start <script>\n');
  else process.stdout.write(renderStatus(snapshots, Date.now(), process.stdout.columns));
  return !all && snapshots[0]!.ended ? 3 : 0;
}

/** Null where it has gone meanwhile, and nothing is remembered. */
async function snapshotOf({ running, remembered }: KnownApp): Promise<AppSnapshot | null> {
  const live = running && (await askFor(running, remembered?.record ?? null));
  return live ?? (remembered?.record ? atRest(remembered, remembered.record) : null);
}

/** A master that does not answer is shown as such. */
async function askFor(app: RunningApp, record: AppRecord | null): Promise<AppSnapshot | null> {
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
    if (error instanceof ZdsupError && error.code === 'ZDSUP_APP_UNRESPONSIVE') return unresponsive(app.name, record);
    throw error;
  }
}

const unresponsive = (name: string, record: AppRecord | null): AppSnapshot => ({
  ...nothingOf(name),
  state: 'unresponsive',
  masterPid: record?.masterPid ?? 0,
  version: record?.version ?? '',
  startedAt: record?.startedAt ?? '',
});

/** One that does not run. */
export function atRest(remembered: Remembered, { name, version, startedAt }: AppRecord): AppSnapshot {
  const { how, at, reason } = endOf(remembered);
  return { ...nothingOf(name), state: how, version, startedAt, ended: { at, reason } };
}

const nothingOf = (name: string): Omit<AppSnapshot, 'state' | 'version' | 'startedAt'> => ({
  name,
  masterPid: 0,
  release: null,
  generation: null,
  listeners: [],
  weights: {},
  rollout: null,
  workers: [],
});
