/**
 * Runs in the CLI. `zdsup deploy`: takes a release of a folder into the app's store, and has its master bring it in. The
 * folder is read while the planner reads its config; the store is tidied up while the master is at work.
 */
import { realpathSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { RunningApp } from '../../client/apps.js';
import { runningApps } from '../../client/apps.js';
import { askStatus, NobodyThere } from '../../client/control-client.js';
import { noteNext } from '../../releases/current.js';
import { releasesInUse } from '../../releases/in-use.js';
import { gitLabel } from '../../releases/label.js';
import { pruneReleases } from '../../releases/prune.js';
import { makeSpare } from '../../releases/spare.js';
import { openLatest, readLatest } from '../../releases/store.js';
import type { Taken } from '../../releases/take.js';
import { clearLeftovers, takeRelease } from '../../releases/take.js';
import type { AppRecord } from '../../shared/app-record.js';
import type { ControlResult } from '../../shared/control-protocol.js';
import { ZdsupError } from '../../shared/errors.js';
import { releasesDir } from '../../shared/paths.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { VERSION } from '../../shared/version.cjs';
import { changeOf, releaseName } from '../render/releases.js';
import { carryOutOne, tell } from './carry-out.js';
import type { DeployLock } from './deploy-lock.js';
import { lockDeploys } from './deploy-lock.js';
import type { DeployTarget } from './deploy-target.js';
import { defaultFolder, deployTarget, isIn, liesIn } from './deploy-target.js';
import { environmentOf } from './environment.js';
import type { Interruption } from './interruption.js';
import { endWhenInterrupted } from './interruption.js';

export interface DeployOptions {
  message: string | null;
  allowListeners: boolean;
  noWait: boolean;
  noCanary: boolean;
  weight: number | undefined;
  json: boolean;
}

/** By so much less urgent than the workers (nice values), as the planner is. */
const LOWER = 5;

interface Deployed {
  release: { id: string; path: string; from: string };
  files: number;
  changed: number;
  changedBytes: number;
  removed: number;
  storedBytes: number;
  /** Of the command until the release was stored. */
  storedInMs: number;
  pruned: string[];
}

type Outcome = (ControlResult | { type: 'result'; ok: true; exitStatus: 0; command: 'deploy'; message: string }) &
  Partial<Deployed>;

/** @returns as a reload: 0 where the release serves, or is stored of an app that does not run; 1 where it was given up; 4 where another is under way */
export async function deploy(
  first: string | undefined,
  second: string | undefined,
  options: DeployOptions,
): Promise<number> {
  const held: Held = { target: null, leave: () => {} };
  const interruption = endWhenInterrupted(() => lastWords(held));
  try {
    return await deployUntil(interruption, held, first, second, options);
  } finally {
    interruption.end();
  }
}

/** What an interruption finds. */
interface Held {
  target: DeployTarget | null;
  /** Gives back what was taken of the store: its lock, and what has come to nothing. */
  leave(): void;
}

function lastWords({ target, leave }: Held): string {
  leave();
  const rest =
    target === null ? '' : target.running ? `; ${target.name} serves as before` : `; ${target.name} is as before`;
  return `deploy: interrupted, nothing was brought in${rest}`;
}

async function deployUntil(
  interruption: Interruption,
  held: Held,
  first: string | undefined,
  second: string | undefined,
  options: DeployOptions,
): Promise<number> {
  const target = await deployTarget(first, second);
  held.target = target;
  const { name, state } = target;
  // It answers while the lock is taken and the planner boots.
  const status = statusOf(target);
  status.catch(() => {}); // Awaited below.
  const store = releasesDir(state, name);
  const lock = await unlessRefused(status, lockStore(state, name));
  held.leave = () => {
    try {
      clearLeftovers(store);
    } catch {
      // A disk that takes nothing: the next deploy removes it.
    }
    lock.leave();
  };
  const helpers = new AbortController();
  try {
    const warn = (message: string): void => void (options.json || process.stderr.write(`${name}: ${message}\n`));
    const { taken, from, keep } = await unlessRefused(
      status,
      take(target, store, status, helpers.signal, options.message),
    );
    const before = await status;
    const storedInMs = Math.round(performance.now()); // Since the process began.
    for (const warning of taken.warnings) warn(warning);
    if (!options.json)
      process.stdout.write(
        `${name}: ${changeOf(taken)}; stored as release ${releaseName(taken.head)} (${(storedInMs / 1000).toFixed(2)} s)\n`,
      );
    const release = { id: taken.head.id, path: taken.path, from };
    const tidy = (isWaiting: boolean): string[] => {
      try {
        const pruned = pruneReleases(store, keep, new Set(inUse(name, before)), release.id);
        const damaged = isWaiting ? makeSpare(store, name, release.id) : [];
        if (damaged.length > 0)
          warn(
            `somebody has written into ${damaged[0]}${damaged.length > 1 ? ` and ${damaged.length - 1} more files` : ''} of a release: zdsup releases ${name} --verify says where; the next deploy mends it`,
          );
        return pruned;
      } catch (error) {
        warn(`the store was not tidied up: ${(error as Error).message}`);
        return [];
      }
    };
    const { result, pruned } = await bringIn(target, state, release, options, tidy, interruption);
    const { head, changed, changedBytes, removed, storedBytes } = taken;
    const deployed = { files: head.files, changed, changedBytes, removed, storedBytes, storedInMs, pruned };
    const outcome = { ...result, ...(result.ok ? { command: 'deploy' } : {}), release, ...deployed };
    if (options.json) process.stdout.write(`${JSON.stringify({ app: name, ...outcome }, null, 2)}\n`);
    else tell(name, result as ControlResult, false);
    return outcome.exitStatus;
  } finally {
    helpers.abort(); // Where the planner or git is still at work, its answer is for nothing.
    lock.leave();
  }
}

async function lockStore(state: string, name: string): Promise<DeployLock> {
  const paths = await import('../../master/state-folder.js');
  const runDir = join(state, 'run');
  for (const folder of [releasesDir(state, name), runDir]) paths.claimFolder(folder);
  return lockDeploys(runDir, name, paths);
}

/** What the master refuses is told first, whatever else has failed in the meantime. */
async function unlessRefused<T>(status: Promise<unknown>, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await status;
    throw error;
  }
}

