/** Runs in the CLI. What `zdsup deploy` is to take: of which app, which folder, and what of the app's paths that stands for. */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { chooseToChange } from '../../client/app-to-change.js';
import { logicalFolder, notRunning } from '../../client/apps.js';
import type { KnownApp } from '../../client/known-apps.js';
import { knownApps } from '../../client/known-apps.js';
import type { Remembered } from '../../client/records.js';
import { brokenRecord } from '../../client/records.js';
import type { AppRecord } from '../../shared/app-record.js';
import { ZdsupError } from '../../shared/errors.js';

export interface DeployTarget {
  name: string;
  running: KnownApp['running'];
  /** Its state folder. */
  state: string;
  record: AppRecord;
  /** Given on the command line: absolute, logical. */
  folder: string | undefined;
}

/** @throws ZdsupError ZDSUP_APP_NOT_RUNNING, ZDSUP_APP_AMBIGUOUS, ZDSUP_USAGE, ZDSUP_RECORD_BROKEN, ZDSUP_STATE_FOREIGN */
export async function deployTarget(first: string | undefined, second: string | undefined): Promise<DeployTarget> {
  const here = logicalFolder();
  const folderOf = (given: string): string => existingFolder(resolve(here, given));
  if (second !== undefined) return targetOf(await namedApp(first!), folderOf(second));
  if (first === undefined) return targetOf(await chooseToChange('deploy', here), undefined);
  const known = await knownApps();
  const named = known.find(({ name }) => name === first);
  if (named) return targetOf(named, undefined);
  if (!statSync(resolve(here, first), { throwIfNoEntry: false })?.isDirectory())
    return targetOf(await namedApp(first), undefined);
  const folder = folderOf(first);
  const own = known.find(({ remembered }) => remembered?.record && baseOf(remembered.record) === folder);
  return targetOf(own ?? (await chooseToChange('deploy', here)), folder);
}

async function namedApp(name: string): Promise<KnownApp> {
  const known = await knownApps();
  const found = known.find((app) => app.name === name);
  if (found) return found;
  throw await notRunning(
    name,
    known.flatMap((app) => app.running ?? []),
  );
}

function targetOf({ name, running, remembered }: KnownApp, folder: string | undefined): DeployTarget {
  if (!remembered)
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `how ${name} was started is not remembered, so what a release of it would run is not known`,
      hint: `zdsup stop ${name}, and start it again by its script or config`,
      exitStatus: 2,
    });
  if (remembered.record === null) throw brokenRecord(remembered);
  refuseForeign(remembered);
  return { name, running, state: remembered.state, record: remembered.record, folder };
}

/** What root would store here, another user's master could not read or remove. */
function refuseForeign({ name, uid }: Remembered): void {
  if (uid === process.geteuid?.()) return;
  throw new ZdsupError({
    code: 'ZDSUP_STATE_FOREIGN',
    message: `${name} was started by user ${uid}, who alone can deploy it`,
    hint: `as that user: zdsup deploy ${name}`,
    exitStatus: 2,
  });
}

function existingFolder(path: string): string {
  if (path === '/')
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: '/ is the whole host, and no folder of an app',
      hint: 'name the folder that the app lies in',
      exitStatus: 2,
    });
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `there is no folder ${path} to take a release of`,
      hint: 'check the path',
      exitStatus: 2,
    });
  return path;
}

/** The folder that the paths of the app start from. */
export const baseOf = ({ request: { configPath, baseDir } }: AppRecord): string =>
  configPath === undefined ? baseDir : dirname(configPath);

/** Does the app lie in that folder, so that the folder stands for itself? */
export function liesIn(folder: string, record: AppRecord): boolean {
  const base = baseOf(record);
  return isIn(folder, base) || isIn(realOf(folder), realOf(base));
}

/**
 * What a release of an app stands for where nobody has said it: a link on the way to the script, as a `current` that deploys
 * move; else the folder of its config; else that of its package.
 * @param plan of the app as it is in place
 */
export function defaultFolder(
  record: AppRecord,
  plan: { config: { cwd?: string; script: string }; release: { path: string } },
): string {
  const base = baseOf(record);
  const script = resolve(base, plan.config.cwd ?? '.', plan.config.script);
  const up = relative(base, script).split('/').slice(0, -1);
  if (isIn(base, script))
    for (const depth of up.keys()) {
      const folder = join(base, ...up.slice(0, depth + 1));
      if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) return folder;
    }
  const isOwn = record.request.configPath !== undefined || realOf(base) === plan.release.path;
  return isOwn && isIn(base, script) ? base : plan.release.path;
}

export function isIn(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith('../') && !isAbsolute(way);
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
