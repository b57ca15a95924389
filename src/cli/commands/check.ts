/**
 * Runs in the CLI. `zdsup check`: the pre-flight of a reload, in this very process: one worker of the new code off the
 * traffic, and what would change. Whatever runs is only asked.
 */
import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { logicalFolder } from '../../client/apps.js';
import { askDescription } from '../../client/control-client.js';
import type { KnownApp } from '../../client/known-apps.js';
import { chooseKnown, knownApps } from '../../client/known-apps.js';
import { brokenRecord } from '../../client/records.js';
import type { Plan } from '../../master/plan.js';
import { isAppName } from '../../shared/app-name.js';
import type { StartRequest } from '../../shared/app-record.js';
import type { CheckReport } from '../../shared/check-report.js';
import type { SmokeConfig } from '../../shared/config.js';
import type { AppDescription } from '../../shared/description.js';
import { ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import { renderCheck } from '../render/check.js';
import { printError } from '../render/error.js';
import { makeProgress } from '../render/progress.js';
import { environmentOf } from './environment.js';
import { findConfigFile, resolveTarget } from './start-target.js';

export interface CheckCommandOptions {
  run?: string;
  allowListeners: boolean;
  json: boolean;
}

interface Wanted {
  /** Null where a script or config was named, and not an app. */
  app: string | null;
  request: StartRequest;
}

/** What a shell gives for a command that was interrupted: 128 + SIGINT. */
const INTERRUPTED = 130;
/** Of a script that `--run` names and the config does not, in ms. */
const RUN_TIMEOUT_MS = 60_000;

/** Steps of the worker that is tried; that it is then "promoted" and ended is no news. */
const TOLD = new Set(['warning', 'worker-started', 'worker-ready', 'smoke', 'worker-exited', 'failed']);

/** @returns 0 where a reload would let the new code in, else 1 */
export async function check(target: string | undefined, options: CheckCommandOptions): Promise<number> {
  const { app: meant, request } = await wantedFor(target);
  const [{ readPlan, refuseRename }, { checkPlan }, { changesBetween, labelOf }, { inForce }] = await Promise.all([
    import('../../master/plan.js'),
    import('../../master/check.js'),
    import('../../master/changes.js'),
    import('../../master/commands/describe.js'),
  ]);
  const planRequest = { version: VERSION, ...request };
  const shellPlan = await readPlan(planRequest, process.env);
  const running = await describeRunning(meant ?? (await runsAs(shellPlan, request)));
  // As a reload would have it: workers inherit from their master, never from this shell.
  const masterEnv = running && environmentOf(running.masterPid);
  const plan = masterEnv ? await readPlan(planRequest, masterEnv) : shellPlan;
  if (running) refuseRename(running.name, plan);
  const appName = running?.name ?? plan.appName;
  const smoke = smokeOf(options.run, plan.config.smoke);

  const progress = makeProgress(appName, options.json ? 'none' : process.stderr.isTTY ? 'live' : 'lines');
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, interrupt); // A script of its own group would go on.
  const startedAt = performance.now();
  const mustListen = (running?.listeners.length ?? 0) > 0 && plan.config.ready.check !== 'message';
  const { end, listeners } = await checkPlan(plan, {
    smoke,
    mustListen,
    progress: (step) => void (TOLD.has(step.kind) && progress.show({ ...step, message: plain(step.message) })),
    signal: interrupted.signal,
  });
  progress.end();
  if (interrupted.signal.aborted) {
    process.stderr.write('the check was given up\n');
    return INTERRUPTED;
  }
  if (end.rollout.outcome === 'failed') {
    failed(appName, plain(end.rollout.reason ?? 'the check failed'), end.stderr, options.json);
    return 1;
  }
  const changes =
    running?.config && running.release
      ? await changesBetween(
          { ...running, config: running.config, release: running.release },
          { config: inForce(plan), release: plan.release, listeners },
        )
      : null;
  const report: CheckReport = {
    type: 'result',
    ...verdict(appName, changes, options.allowListeners),
    command: 'check',
    app: appName,
    durationMs: Math.round(performance.now() - startedAt),
    smoke: smoke === null ? 'none' : 'passed',
    state: running?.state ?? null,
    changes,
  };
  process.stdout.write(
    options.json ? `${JSON.stringify(report, null, 2)}\n` : renderCheck(report, plan.release, listeners.map(labelOf)),
  );
  return report.exitStatus;
}

