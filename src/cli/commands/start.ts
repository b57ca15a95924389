/**
 * Runs in the CLI. `zdsup start`: in the foreground this process becomes the master; with --daemon a child does, in a
 * session of its own (start-daemon.ts). The one place where the command knows the master.
 */
import { closeSync, readFileSync } from 'node:fs';
import type { RunningApp } from '../../client/apps.js';
import { logicalFolder, refuseClosedHome, runningApps } from '../../client/apps.js';
import type { Remembered } from '../../client/records.js';
import type { StartRequest } from '../../shared/app-record.js';
import type { LogConfig } from '../../shared/config.js';
import { failedResult } from '../../shared/control-protocol.js';
import { runsAlready } from '../../shared/control-socket.js';
import type { DaemonOrder } from '../../shared/daemon.js';
import { LOG_FD, ORDER_FD } from '../../shared/daemon.js';
import { toReport, ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import { environmentAtStart } from './environment.js';
import type { Outcome, StartDaemonsOptions } from './start-daemon.js';
import type { Wanted } from './start-target.js';
import { noteInPlace, releaseOfUnit, resolveTarget, wantedAgain } from './start-target.js';
import { noteStartedOtherwise } from './started-otherwise.js';

export interface StartOptions {
  name?: string;
  instances?: number | string;
  cwd?: string;
  envFile?: string[];
  nodeArgs?: string;
  only?: string;
  ready?: string;
  drainTimeout?: string;
  /** A change of a file is a reload. */
  watch?: boolean;
  /** Port of the master's own HTTP. */
  http?: number;
  daemon?: boolean;
  orReload?: boolean;
  /** Not the last good release of the store. */
  inPlace?: boolean;
  logFormat?: 'json' | 'pretty';
  json?: boolean;
  /** This process is the daemon. */
  asDaemon?: boolean;
  /** A program has started this process, by the API. */
  forCaller?: boolean;
  /** This process is the master of the unit of that app: of what was deployed, it runs what was good last. */
  asUnit?: string;
}

export async function start(target: string | undefined, args: string[], options: StartOptions): Promise<number> {
  if (options.asDaemon) return becomeDaemon();
  if (options.forCaller) return (await import('./start-for-caller.js')).startForCaller();
  refuseClosedHome();
  const wanted = await resolveTarget(target, args, options, logicalFolder());
  if ('running' in wanted) return startedAlready(wanted.running, wanted.request, options);
  return wanted.daemon ? detach(wanted, options) : foreground(wanted, options);
}

async function foreground(
  { request: asked, release: named, logFormat }: Wanted,
  options: StartOptions,
): Promise<number> {
  const request = { version: VERSION, ...asked };
  // The planner boots while the master's modules load.
  const { readPlan } = await import('../../master/plan.js');
  const masterEnv = environmentAtStart();
  const { asUnit } = options;
  const release = asUnit === undefined ? named : await releaseOfUnit(asUnit, masterEnv);
  const first = readPlan({ ...request, release }, masterEnv).then((plan) => ofUnit(plan, asUnit));
  first.catch(() => {}); // Told by runMaster, which awaits it.
  const { runMaster } = await import('../../master/main.js');
  if (release === undefined && !options.inPlace && asUnit === undefined)
    await first.then(
      (plan) => noteInPlace([plan], masterEnv),
      () => {},
    );
  try {
    const status = await runMaster(request, first, masterEnv, {
      logFormat: options.json ? 'json' : logFormat,
      isUnit: asUnit !== undefined,
    });
    // The master is done: a timer or handle that somebody left must not keep it.
    process.exit(status);
  } catch (error) {
    if (!options.orReload || !(error instanceof ZdsupError) || error.code !== 'ZDSUP_APP_RUNNING') throw error;
    const { appName } = await first;
    const running = (await runningApps()).find((app) => app.name === appName);
    if (!running) throw error;
    return startedAlready(running, asked, options);
  }
}

/** Its unit has the folders of that name alone. */
function ofUnit<T extends { appName: string }>(plan: T, app: string | undefined): T {
  if (app === undefined || plan.appName === app) return plan;
  throw new ZdsupError({
    code: 'ZDSUP_CONFIG_INVALID',
    message: `the app is named ${plan.appName}, and this is the unit of ${app}`,
    hint: `put the name back; or zdsup systemd uninstall ${app}, and install ${plan.appName}`,
    exitStatus: 2,
  });
}

async function startedAlready(app: RunningApp, asked: StartRequest, options: StartOptions): Promise<number> {
  if (!options.orReload) throw runsAlready(app.name);
  await noteStartedOtherwise(app.name, asked);
  const { carryOut } = await import('./carry-out.js');
  return carryOut([app], { command: 'reload' }, { json: options.json === true, verb: 'reload', all: false });
}

async function detach({ request, release, logFormat }: Wanted, options: StartOptions): Promise<number> {
  const env = environmentAtStart();
  const { readPlans } = await import('../../master/plan.js');
  const plans = await readPlans({ version: VERSION, ...request, release }, env);
  if (release === undefined && !options.inPlace) await noteInPlace(plans, env);
  const { startDaemons } = await import('./start-daemon.js');
  return startDaemons(plans, request, {
    env,
    ...(await groundOfDaemons()),
    logFormat,
    json: options.json === true,
    orReload: options.orReload === true,
  });
}

/** Of the master's rooms, loaded where a daemon is started. */
export async function groundOfDaemons(): Promise<Pick<StartDaemonsOptions, 'claimFolder' | 'makeFolder' | 'makePipe'>> {
  const { claimFolder, makeFolder } = await import('../../master/state-folder.js');
  const { makePipes } = await import('../../master/pipes.js');
  return { claimFolder, makeFolder, makePipe: (folder) => makePipes(folder, 1)?.[0] ?? null };
}

/** As a daemon, in the environment of this command. Never rejects: what it comes to is the result. */
export async function bringBack(remembered: Remembered, json: boolean): Promise<Outcome> {
  const { startOne } = await import('./start-daemon.js');
  try {
    const { request, release, logFormat } = await wantedAgain(remembered, {}, { daemon: true });
    const env = environmentAtStart();
    const { readPlan } = await import('../../master/plan.js');
    const plan = await readPlan({ version: VERSION, ...request, release }, env);
    const options = { env, ...(await groundOfDaemons()), logFormat, json, orReload: false, beside: true };
    return await startOne(plan, request, options);
  } catch (error) {
    return { app: remembered.name, ...failedResult(toReport(error)) };
  }
}

/** The environment is that of the command, which may have gone by now. */
async function becomeDaemon(): Promise<number> {
  const order = JSON.parse(readFileSync(ORDER_FD, 'utf8')) as DaemonOrder;
  closeSync(ORDER_FD); // Not for the workers.
  process.umask(process.umask() | 0o022); // The caller's, but what others may write to is nobody's wish.
  const { app, request, plan, logFile, logFormat, piped } = order;
  const { Starter } = await import('../../master/starter.js');
  const starter = new Starter();
  try {
    const { runMaster } = await import('../../master/main.js');
    type Plan = Awaited<Parameters<typeof runMaster>[1]>;
    const { config } = plan as Plan;
    const first = Promise.resolve(plan as Plan);
    const logs = piped ? await keepOwnOutput(app, config.log, logFile) : undefined;
    process.exit(
      await runMaster({ version: VERSION, ...request }, first, environmentAtStart(), {
        logFormat,
        daemon: { logFile, logs },
        observer: starter.observerFor(app, logFile),
      }),
    );
  } catch (error) {
    starter.failed(app, toReport(error));
    throw error;
  }
}

/** Before anything else is said: it waits in the pipe until then. */
async function keepOwnOutput(
  app: string,
  log: LogConfig | null,
  logFile: string,
): Promise<import('../../master/log-process.js').LogProcess> {
  const { LogProcess } = await import('../../master/log-process.js');
  const { targetsOf } = await import('../../master/kept-output.js');
  const logs = new LogProcess(app);
  logs.carry(LOG_FD, null, 'err', targetsOf(log, logFile).err);
  return logs;
}
