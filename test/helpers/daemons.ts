/** Daemons live in sessions of their own and are no children of the test: they are ended by the ids in their records and logs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AppRecord } from '../../src/shared/app-record.js';
import { isAlive, killOwn } from './cleanup.js';
import { isLeftOf } from './kernel.js';
import { onTestFinished } from './side-by-side.js';
import { until } from './until.js';
import type { World } from './zdsup.js';
import { makeWorld } from './zdsup.js';

/** A world whose daemons are gone after the test, with their workers. */
export function makeDaemonWorld(env: Record<string, string> = {}): World {
  const world = makeWorld(env);
  onTestFinished(() => {
    for (const pid of startedPids(world)) killOwn(pid);
  });
  return world;
}

export const recordPath = (world: World, app: string): string => join(world.home, 'apps', `${app}.json`);
export const logPath = (world: World, app: string): string => join(world.home, 'logs', `${app}.log`);

export const journalPath = (world: World, app: string): string => join(world.home, 'journal', `${app}.jsonl`);

export const recordOf = (world: World, app: string): AppRecord =>
  JSON.parse(readFileSync(recordPath(world, app), 'utf8')) as AppRecord;

/** All that masters of this world have said to have started, and themselves. */
function startedPids(world: World): number[] {
  const found: number[] = [];
  for (const [folder, id] of [
    ['apps', /"masterPid": (\d+)/g],
    ['logs', /"kind":"worker-started".*?"pid":(\d+)/g],
  ] as const)
    for (const name of listOf(join(world.home, folder)))
      for (const [, pid] of readFileSync(join(world.home, folder, name), 'utf8').matchAll(id)) found.push(Number(pid));
  return found.filter((pid) => isLeftOf(pid, 0, `ZDSUP_HOME=${world.home}`));
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export const goneFrom = (pid: number): Promise<boolean> => until(`process ${pid} is gone`, () => !isAlive(pid));
