/** Runs in the CLI. What `zdsup check` is to try, and `zdsup systemd` to write a unit of: an app that is known, a folder, a script or a config file; and which app runs from it. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { chooseToChange } from '../../client/app-to-change.js';
import { logicalFolder } from '../../client/apps.js';
import { askDescription } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { knownApps } from '../../client/known-apps.js';
import { brokenRecord } from '../../client/records.js';
import { isAppName } from '../../shared/app-name.js';
import type { StartRequest } from '../../shared/app-record.js';
import { ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import { environmentOf } from './environment.js';
import { findConfigFile, resolveTarget } from './start-target.js';
import { isSameSource } from './started-otherwise.js';

interface Wanted {
  /** Null where a script or config was named, and not an app. */
  app: string | null;
  request: StartRequest;
}

/** @param command for hints. As its master was asked to run it, where the app is known; else as `start` would take it. */
export async function wantedFor(
  target: string | undefined,
  only: string | undefined,
  command: 'check' | 'systemd install' = 'check',
): Promise<Wanted> {
  const here = logicalFolder();
  if (target === undefined) {
    if (findConfigFile(here) !== undefined) return wanted(undefined, here, only);
    return recordOf(await chooseToChange(command), only, command);
  }
  if (isAppName(target)) {
    const app = (await knownApps()).find(({ name }) => name === target);
    if (app) return recordOf(app, only, command);
  }
  const folder = resolve(here, target);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return wanted(target, here, only);
  return findConfigFile(folder) === undefined ? inFolder(folder, only, command) : wanted(undefined, folder, only);
}

async function wanted(target: string | undefined, baseDir: string, only: string | undefined): Promise<Wanted> {
  const found = await resolveTarget(target, [], only === undefined ? {} : { only }, baseDir);
  if ('running' in found) throw new Error(`${target} is no app name`); // Those were looked for before.
  return { app: null, request: found.request };
}

/** A folder without a config: the app that was started from it. */
async function inFolder(folder: string, only: string | undefined, command: string): Promise<Wanted> {
  const app = (await knownApps()).find(({ remembered }) => remembered?.record?.request.baseDir === folder);
  if (app) return recordOf(app, only, command);
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `${folder} has no zdsup.config file, and no app was started from it`,
    hint: `name the script: zdsup ${command} app.js`,
    exitStatus: 2,
  });
}

/** Which app of its config it is, its record says. */
function recordOf({ name, remembered }: KnownApp, only: string | undefined, command: string): Wanted {
  if (only !== undefined && only !== name)
    throw new ZdsupError({
      code: 'ZDSUP_USAGE',
      message: `--only ${only} picks an app of a config file, and ${name} was meant by its name`,
      hint: `zdsup ${command} ${only}, or zdsup ${command} <config> --only ${only}`,
      exitStatus: 2,
    });
  if (remembered?.record) return { app: name, request: remembered.record.request };
  if (remembered) throw brokenRecord(remembered);
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `how ${name} was started is not remembered`,
    hint: `name its script or config: zdsup ${command} app.js`,
    exitStatus: 2,
  });
}

/**
 * The name that the script or config runs under: its own, but where that was edited since. Then it is the one of the app
 * that was started from the same file, and would be read from it at its next reload under another name.
 */
export async function runsAs(plan: { appName: string }, request: StartRequest): Promise<string> {
  const running = (await knownApps()).filter((app) => app.running !== null);
  if (running.some(({ name }) => name === plan.appName)) return plan.appName;
  const { readPlan, refuseRename } = await import('../../master/plan.js');
  for (const { name, running: master, remembered } of running) {
    const record = remembered?.record;
    if (!record || record.request.only !== request.only || !isSameSource(record.request, request)) continue;
    const description = await askDescription(master!.socketPath);
    if (description === null) continue; // It has ended meanwhile.
    const masterEnv = environmentOf(description.masterPid) ?? process.env;
    const own = await readPlan({ version: VERSION, ...record.request }, masterEnv);
    refuseRename(name, own);
    if (own.config.name === undefined) return name; // Derived: a reload keeps the old one.
  }
  return plan.appName;
}
