/** An app under chaos: its releases, good and bad, its master, its journal. */
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from '../../../src/client/control-client.js';
import type { ControlRequest, ControlResult } from '../../../src/shared/control-protocol.js';
import type { AppSnapshot } from '../../../src/shared/snapshot.js';
import { killOwn } from '../cleanup.js';
import { isLeftOf } from '../kernel.js';
import { freePort } from '../ports.js';
import { makeProject } from '../project.js';
import { onTestFinished } from '../side-by-side.js';
import type { Master } from '../zdsup.js';
import { startMaster } from '../zdsup.js';
import { Journal } from './journal.js';

export const GOOD = ['good-a', 'good-b'] as const;
/** Names of releases, and what is wrong with them. */
export const BAD = ['throws', 'exits', 'blocks', 'never listens', 'never ready', 'dies after ready'] as const;

export const INSTANCES = 2;
const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));
const folderOf = (release: string): string => release.replaceAll(' ', '-');

export interface Scene {
  port: number;
  master: Master;
  /** The release that `current` names. */
  readonly linked: string;
  link(release: string): void;
  /** So many times it was moved. */
  readonly moves: number;
  ask(request: ControlRequest): Promise<ControlResult>;
  snapshot(): Promise<AppSnapshot>;
  journal(): Journal;
  /** Is it one of this app's processes, alive or a zombie? */
  isLeft(pid: number): boolean;
  /** The generation of a process, by the master's own account. */
  generationOf(pid: number): number | undefined;
}

export async function makeScene(app: string): Promise<Scene> {
  const port = await freePort();
  const project = makeProject();
  const journalFolder = project.path('journal');
  mkdirSync(journalFolder);
  const source = readFileSync(join(FIXTURES, 'chaos-app/app.cjs'), 'utf8');
  project.write({ 'releases/ten-parts.cjs': readFileSync(join(FIXTURES, 'ten-parts.cjs'), 'utf8') }); // Beside them, as here.
  for (const release of [...GOOD, ...BAD])
    project.write({
      [`releases/${folderOf(release)}/app.cjs`]: source,
      [`releases/${folderOf(release)}/package.json`]: '{}', // What makes the folder a release.
      [`releases/${folderOf(release)}/release.json`]: JSON.stringify({ release: folderOf(release), fault: release }),
    });
  project.write({
    'zdsup.config.json': JSON.stringify({
      name: app,
      script: 'current/app.cjs',
      instances: INSTANCES,
      ready: { on: 'message', deadline: '8s' },
      minReady: 300,
      livenessTimeout: '2s',
      drainTimeout: '12s',
      killTimeout: '3s',
      stopTimeout: '20s',
      backoff: { initial: 50, cap: 500 },
      crashLoop: '4 in 5s',
      env: { PORT: port, JOURNAL: journalFolder },
    }),
  });
  let linked: string = GOOD[0];
  let moves = 0;
  const link = (release: string): void => {
    project.link('current', `releases/${folderOf(release)}`);
    linked = release;
    moves += 1;
  };
  link(linked);
  const journal = (): Journal => new Journal(journalFolder);
  const master = await startMaster({ cwd: project.folder, args: [] });
  const isLeft = (pid: number): boolean => isLeftOf(pid, master.pid, `JOURNAL=${journalFolder}`);
  onTestFinished(() => {
    for (const pid of journal().pids) if (isLeft(pid)) killOwn(pid);
  });
  const askIt = (request: ControlRequest): Promise<ControlResult> =>
    ask(`${master.world.home}/run/${app}.sock`, request);
  return {
    port,
    master,
    get linked() {
      return linked;
    },
    get moves() {
      return moves;
    },
    link,
    ask: askIt,
    async snapshot() {
      const result = await askIt({ command: 'status' });
      if (!result.ok || result.command !== 'status') throw new Error(`status: ${JSON.stringify(result)}`);
      return result.app;
    },
    journal,
    isLeft,
    generationOf: (pid) => master.log.find((line) => line.kind === 'worker-started' && line.pid === pid)?.generation,
  };
}

export const releaseOf = (app: AppSnapshot): string => basename(app.release?.path ?? '');
