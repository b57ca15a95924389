/** `--watch`: a save is a reload; a broken save replaces nothing; a checkout is one reload; what is no code of the app is none. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster } from '../helpers/zdsup.js';

const served = async (port: number): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();

const reloads = (master: Master): string[] =>
  master.log.flatMap(({ msg }) => (msg.endsWith(': reloading') ? [msg] : []));

const watching = (folder: string) => ({ args: ['app.js', '--watch', '--name', 'saved'], cwd: folder });

test.concurrent('under --watch a save is served, a broken one replaces nothing, many files are one reload, and what is no code is none', async () => {
  const port = await freePort();
  const app = (text: string): string => `require('./lib/a.js');\n${answering(`'${text}'`, port)}`;
  const project = makeProject({ 'app.js': app('one'), 'lib/a.js': '', 'package.json': '{}', '.env': 'A=1' });
  // Its own state lies in the app's folder: what zdsup writes is no change of the app.
  const world = { ...makeWorld(), home: project.path('state') };
  world.env = { ...world.env, ZDSUP_HOME: world.home };
  mkdirSync(world.home, { mode: 0o700 });
  const master = await startMaster({ world, ...watching(project.folder) });

  await master.seen('it watches', ({ msg }) => msg === "watching the app's folder");
  project.write({ 'app.js': app('two') });
  await master.serving(2);
  expect(await served(port)).toBe('two');
  expect(reloads(master)).toEqual(['app.js changed: reloading']);

  project.write({ 'app.js': 'this is no script' });
  await master.seen('it fails', ({ kind }) => kind === 'failed');
  expect(await served(port)).toBe('two');

  // Not a reload each, nor any: names and folders that are passed over.
  const ignored = [
    'node_modules/x/index.js',
    '.git/HEAD',
    '.cache/a.js',
    'logs/a.js',
    'debug.log',
    '.app.js.swp',
    'app.js~',
    '4913',
  ];
  project.write(Object.fromEntries(ignored.map((name) => [name, 'x'])));
  // A checkout: hundreds of files, some of them gone again.
  const files = Array.from({ length: 300 }, (_, index) => `lib/${index}.js`);
  project.write(Object.fromEntries(files.map((name) => [name, ''])));
  for (const name of files.slice(0, 100)) rmSync(project.path(name));
  writeFileSync(project.path('app.js'), app('three'));
  await master.seen('the checkout is served', ({ kind, generation }) => kind === 'serving' && generation! > 2);
  expect(await served(port)).toBe('three');

  // Settings are no code, and a change of them is one all the same. What came before it has come.
  project.write({ '.env': 'A=2' });
  await master.seen('settings count', ({ msg }) => msg === '.env changed: reloading');
  // Two others are told above. A starved host may tell of a checkout in several breaths, but never file by file.
  const ofCheckout = reloads(master).slice(2, -1);
  expect(ofCheckout.length).toBeLessThan(10);
  expect(ofCheckout.join()).toMatch(/ and \d+ more changed: reloading/);
  for (const name of ignored) expect(master.transcript()).not.toContain(`${name} changed`);
  const { stdout } = await master.run('history', 'saved', '1', '--json');
  expect(stdout).toContain('"start"');
});

test.concurrent('a change during a reload gives one more after it; watch names what is watched, and watchIgnore what is not', async () => {
  const port = await freePort();
  const app = (text: string): string => answering(`'${text}'`, port);
  const config = {
    ...{ name: 'listed', script: 'src/app.js', watch: ['src'], watchIgnore: ['*.sqlite', 'src/data/**'] },
    minReady: '300ms',
  };
  const project = makeProject({
    'src/app.js': app('one'),
    'other/b.js': '',
    'zdsup.config.json': JSON.stringify(config),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  await master.seen('it watches', ({ msg }) => msg === 'watching src, zdsup.config.json');
  project.write({ 'src/app.js': app('two') });
  await master.seen('the reload is prepared', ({ kind, generation }) => kind === 'prepared' && generation === 2);
  project.write({ 'src/data/x.js': '', 'src/a.sqlite': '', 'other/b.js': '1' });
  project.write({ 'src/app.js': app('three') });
  await master.serving(3);
  expect(await served(port)).toBe('three');
  // The config is watched as well, and says what counts from there on.
  project.write({ 'zdsup.config.json': JSON.stringify({ ...config, watch: ['other'] }) });
  await master.seen('it watches the other', ({ msg }) => msg === 'watching other, zdsup.config.json');
  project.write({ 'other/b.js': '2' });
  await master.serving(5);
  expect(reloads(master)).toEqual([
    'src/app.js changed: reloading',
    'src/app.js changed: reloading',
    'zdsup.config.json changed: reloading',
    'other/b.js changed: reloading',
  ]);
  expect((await master.run('logs', '--events')).stdout).toContain('reload by a change of files from generation 4');
});