function verdict(
  app: string,
  changes: CheckReport['changes'],
  allowListeners: boolean,
): Pick<CheckReport, 'ok' | 'exitStatus' | 'message'> {
  const { added, missing } = changes?.listeners ?? { added: [], missing: [] };
  if (allowListeners || added.length + missing.length === 0)
    return {
      ok: true,
      exitStatus: 0,
      message: changes === null ? 'it starts' : `zdsup reload ${app} would let it in`,
    };
  const words = [
    ...(missing.length > 0 ? [`it does not listen on ${missing.join(', ')}`] : []),
    ...(added.length > 0 ? [`it listens on ${added.join(', ')} too`] : []),
  ];
  return {
    ok: false,
    exitStatus: 1,
    message: `a reload would refuse it: ${words.join(', and ')} (--allow-listeners accepts it)`,
  };
}

function failed(app: string, reason: string, stderr: string[], json: boolean): void {
  const error = {
    code: 'ZDSUP_CHECK_FAILED' as const,
    message: `${app}: ${reason}`,
    hint: 'what runs was not touched; mend the release and check again',
    exitStatus: 1 as const,
  };
  if (json)
    process.stdout.write(`${JSON.stringify({ type: 'result', ok: false, exitStatus: 1, error, stderr }, null, 2)}\n`);
  else printError(error, { json: false, stderr });
}

/** The worker that is tried is of no generation that anybody else knows. */
const plain = (message: string): string => message.replaceAll(/^generation 1: | of generation 1/g, '');

const smokeOf = (run: string | undefined, configured: SmokeConfig | null): SmokeConfig | null =>
  run === undefined ? configured : { run, timeoutMs: configured?.timeoutMs ?? RUN_TIMEOUT_MS };

/** As its master was asked to run it, where the app is known; else as `start` would take it. */
async function wantedFor(target: string | undefined): Promise<Wanted> {
  const here = logicalFolder();
  if (target === undefined) {
    if (findConfigFile(here) !== undefined) return wanted(undefined, here);
    const [app] = await chooseKnown(undefined);
    return recordOf(app!);
  }
  if (isAppName(target)) {
    const app = (await knownApps()).find(({ name }) => name === target);
    if (app) return recordOf(app);
  }
  const folder = resolve(here, target);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return wanted(target, here);
  return findConfigFile(folder) === undefined ? inFolder(folder) : wanted(undefined, folder);
}

async function wanted(target: string | undefined, baseDir: string): Promise<Wanted> {
  const found = await resolveTarget(target, [], {}, baseDir);
  if ('running' in found) throw new Error(`${target} is no app name`); // Those were looked for before.
  return { app: null, request: found.request };
}

/** A folder without a config: the app that was started from it. */
async function inFolder(folder: string): Promise<Wanted> {
  const app = (await knownApps()).find(({ remembered }) => remembered?.record?.request.baseDir === folder);
  if (app) return recordOf(app);
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `${folder} has no zdsup.config file, and no app was started from it`,
    hint: 'name the script: zdsup check app.js',
    exitStatus: 2,
  });
}

function recordOf({ name, remembered }: KnownApp): Wanted {
  if (remembered?.record) return { app: name, request: remembered.record.request };
  if (remembered) throw brokenRecord(remembered);
  throw new ZdsupError({
    code: 'ZDSUP_USAGE',
    message: `how ${name} was started is not remembered`,
    hint: 'name its script or config: zdsup check app.js',
    exitStatus: 2,
  });
}

/**
 * The name that the script or config runs under: its own, but where that was edited since. Then it is the one of the app
 * that was started from the same file, and would be read from it at its next reload under another name.
 */
async function runsAs(plan: Plan, request: StartRequest): Promise<string> {
  const running = (await knownApps()).filter((app) => app.running !== null);
  if (running.some(({ name }) => name === plan.appName)) return plan.appName;
  const { readPlan, refuseRename } = await import('../../master/plan.js');
  for (const { name, running: master, remembered } of running) {
    const record = remembered?.record;
    if (!record || record.request.only !== request.only || sourceOf(record.request) !== sourceOf(request)) continue;
    const description = await askDescription(master!.socketPath);
    if (description === null) continue; // It has ended meanwhile.
    const masterEnv = environmentOf(description.masterPid) ?? process.env;
    const own = await readPlan({ version: VERSION, ...record.request }, masterEnv);
    refuseRename(name, own);
    if (own.config.name === undefined) return name; // Derived: a reload keeps the old one.
  }
  return plan.appName;
}

/** The file that an app is started from: the same one through whatever link. */
function sourceOf({ configPath, overrides }: StartRequest): string {
  const path = configPath ?? String(overrides.script);
  try {
    return realpathSync(path);
  } catch {
    return path; // Gone, or spelt without its extension.
  }
}

/** Null where it does not run. */
async function describeRunning(name: string): Promise<AppDescription | null> {
  const running = (await knownApps()).find((app) => app.name === name)?.running;
  return running ? askDescription(running.socketPath) : null;
}
