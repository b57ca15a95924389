/**
 * Runs in the CLI. `zdsup start`: in the foreground this process becomes the master; with --daemon a child does, in a
 * session of its own (start-daemon.ts). The one place where the command knows the master.
 */
import { closeSync, readFileSync } from 'node:fs';
import type { RunningApp } from '../../client/apps.js';
import { logicalFolder, runningApps } from '../../client/apps.js';
import type { StartRequest } from '../../shared/app-record.js';
import { runsAlready } from '../../shared/control-socket.js';
import type { DaemonOrder } from '../../shared/daemon.js';
import { ORDER_FD } from '../../shared/daemon.js';
import { toReport, ZdsupError } from '../../shared/errors.js';
import { VERSION } from '../../shared/version.cjs';
import { environmentAtStart } from './environment.js';
import type { Wanted } from './start-target.js';
import { noteInPlace, resolveTarget } from './start-target.js';
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
  daemon?: boolean;
  orReload?: boolean;
  /** Not the last good release of the store. */
  inPlace?: boolean;
  logFormat?: 'json' | 'pretty';
  json?: boolean;
  /** This process is the daemon. */
  asDaemon?: boolean;
}

export async function start(target: string | undefined, args: string[], options: StartOptions): Promise<number> {
  if (options.asDaemon) return becomeDaemon();
  const wanted = await resolveTarget(target, args, options, logicalFolder());
  if ('running' in wanted) return startedAlready(wanted.running, wanted.request, options);
  return wanted.daemon ? detach(wanted, options) : foreground(wanted, options);
}

async function foreground({ request: asked, release, logFormat }: Wanted, options: StartOptions): Promise<number> {
  const request = { version: VERSION, ...asked };
  // The planner boots while the master's modules load.
  const { readPlan } = await import('../../master/plan.js');
  const masterEnv = environmentAtStart();
  const first = readPlan({ ...request, release }, masterEnv);
  first.catch(() => {}); // Told by runMaster, which awaits it.
  const { runMaster } = await import('../../master/main.js');
  if (release === undefined && !options.inPlace)
    await first.then(
      (plan) => noteInPlace([plan], masterEnv),
      () => {},
    );
  try {
    const status = await runMaster(request, first, masterEnv, { logFormat: options.json ? 'json' : logFormat });
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

async function startedAlready(app: RunningApp, asked: StartRequest, options: StartOptions): Promise<number> {
  if (!options.orReload) throw runsAlready(app.name);
  await noteStartedOtherwise(app.name, asked);
  const { carryOut } = await import('./carry-out.js');
  return carryOut([app], { command: 'reload' }, { json: options.json === true, verb: 'reload', all: false });
}

async function detach({ request, release, logFormat }: Wanted, options: StartOptions): Promise<number> {
  const env = environmentAtStart();
  const { readPlans } = await import('../../master/plan.js');
  const { claimFolder } = await import('../../master/state-folder.js');
  const plans = await readPlans({ version: VERSION, ...request, release }, env);
  if (release === undefined && !options.inPlace) await noteInPlace(plans, env);
  const { startDaemons } = await import('./start-daemon.js');
  return startDaemons(plans, request, {
    env,
    claimFolder,
    logFormat,
    json: options.json === true,
    orReload: options.orReload === true,
  });
}

/** The environment is that of the command, which may have gone by now. */
async function becomeDaemon(): Promise<number> {
  const order = JSON.parse(readFileSync(ORDER_FD, 'utf8')) as DaemonOrder;
  closeSync(ORDER_FD); // Not for the workers.
  process.umask(process.umask() | 0o022); // The caller's, but what others may write to is nobody's wish.
  const { app, request, plan, logFile, logFormat } = order;
  const { Starter } = await import('../../master/starter.js');
  const starter = new Starter();
  try {
    const { runMaster } = await import('../../master/main.js');
    type Plan = Awaited<Parameters<typeof runMaster>[1]>;
    const first = Promise.resolve(plan as Plan);
    process.exit(
      await runMaster({ version: VERSION, ...request }, first, environmentAtStart(), {
        logFormat,
        daemon: { logFile },
        observer: starter.observerFor(app, logFile),
      }),
    );
  } catch (error) {
    starter.failed(app, toReport(error));
    throw error;
  }
}
