/** `--watch` follows names: a build that removes its folder and makes it anew is served, and so is each save in the new one. */
import { renameSync, rmSync } from 'node:fs';
import { test } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const served = async (port: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();

const reloads = (master: Master): string[] =>
  master.log.flatMap(({ msg }) => (msg.endsWith(': reloading') ? [msg] : []));

const watching = (folder: string) => ({ args: ['app.js', '--watch', '--name', 'saved'], cwd: folder });

test.concurrent.each([
  [
    '`rm -rf dist && tsc`, at once',
    'dist',
    (dist: string, build: () => void) => {
      rmSync(dist, { recursive: true });
      build();
    },
  ],
  [
    'the same in a folder that is watched as a whole',
    '.',
    (dist: string, build: () => void) => {
      rmSync(dist, { recursive: true });
      build();
    },
  ],
  [
    'another folder that is moved into its place',
    'dist',
    (dist: string, build: () => void) => {
      renameSync(dist, `${dist}.old`);
      build();
    },
  ],
] as const)('a folder that is replaced is watched on: %s', async (_how, watch, replace) => {
  const port = await freePort();
  const app = (text: string): string => answering(`'${text}'`, port);
  const project = makeProject({
    'dist/server/app.js': app('one'),
    'zdsup.config.json': JSON.stringify({ name: 'rebuilt', script: 'dist/server/app.js', watch: [watch], minReady: 0 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  await master.seen('it watches', ({ msg }) => msg.startsWith('watching '));
  for (const text of ['two', 'three']) {
    replace(project.path('dist'), () => project.write({ 'dist/server/app.js': app(text) }));
    await until(
      'it is served',
      () => served(port).catch(() => ''),
      (served) => served === text,
    );
    rmSync(project.path('dist.old'), { recursive: true, force: true });
  }
  await until(
    'it has come to rest',
    () => master.run('status', '--json'),
    ({ stdout }) => JSON.parse(stdout).apps[0].rollout?.outcome !== null,
  );
  project.write({ 'dist/server/app.js': app('four') });
  await until(
    'a save in the new one is served',
    () => served(port).catch(() => ''),
    (served) => served === 'four',
  );
});

test.concurrent('a folder that is gone for a while is served once it is there again', async () => {
  const port = await freePort();
  const app = (text: string): string => answering(`'${text}'`, port);
  const project = makeProject({
    'dist/app.js': app('one'),
    'zdsup.config.json': JSON.stringify({ name: 'gone', script: 'dist/app.js', watch: ['dist'], minReady: 0 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  await master.seen('it watches', ({ msg }) => msg.startsWith('watching '));
  rmSync(project.path('dist'), { recursive: true });
  await master.seen('the reload fails', ({ msg }) => msg.startsWith('no such script'));
  project.write({ 'dist/app.js': app('two') });
  await until(
    'it is served',
    () => served(port).catch(() => ''),
    (served) => served === 'two',
  );
});

test.concurrent('what is saved right after another file is not missed, code or not', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering("'one'", port), 'view.html': '1', 'package.json': '{}' });
  const master = await startMaster(watching(project.folder));
  await master.seen('it watches', ({ msg }) => msg.startsWith('watching '));
  for (const round of [1, 2, 3]) {
    const told = reloads(master).length;
    project.write({ 'app.js': answering(`'${round}'`, port) });
    await master.seen('it reloads', ({ msg }) => msg === 'app.js changed: reloading' && reloads(master).length > told);
    project.write({ 'view.html': String(round) });
    await until(
      'the other as well',
      () => reloads(master).slice(told),
      (all) => all.includes('view.html changed: reloading'),
    );
  }
});
