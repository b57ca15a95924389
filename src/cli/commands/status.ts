/** Runs in the CLI. `zdsup status`: a table for people, the snapshot with `--json`. */

import type { RunningApp } from '../../client/apps.js';
import { controlSockets, gone, notRunning, recordFiles, runningApps } from '../../client/apps.js';
import { askStatus, NobodyThere } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { byName } from '../../shared/app-name.js';
import { ZdsupError } from '../../shared/errors.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { allOnOneLine } from '../render/on-one-line.js';

/** @returns 3 where one was named that does not run: what is remembered of it is shown all the same */
export async function status(name: string | undefined, options: { json: boolean }): Promise<number> {
  const asked = lookAt(name, { ask: askFor, warn: (text) => void process.stderr.write(`warning: ${text}\n`) });
  // While the masters look at their workers.
  const table = options.json ? null : import('../render/status.js');
  const snapshots = await asked;
  if (table === null) process.stdout.write(`${JSON.stringify({ apps: snapshots }, null, 2)}\n`);
  else if (snapshots.length === 0) process.stdout.write('no app is running; start one with zdsup start <script>\n');
  else {
    const { renderStatus } = await table;
    const shown = await Promise.all(
      allOnOneLine(snapshots).map((one) => drawable(one, (app) => renderStatus([app], Date.now()))),
    );
    process.stdout.write(renderStatus(shown, Date.now(), process.stdout.columns));
  }
  return !isAll(name) && snapshots[0]!.ended ? 3 : 0;
}

const isAll = (name: string | undefined): name is undefined | 'all' => name === undefined || name === 'all';

export interface Looker {
  /** Null where nobody answers. */
  ask(app: RunningApp): Promise<AppSnapshot | null>;
  /** Something cannot be shown; the others can. */
  warn(text: string): void;
}

/**
 * What runs and what is remembered, by name.
 * @throws ZdsupError ZDSUP_APP_NOT_RUNNING of one that is named, and neither runs nor is remembered
 */
export async function lookAt(name: string | undefined, looker: Looker): Promise<AppSnapshot[]> {
  const all = isAll(name);
  const asked = controlSockets()
    .filter(([app]) => all || app.name === name || (app.owner !== undefined && app.name.endsWith(`/${name}`)))
    .map((sockets) => askFirst(sockets, looker));
  const live = (await Promise.all(asked)).filter((found) => found !== null);
  const resting = await atRest(
    live.map(({ app }) => app),
    all ? null : name,
    looker,
  );
  const snapshots = [...live.map(({ snapshot }) => snapshot), ...resting].sort(byName);
  if (!all && snapshots.length === 0) throw asked.length > 0 ? gone(name) : await notRunning(name, await runningApps());
  return snapshots;
}

/** What another user's process says of itself may be anything, and keeps none of the others from being shown. */
export async function drawable(app: AppSnapshot, draw: (app: AppSnapshot) => string): Promise<AppSnapshot> {
  if (!app.name.includes('/')) return app;
  try {
    draw(app);
    return app;
  } catch {
    return (await import('../../client/records.js')).snapshotUnresponsive(app.name);
  }
}

/** Null where nobody answers at any of the sockets. */
async function askFirst(
  sockets: RunningApp[],
  looker: Looker,
): Promise<{ app: RunningApp; snapshot: AppSnapshot } | null> {
  for (const app of sockets) {
    const snapshot = await looker.ask(app);
    if (snapshot) return { app, snapshot };
  }
  return null;
}

/** Those that are remembered and not in `running`. What reads the records is loaded where there is such a one. */
async function atRest(running: RunningApp[], only: string | null, looker: Looker): Promise<AppSnapshot[]> {
  const wanted = (one: string): boolean => (only ?? one) === one && !running.some(({ name }) => name === one);
  if (!recordFiles().some(({ name }) => wanted(name))) return [];
  const known = await (await import('../../client/known-apps.js')).withRemembered(running);
  const snapshots = known.filter(({ name }) => wanted(name)).map((app) => snapshotOf(app, only === null, looker));
  return (await Promise.all(snapshots)).filter((found) => found !== null);
}

/** Null where there is nothing to show: it has gone meanwhile, or its record is broken, which is told. */
async function snapshotOf(
  { name, running, remembered }: KnownApp,
  oneOfMany: boolean,
  looker: Looker,
): Promise<AppSnapshot | null> {
  const live = running && (await looker.ask(running));
  if (live) return live;
  const { brokenRecord, rememberedApps, snapshotAtRest } = await import('../../client/records.js');
  const left = remembered ?? rememberedApps().find((one) => one.name === name);
  if (!left) return null;
  if (left.record !== null) return snapshotAtRest(left, left.record);
  const broken = brokenRecord(left);
  if (!oneOfMany) throw broken;
  looker.warn(`${broken.message} (${broken.code}); ${broken.hint}`);
  return null;
}

/** Null where it has gone meanwhile. A master that does not answer is shown as such. */
export async function askFor(app: RunningApp): Promise<AppSnapshot | null> {
  try {
    const result = await askStatus(app.socketPath);
    if (result.ok && result.command === 'status') return { ...result.app, name: app.name };
    throw new ZdsupError(
      result.ok
        ? { code: 'ZDSUP_CONTROL_PROTOCOL', message: 'the master answered something else', exitStatus: 1 }
        : result.error,
    );
  } catch (error) {
    if (error instanceof NobodyThere) return null;
    if (!(error instanceof ZdsupError)) throw error;
    // Another user's process may answer anything.
    if (error.code !== 'ZDSUP_APP_UNRESPONSIVE' && app.owner === undefined) throw error;
    return (await import('../../client/records.js')).snapshotUnresponsive(app.name);
  }
}
