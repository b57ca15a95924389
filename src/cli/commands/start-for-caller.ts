/**
 * Runs in the CLI, started by a program that uses the API (src/api/start.ts): what `zdsup start` does, and the channel to that program in place of a terminal. Without `daemon` this process becomes the
 * master, and stops when the program has gone; else it starts one and ends, as the command does.
 */
import { closeSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { FailedResult } from '../../shared/control-protocol.js';
import { failedResult } from '../../shared/control-protocol.js';
import { runsAlready } from '../../shared/control-socket.js';
import { ORDER_FD } from '../../shared/daemon.js';
import { toReport } from '../../shared/errors.js';
import { controlSocketPath, runDirForStart } from '../../shared/paths.js';
import type { StartAnswer, StartOrder } from '../../shared/start-order.js';
import { VERSION } from '../../shared/version.cjs';
import { environmentAtStart } from './environment.js';
import { groundOfDaemons } from './start.js';
import type { Wanted } from './start-target.js';
import { noteInPlace, resolveTarget } from './start-target.js';

/** Never rejects for what the app or the order is to blame for: that is the outcome. */
export async function startForCaller(): Promise<number> {
  const order = JSON.parse(readFileSync(ORDER_FD, 'utf8')) as StartOrder;
  closeSync(ORDER_FD); // Not for the workers.
  try {
    const wanted = await wantedBy(order);
    return await (order.daemon ? startDaemon(wanted, order) : becomeMaster(wanted, order));
  } catch (error) {
    const outcome = inItsWords(failedResult(toReport(error)));
    await tell(outcome);
    process.exit(outcome.exitStatus);
  }
}

/** It has typed no flags. Who finds the name taken, and when, is told in several places. */
function inItsWords(outcome: FailedResult): FailedResult {
  if (outcome.error.code !== 'ZDSUP_APP_RUNNING') return outcome;
  const hint =
    'connect() finds it, and its reload() brings in new code; another name, in the config or in overrides, starts a second app';
  return { ...outcome, error: { ...outcome.error, hint } };
}

async function wantedBy(order: StartOrder): Promise<Wanted> {
  const { target, isWhole, overrides, args, only, baseDir, daemon, inPlace, logFormat } = order;
  if (isWhole) return { request: { overrides: withArgs(overrides, args), baseDir }, daemon, logFormat };
  const { name } = overrides as { name?: string };
  const flags = { name, only, daemon, inPlace, logFormat, forCaller: true };
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const wanted = await resolveTarget(target, args, given, baseDir);
  if ('running' in wanted) throw runsAlready(wanted.running.name);
  return { ...wanted, request: { ...wanted.request, overrides: { ...wanted.request.overrides, ...overrides } } };
}

const withArgs = (config: Record<string, unknown>, args: string[]): Record<string, unknown> =>
  args.length > 0 ? { ...config, args } : config;

/** Settles when it has been handed to the kernel, or nobody is there. */
const tell = (answer: StartAnswer): Promise<void> =>
  new Promise((told) => {
    if (process.connected) process.send!(answer, undefined, undefined, () => told());
    else told();
  });

const socketOf = (app: string, env: NodeJS.ProcessEnv): string =>
  controlSocketPath(resolve(runDirForStart(env, homedir())), app);

async function becomeMaster({ request: asked, release, logFormat }: Wanted, order: StartOrder): Promise<never> {
  // As a service manager does it, and it is told so until the master listens for signals: then there is nothing yet to be stopped.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  const request = { version: VERSION, ...asked };
  const env = environmentAtStart();
  const { readPlan } = await import('../../master/plan.js');
  const first = readPlan({ ...request, release, command: 'start()' }, env);
  first.catch(() => {}); // Awaited below, once the master's modules have been loaded beside it.
  const { failure } = await import('../../master/commands/rollouts.js');
  const { runMaster } = await import('../../master/main.js');
  const plan = await first;
  const { appName } = plan;
  if (release === undefined && !order.inPlace) await noteInPlace([plan], env);
  let outcome: Promise<void> | null = null;
  let status: number;
  try {
    status = await runMaster(request, Promise.resolve(plan), env, {
      logFormat,
      observer: {
        progress(step) {
          if (outcome === null) void tell(step);
        },
        rolloutEnded(end) {
          outcome ??= tell(
            end.rollout.outcome === 'failed'
              ? failure(end)
              : { type: 'served', app: appName, socketPath: socketOf(appName, env), masterPid: process.pid },
          );
        },
      },
    });
  } catch (error) {
    const failed = inItsWords(failedResult(toReport(error)));
    outcome ??= tell(failed);
    status = failed.exitStatus;
  }
  await outcome;
  process.exit(status);
}

async function startDaemon({ request, release, logFormat }: Wanted, order: StartOrder): Promise<number> {
  const env = environmentAtStart();
  const { readPlan } = await import('../../master/plan.js');
  const plan = await readPlan({ version: VERSION, ...request, release, command: 'start()' }, env);
  const { appName } = plan;
  if (release === undefined && !order.inPlace) await noteInPlace([plan], env);
  const { startOne } = await import('./start-daemon.js');
  const ground = await groundOfDaemons();
  // The program gives the start up; where it has gone without a word, the daemon goes on, as after Ctrl-C in the command.
  const givenUp = new AbortController();
  process.once('SIGTERM', () => givenUp.abort());
  const outcome = await startOne(plan, request, {
    ...{ env, ...ground, logFormat, json: true, orReload: false, beside: true },
    progress: { show: (step) => void tell(step), end() {} },
    signal: givenUp.signal,
  });
  if (!outcome.ok) await tell(inItsWords(outcome));
  else if (outcome.command === 'start')
    await tell({
      type: 'served',
      app: appName,
      socketPath: socketOf(appName, env),
      masterPid: outcome.masterPid,
    });
  return outcome.exitStatus;
}