/** @throws ZdsupError ZDSUP_ROLLOUT_UNDER_WAY: what the master would refuse need not be stored */
async function statusOf({ name, running }: DeployTarget): Promise<AppSnapshot | null> {
  if (!running) return null;
  const status = await askStatus(running.socketPath, { looksAtRelease: false }).catch((error: unknown) => {
    if (error instanceof NobodyThere) return null;
    throw error;
  });
  if (status?.ok === false) throw new ZdsupError(status.error);
  if (!status?.ok || status.command !== 'status') return null;
  const { rollout } = status.app;
  if (rollout?.outcome === null)
    throw new ZdsupError({
      code: 'ZDSUP_ROLLOUT_UNDER_WAY',
      message: `another rollout of ${name} is under way (${rollout.to === null ? 'being prepared' : `generation ${rollout.to}, ${rollout.step}`}); no release was taken`,
      hint: `wait for it: zdsup status ${name}; or end it: zdsup promote ${name}, zdsup abort ${name}`,
      exitStatus: 4,
    });
  return status.app;
}

/** Releases that somebody runs, or may run again at once. */
const inUse = (name: string, before: AppSnapshot | null): string[] => [
  ...releasesInUse(name),
  ...[before?.release?.id, before?.rollout?.release?.id].filter((id) => id !== undefined),
];

