/** Ctrl-C ends a deploy as long as nothing was asked of the master: nothing is brought in, and the store is as before. Later it only detaches. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { objectsDir, temporaryDir } from '../../src/releases/layout.js';
import { listReleases } from '../../src/releases/store.js';
import { deployLockPath, releasesDir } from '../../src/shared/paths.js';
import { killOwn } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = 'shop';

interface Scene {
  project: Project;
  master: Master;
  store: string;
}

async function startShop(app = ''): Promise<Scene> {
  const project = makeProject({
    'app.js': `${app}${answering("'one'", await freePort())}`,
    'package.json': '{}',
    'zdsup.config.json': JSON.stringify({ name: APP, script: 'app.js' }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  return { project, master, store: releasesDir(master.world.home, APP) };
}

interface Deploying {
  child: ChildProcess;
  stderr(): string;
  ended: Promise<number | null>;
}

function deploy({ master, project }: Scene): Deploying {
  const { world } = master;
  const child = spawn(process.execPath, [world.bin, 'deploy'], {
    ...{ cwd: project.folder, env: { ...world.env, PWD: project.folder }, stdio: ['ignore', 'ignore', 'pipe'] },
  });
  onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
  let stderr = '';
  child.stderr!.on('data', (chunk) => (stderr += chunk));
  return { child, stderr: () => stderr, ended: once(child, 'close').then(([code]) => code as number | null) };
}

/** Each of another content. So many that the planner has answered before all are read. */
const manyFiles = (): Record<string, string> =>
  Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`lib/${n}.js`, String(n).repeat(1_000)]));

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while the folder is read', { timeout: 60_000 }, async (signal, status) => {
  const scene = await startShop();
  const { project, master, store } = scene;
  project.write(manyFiles());
  const { child, stderr, ended } = deploy(scene);
  await until('the folder is read', () =>
    readdirOf(temporaryDir(store)).some((name) => readdirOf(join(temporaryDir(store), name)).length > 0),
  );
  child.kill(signal);
  expect(await ended, stderr()).toBe(status);
  expect(stderr()).toBe('deploy: interrupted, nothing was brought in; shop serves as before\n');
  expect((await master.status()).generation).toBe(1);
  expect((await master.status()).rollout).toMatchObject({ to: 1 });
  expect(listReleases(store)).toEqual([]);
  expect(existsSync(temporaryDir(store))).toBe(false);
  expect(readdirSync(objectsDir(store)).flatMap((name) => readdirSync(join(objectsDir(store), name)))).toEqual([]);
  expect(existsSync(deployLockPath(join(master.world.home, 'run'), APP))).toBe(false);
});

test('once the rollout was asked for, it goes on without the command', { timeout: 60_000 }, async () => {
  const scene = await startShop('const until = Date.now() + 500;\nwhile (Date.now() < until);\n');
  const { child, stderr, ended } = deploy(scene);
  await until('the rollout goes on', () => stderr().includes('shop: '));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(stderr()).toContain('detached: the deploy goes on; zdsup status shop shows it, zdsup abort shop gives it up');
  await scene.master.serving(2);
});

function readdirOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not there yet, or no longer.
  }
}