/** @param status of the app: nothing is stored before it is known */
async function take(
  { name, record, folder, running }: DeployTarget,
  store: string,
  status: Promise<AppSnapshot | null>,
  signal: AbortSignal,
  message: string | null,
): Promise<{ taken: Taken; from: string; keep: number }> {
  const { readPlan, refuseRename } = await import('../../master/plan.js');
  // The question leaves once the loop has polled for the connection: not in the first turn, and later the scan lets none by.
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  const request = { version: VERSION, ...record.request };
  const env = (running && environmentOf(record.masterPid)) ?? process.env;
  const opened = openLatest(store);
  let from = folder !== undefined && liesIn(folder, record) ? folder : opened?.head.from;
  if (from === undefined) {
    const [plan] = await Promise.all([readPlan(request, env, { signal }), status]);
    from = defaultFolder(record, plan);
  }
  const logical = folder ?? from;
  const source = realOf(logical);
  // The planner boots and reads the config while this process reads the folder.
  const release = { id: 'new', path: source, from };
  const planning = readPlan({ ...request, release }, env, { signal }).then((plan) => {
    refuseRename(name, plan);
    if (!isIn(source, plan.entry)) throw outside(plan.entry, logical);
    return plan.config;
  });
  planning.catch(() => {}); // Awaited below.
  // Where the master refuses, nobody waits for the config.
  const shared = Promise.all([planning, status]).then(([config]) => config.shared);
  shared.catch(() => {}); // Where nothing can be stored, nobody asks.
  let before: AppSnapshot | null = null;
  const allowed = status.then((app) => {
    before = app;
  });
  allowed.catch(() => {}); // As above.
  const label = gitLabel(source, signal);
  await new Promise(setImmediate); // Its order is on its way.
  const taken = await takeRelease({
    ...{ store, app: name, source, logical, from, message, label, allowed },
    last: readLatest(store, opened),
    logs: logsOf(record),
    shared,
    // Looked for where it matters alone: the processes of a host are many.
    get inUse() {
      return new Set(inUse(name, before));
    },
  });
  return { taken, from, keep: (await planning).keep };
}

/** Where it writes now, or wrote last. */
const logsOf = ({ log }: AppRecord): string[] =>
  (log ? [log.out, log.error] : []).flatMap((file) => {
    try {
      return [join(realpathSync(dirname(file)), basename(file))];
    } catch {
      return []; // Its folder is gone, and it with it.
    }
  });

function realOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch (error) {
    throw new ZdsupError({
      code: 'ZDSUP_DEPLOY_REFUSED',
      message: `the folder ${folder} cannot be taken: ${(error as NodeJS.ErrnoException).code}`,
      hint: 'restore it, or name another folder: zdsup deploy <app> <folder>',
      exitStatus: 1,
    });
  }
}

const outside = (entry: string, folder: string): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_DEPLOY_REFUSED',
    message: `the script ${entry} does not lie in ${folder}: a release of that folder would not be run`,
    hint: 'name the folder that the app lies in: zdsup deploy <app> <folder>',
    exitStatus: 1,
  });

async function bringIn(
  { name, running: before }: DeployTarget,
  state: string,
  release: Deployed['release'],
  { allowListeners, noWait, noCanary, weight, json }: DeployOptions,
  tidy: (isWaiting: boolean) => string[],
  interruption: Interruption,
): Promise<{ result: Outcome; pruned: string[] }> {
  const running = before ?? (await startedMeanwhile(name));
  await interruption.heard();
  if (!running) {
    interruption.end();
    noteNext(state, name, release);
    const message = `${name} does not run: zdsup start ${name} runs release ${release.id}`;
    return { result: { type: 'result', ok: true, exitStatus: 0, command: 'deploy', message }, pruned: tidy(false) };
  }
  let pruned: string[] | undefined;
  const tidyOnce = (isWaiting: boolean): string[] => {
    pruned ??= tidy(isWaiting);
    return pruned;
  };
  const begun = (): void => {
    yieldToWorkers();
    setImmediate(tidyOnce, true);
  };
  const request = { command: 'reload' as const, allowListeners, noWait, noCanary, weight, release };
  const result = await carryOutOne(running, request, {
    ...{ json, verb: 'deploy', isRollout: true, begun },
    asked: () => interruption.end(),
  });
  // What the master has refused, it has refused for another rollout: that may be on its way to any release.
  return { result, pruned: result.ok || pruned ? tidyOnce(false) : [] };
}

/** It did not run as the deploy began: what would be left to its next start has to be brought in. */
const startedMeanwhile = async (name: string): Promise<RunningApp | undefined> =>
  (await runningApps()).find((app) => app.name === name);

/** Clients are answered, and new workers boot: tidying up can wait. For good: to take it back would need a privilege. */
function yieldToWorkers(): void {
  try {
    setPriority(Math.min(constants.priority.PRIORITY_LOW, getPriority() + LOWER));
  } catch {
    // This host does not allow it.
  }
}
