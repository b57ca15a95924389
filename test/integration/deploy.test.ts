/** `zdsup deploy` takes a release, brings it in, and tells the truth about both; what serves is never touched by one that fails. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readNext } from '../../src/releases/current.js';
import { manifestPath } from '../../src/releases/layout.js';
import { deployLockPath, releasesDir } from '../../src/shared/paths.js';
import { killOwn } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { expectRefusal } from '../helpers/refusal.js';
import { until } from '../helpers/until.js';
import type { Finished, Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

interface Deployed {
  ok: boolean;
  command: string;
  exitStatus: number;
  generation: number;
  release: { id: string; path: string; from: string };
  changed: number;
  pruned: string[];
}

interface Scene {
  project: Project;
  master: Master;
  store: string;
  answer(): Promise<string>;
  deploy(...args: string[]): Promise<Finished>;
  deployed(...args: string[]): Promise<Deployed>;
}

const APP = 'shop';

async function startShop(config: object = {}, files: Record<string, string> = {}): Promise<Scene> {
  const port = await freePort();
  const project = makeProject({
    'app.js': `const word = require('./lib/word.js');\n${answering("word + ' ' + process.env.ZDSUP_RELEASE + ' ' + __dirname + ' ' + process.cwd()", port)}`,
    'lib/word.js': "module.exports = 'one';\n",
    'package.json': '{}',
    'zdsup.config.json': JSON.stringify({ name: APP, script: 'app.js', minReady: 50, ...config }),
    ...files,
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const deploy = (...args: string[]): Promise<Finished> => master.run('deploy', ...args);
  return {
    project,
    master,
    store: releasesDir(master.world.home, APP),
    answer: async () => (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text(),
    deploy,
    async deployed(...args) {
      const { code, stdout, stderr } = await deploy('--json', ...args);
      expect(code, stdout + stderr).toBe(0);
      return JSON.parse(stdout) as Deployed;
    },
  };
}

/** Command lines of planners whose current folder that is. */
const plannersIn = (folder: string): string[] =>
  readdirSync('/proc').flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return command.includes('planning/planner') && readlinkSync(`/proc/${pid}/cwd`) === folder ? [command] : [];
    } catch {
      return []; // No process, or it has ended.
    }
  });

const word = (text: string): string => `module.exports = '${text}';\n`;

test('what runs is the release, whatever becomes of the folder; a reload goes back to the folder', async () => {
  const { project, master, answer, deploy, deployed } = await startShop();
  const { code, stdout } = await deploy();
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^shop: 4 files, \d+ B; stored as release [0-9a-f]{8} \(\d+\.\d\d s\)\nshop: generation 2 serves, the old workers have gone \(/,
  );
  project.write({ 'lib/word.js': word('two') });
  const { release, changed, generation, command } = await deployed('--message', 'better');
  expect({ changed, generation, command }).toEqual({ changed: 1, generation: 3, command: 'deploy' });
  expect(await answer()).toBe(`two ${release.id} ${release.path} ${release.path}`);
  project.remove('lib/word.js');
  expect((await master.run('restart')).code, 'in place there is none').toBe(1);
  expect(await answer()).toContain('two');
  const [worker] = (await master.status()).workers;
  killOwn(worker!.pid!);
  await master.statusUntil(
    'another worker serves',
    ({ workers }) => workers[0]?.state === 'active' && workers[0].pid !== worker!.pid,
  );
  expect(await answer(), 'a worker that is replaced runs the release').toContain(release.id);

  const listed = await master.run('releases', APP);
  expect(listed.stdout).toMatch(
    new RegExp(
      `^shop\nrelease +state +deployed +files +size +what\n${release.id} +serves .* better\n[0-9a-f]{8} +stored `,
    ),
  );
  const verified = await master.run('releases', APP, '--verify');
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/\nall files of 2 releases verified\n$/) });
  expect(listed.stdout).not.toContain('verified');

  project.write({ 'lib/word.js': word('three') });
  expect((await master.run('reload')).code).toBe(0);
  expect(await answer()).toContain(`three`);
  expect(await answer()).toContain(project.folder);
});

test('a release that is bad is given up, and the one that serves goes on', async () => {
  const { project, answer, deploy, deployed } = await startShop();
  const { release } = await deployed();
  project.write({ 'lib/word.js': "throw new Error('broken release');\n" });
  const { code, stderr } = await deploy();
  expect(code).toBe(1);
  expect(stderr).toContain('broken release');
  expect(stderr).toContain('mend the release and run zdsup deploy shop again');
  expect(await answer()).toContain(`one ${release.id}`);
});

test('one that is held at a weight is promoted with its release', async () => {
  const { project, master, answer, deployed } = await startShop();
  const first = await deployed();
  project.write({ 'lib/word.js': word('two') });
  const held = await deployed('--weight', '50');
  expectRefusal(
    await master.run('deploy'),
    4,
    /another rollout of shop is under way \(generation 3, canary\); no release was taken/,
  );
  const seen = new Set<string>();
  while (seen.size < 2) seen.add((await answer()).split(' ')[1]!);
  expect(seen).toEqual(new Set([first.release.id, held.release.id]));
  expect((await master.run('promote')).code).toBe(0);
  expect(await answer()).toContain(`two ${held.release.id}`);
});

test('config and env files are those of the release; what lies elsewhere stays where it is', async () => {
  const elsewhere = makeProject({ env: 'WORD=elsewhere\n' });
  const port = await freePort();
  const { project, master, deployed } = await startShop(
    { envFile: ['own.env', join(elsewhere.folder, 'env')], env: { PORT: port } },
    { 'own.env': 'OWN=one\n', 'app.js': answering('process.env.OWN + process.env.WORD + process.env.MORE', port) },
  );
  const answer = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();
  await deployed();
  project.write({
    'own.env': 'OWN=two\n',
    'zdsup.config.json': JSON.stringify({
      name: APP,
      script: 'app.js',
      minReady: 50,
      envFile: ['own.env', join(elsewhere.folder, 'env')],
      env: { MORE: 'more' },
    }),
  });
  expect(await answer()).toBe('oneelsewhereundefined');
  await deployed();
  expect(await answer()).toBe('twoelsewheremore');
  project.write({ 'zdsup.config.json': JSON.stringify({ name: 'other', script: 'app.js' }) });
  expectRefusal(await master.run('deploy'), 2, /the config names the app other, it runs as shop/);
});

test('a folder from elsewhere stands for the one that the app was started from', async () => {
  const { project, answer, deployed } = await startShop();
  const build = makeProject({});
  execFileSync('cp', ['-a', `${project.folder}/.`, build.folder]);
  build.write({ 'lib/word.js': word('built') });
  const { release } = await deployed(APP, build.folder);
  expect(release.from).toBe(project.folder);
  expect(await answer()).toBe(`built ${release.id} ${release.path} ${release.path}`);
});

test('a log in the app`s folder is part of no release, and stays where it is over deploys and rollbacks', async () => {
  const { project, master, store, answer, deployed } = await startShop(
    { log: { out: 'logs/out.log' } },
    { 'logs/kept.txt': 'not a log', 'logs/out.log.2026-11-26T09-15-00-123Z.gz': 'put aside' },
  );
  project.write({ 'lib/word.js': `console.log('said by two');\n${word('two')}` });
  const { release } = await deployed();
  expect(await answer()).toMatch(/^two /);
  expect(readdirSync(join(release.path, 'logs'))).toEqual(['kept.txt']);
  await until(
    'it is in the log',
    () => readFileSync(project.path('logs/out.log'), 'utf8'),
    (text) => text.includes('said by two'),
  );
  project.write({ 'lib/word.js': word('three') });
  expect((await deployed()).changed, 'that file alone').toBe(1);
  expect((await master.run('rollback', '--to', release.id)).code).toBe(0);
  expect(await answer()).toMatch(/^two /);
  expect((await master.run('logs', '--grep', 'said by two', '--json')).stdout).toContain('"generation":2');
  expect((await master.run('releases', '--verify')).code).toBe(0);
  expect(existsSync(join(store, release.id, APP, 'logs/out.log'))).toBe(false);
});

test('where the script lies behind a link that deploys move, its target is taken, and the folder around it stays', async () => {
  const port = await freePort();
  const project = makeProject({
    'releases/1/app.js': answering("'1 ' + __dirname + ' ' + process.cwd()", port),
    'releases/2/app.js': answering("'2 ' + __dirname + ' ' + process.cwd()", port),
    'zdsup.config.json': JSON.stringify({ name: APP, script: 'current/app.js', minReady: 50 }),
  });
  project.link('current', 'releases/1');
  const master = await startMaster({ cwd: project.folder, args: [] });
  const answer = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();
  project.link('current', 'releases/2');
  const { code, stdout } = await master.run('deploy', '--json');
  const { release } = JSON.parse(stdout) as Deployed;
  expect(code).toBe(0);
  expect(release.from).toBe(project.path('current'));
  expect(await answer()).toBe(`2 ${release.path} ${realpathSync(project.folder)}`);
});

test('the oldest go, never the one that serves; what the app writes to its shared folder outlives them', async () => {
  const { project, deployed, store, master } = await startShop({ keep: 2, shared: ['uploads'] });
  const { release: first } = await deployed();
  writeFileSync(join(first.path, 'uploads/kept'), 'kept');
  const pruned: string[] = [];
  for (const text of ['two', 'three', 'four']) {
    project.write({ 'lib/word.js': word(text) });
    pruned.push(...(await deployed()).pruned);
  }
  expect(pruned[0]).toBe(first.id);
  expect(existsSync(join(store, first.id))).toBe(false);
  const { release } = await master.status();
  expect(readFileSync(join(release!.path, 'uploads/kept'), 'utf8')).toBe('kept');
});

test('of an app that does not run it is stored, and the start by name runs it', async () => {
  const { project, master, answer } = await startShop();
  await master.run('stop');
  await master.exited();
  project.write({ 'lib/word.js': word('two') });
  const { stdout, code } = await master.run('deploy', APP);
  expect(code).toBe(0);
  expect(stdout).toMatch(/shop does not run: zdsup start shop runs release [0-9a-f]{8}\n$/);
  project.write({ 'lib/word.js': word('three') });
  const again = await startMaster({ world: master.world, cwd: master.world.home, args: [APP] });
  expect(again.transcript()).toContain(`note: shop runs its release`);
  expect(await answer()).toMatch(/^two /);
  await again.run('stop');
  await again.exited();
  const inPlace = await startMaster({ world: master.world, cwd: master.world.home, args: [APP, '--in-place'] });
  expect(await answer()).toMatch(/^three /);
  expect(inPlace.transcript()).not.toContain('note: ');
});

test('a start by config or script of an app that was deployed says what a start by name would run', async () => {
  const { project, master, deployed } = await startShop({ soak: 0 });
  const { release } = await deployed();
  await master.run('stop');
  await master.exited();
  const { world } = master;
  const note = `note: shop runs its folder as it is; zdsup start shop runs its release ${release.id}, which was good last`;
  const again = await startMaster({ world, cwd: project.folder, args: [] });
  expect(again.transcript()).toContain(note);
  const refused = await again.run('start', '--daemon');
  expect(refused.code).toBe(4);
  expect(refused.stderr, 'it runs already').not.toContain('note: ');
  await again.killed();
  await deployed(APP);
  const inPlace = await startMaster({ world, cwd: project.folder, args: ['--in-place'] });
  expect(inPlace.transcript()).not.toContain('note: ');
});

test('of an app that does not run it is tried once: one that does not come up is passed over for what was good', async () => {
  const { project, master, answer, deployed } = await startShop({ soak: 0 });
  const { release: good } = await deployed();
  await master.run('stop');
  await master.exited();
  project.write({ 'lib/word.js': "throw new Error('bad');\n" });
  const bad = await master.run('deploy', '--json', APP);
  const { release } = JSON.parse(bad.stdout) as Deployed;
  const listed = await master.run('releases', APP);
  expect(listed.stdout).toMatch(new RegExp(`${release.id} +starts next .*\n${good.id} +last good `));
  const { world } = master;
  const failed = await startMaster({ world, cwd: world.home, args: [APP], wait: false });
  expect((await failed.exited()).code).toBe(1);
  expect(failed.transcript()).toContain(
    `release ${release.id} did not come up: the next zdsup start shop runs what was good before it was deployed`,
  );
  await startMaster({ world, cwd: world.home, args: [APP] });
  expect(await answer()).toMatch(new RegExp(`^one ${good.id} `));
});

test('stopped in its soak it is what the next start tries; where the master was killed, what was good before runs', async () => {
  const { project, master, answer, deployed, store } = await startShop({ soak: '10m' });
  const goodId = (await deployed()).release.id;
  await master.run('stop');
  await master.exited();
  const proven = await startMaster({ world: master.world, cwd: master.world.home, args: [APP] });
  project.write({ 'lib/word.js': word('two') });
  const { release } = await deployed();
  await proven.killed();
  await until(
    'nobody is left',
    () => answer().catch(() => null),
    (text) => text === null,
  );
  const afterCrash = await startMaster({ world: master.world, cwd: master.world.home, args: [APP] });
  expect(await answer()).toMatch(new RegExp(`^one ${goodId} `));
  await deployed();
  expect((await afterCrash.run('stop')).code).toBe(0);
  await afterCrash.exited();
  expect(readNext(store)).toBe(release.id);
  const afterStop = await startMaster({ world: master.world, cwd: master.world.home, args: [APP] });
  expect(afterStop.transcript()).toContain('has yet to prove itself');
  expect(await answer()).toMatch(new RegExp(`^two ${release.id} `));
});

test('while a deploy of it is at work, an app is not forgotten', async () => {
  const { master, deployed, store } = await startShop();
  await deployed();
  await master.run('stop');
  await master.exited();
  const lock = createServer().listen(deployLockPath(join(master.world.home, 'run'), APP));
  await once(lock, 'listening');
  expectRefusal(await master.run('delete', APP), 4, /a deploy of shop is under way/);
  expect(readdirSync(store)).toContain('objects');
  lock.close();
  await once(lock, 'close');
  expect((await master.run('delete', APP)).code).toBe(0);
});

test('what was gone back to is what a start runs after the master was killed', async () => {
  const { project, master, answer, deployed } = await startShop({ soak: 0 });
  const { release: first } = await deployed();
  project.write({ 'lib/word.js': word('two') });
  await deployed();
  expect((await master.run('rollback')).code).toBe(0);
  expect(await answer()).toMatch(/^one /);
  await master.killed();
  const isRefused = (): Promise<boolean> =>
    answer().then(
      () => false,
      () => true,
    );
  await until('its orphans have gone', isRefused);
  await startMaster({ world: master.world, cwd: master.world.home, args: [APP] });
  expect(await answer()).toMatch(new RegExp(`^one ${first.id} `));
});

test('what was deployed before the start of this master can be gone back to, and the status does not say otherwise', async () => {
  const { project, master, answer, deployed } = await startShop({ soak: 0 });
  expect(await master.status()).toMatchObject({ noWayBack: true });
  await deployed();
  project.write({ 'lib/word.js': word('two') });
  await deployed();
  await master.run('stop');
  await master.exited();
  const next = await startMaster({ world: master.world, cwd: master.world.home, args: [APP] });
  expect(await next.status()).not.toHaveProperty('noWayBack');
  expect((await next.run('rollback')).code).toBe(0);
  expect(await answer()).toMatch(/^one /);
});

test('a rollback leads past a release that was deployed twice in a row, also one that is held warm', async () => {
  for (const keepWarm of [0, '1m']) {
    const { project, master, answer, deployed } = await startShop({ soak: 0, keepWarm });
    const first = await deployed();
    project.write({ 'lib/word.js': word('two') });
    const second = await deployed();
    expect((await deployed()).release.id, 'the same once more').toBe(second.release.id);
    const { code, stderr } = await master.run('rollback');
    expect(code, stderr).toBe(0);
    expect(await answer()).toContain(`one ${first.release.id}`);
    await master.run('stop');
    await master.exited();
  }
});

test('a rollback to the release that is parked wakes its workers', async () => {
  const { project, master, answer, deployed } = await startShop({ soak: 0, keepWarm: '10m' });
  const { release: first } = await deployed();
  const before = await master.status();
  project.write({ 'lib/word.js': word('two') });
  await deployed();
  const rollback = await master.run('rollback', '--to', first.id.slice(0, 6));
  expect(rollback.stdout, rollback.stderr).toContain(`generation ${before.generation} serves release ${first.id}`);
  expect(await answer()).toMatch(/^one /);
  const pidsOf = ({ workers, generation }: typeof before) =>
    workers.filter((worker) => worker.generation === generation).map(({ pid }) => pid);
  expect(pidsOf(await master.status())).toEqual(pidsOf(before));
});

test('where a folder that was edited cannot be gone back to, the hint names the release that can be', async () => {
  const { project, master, answer, deployed } = await startShop({ soak: 0 });
  const { release } = await deployed();
  expect((await master.run('reload')).code).toBe(0);
  project.write({ 'lib/word.js': word('two') });
  expect((await master.run('reload')).code).toBe(0);
  const { code, stderr } = await master.run('rollback');
  expect(code).toBe(1);
  expect(stderr).toContain('was edited in place');
  const hinted = `zdsup rollback shop --to ${release.id}`;
  expect(stderr).toContain(`hint: ${hinted} goes to the release that was good before that`);
  expect(await answer()).toMatch(/^two /);
  expect((await master.run(...hinted.split(' ').slice(1))).code).toBe(0);
  expect(await answer()).toMatch(/^one /);
});

test('delete forgets the releases, and leaves what the app has written', async () => {
  const { master, deployed, store } = await startShop({ shared: ['uploads'] });
  const { release } = await deployed();
  writeFileSync(join(release.path, 'uploads/a.png'), 'A');
  await master.run('stop');
  await master.exited();
  const { stdout, code } = await master.run('delete', APP);
  expect({ stdout, code }).toEqual({
    stdout: `shop: forgotten, with its journal and 1 release; what it has written to its shared folders stays in ${join(store, 'shared')}\n`,
    code: 0,
  });
  expect(readdirSync(store)).toEqual(['shared']);
  expect(readFileSync(join(store, 'shared/uploads/a.png'), 'utf8')).toBe('A');
});

test('two at once: the second is refused, and one that was killed locks nobody out', async () => {
  const { project, master, deploy, answer } = await startShop();
  // Its planner never returns: the first is at work for as long as it lives.
  project.write({ 'zdsup.config.cjs': 'module.exports = new Promise(() => setInterval(() => {}, 1000));' });
  project.write({ 'hang.config.cjs': "console.error('hangs');\nfor (;;);\n" });
  const { world } = master;
  const record = join(world.home, 'apps/shop.json');
  const text = readFileSync(record, 'utf8');
  writeFileSync(record, text.replace('zdsup.config.json', 'hang.config.cjs'));
  const first = spawn(process.execPath, [world.bin, 'deploy', APP], {
    env: world.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(first.stderr, 'data');
  writeFileSync(record, text);
  expectRefusal(await deploy(), 4, /another deploy of shop is under way \(ZDSUP_DEPLOY_UNDER_WAY\)/);
  killOwn(first.pid);
  await once(first, 'exit');
  expect((await deploy()).code).toBe(0);
  expect(await answer()).toMatch(/^one /);
});

test('refused for a rollout under way, it ends the planner that is at work, and has stored nothing', async () => {
  const { project, master, store, deployed } = await startShop();
  await deployed();
  project.write({ 'lib/word.js': word('two') });
  await deployed('--weight', '50');
  const releases = readdirSync(store);
  project.write({ 'lib/word.js': word('three'), 'hang.config.cjs': 'for (;;);\n' });
  const record = join(master.world.home, 'apps/shop.json');
  writeFileSync(record, readFileSync(record, 'utf8').replace('zdsup.config.json', 'hang.config.cjs'));
  const startedAt = performance.now();
  expectRefusal(await master.run('deploy', APP), 4, /another rollout of shop is under way .*; no release was taken/);
  expect(performance.now() - startedAt, 'in ms: a config has 10 s to return').toBeLessThan(10_000);
  expect(readdirSync(store)).toEqual(releases);
  // Its planner stood in the folder of the config.
  expect(plannersIn(project.folder)).toEqual([]);
});

test('bad input is one clear error each, and what serves is untouched', async () => {
  const { project, master, deploy, answer, deployed, store } = await startShop();
  const { release } = await deployed();
  const serves = async (): Promise<void> => expect(await answer()).toContain(`one ${release.id}`);
  symlinkSync('/etc/hostname', project.path('out'));
  expectRefusal(await deploy(), 1, /a link leads out of .*: out → \/etc\/hostname/);
  project.remove('out');
  execFileSync('mkfifo', [project.path('queue')]);
  expectRefusal(await deploy(), 1, /queue is a fifo/);
  project.remove('queue');
  expectRefusal(await deploy('nothing'), 3, /nothing is not running/);
  expectRefusal(await deploy(APP, '/'), 2, /\/ is the whole host/);
  expectRefusal(await deploy(APP, 'nowhere'), 2, /there is no folder .*nowhere/);
  mkdirSync(project.path('part'));
  expectRefusal(await deploy(APP, join(project.folder, 'part')), 2, /no such (config file|script)/);
  project.write({ 'zdsup.config.json': '{"name": "shop", "script": "app.js", "shared": ["../out"]}' });
  expectRefusal(await deploy(), 2, /zdsup\.config\.json: shared\.0 is "\.\.\/out"/);
  project.write({ 'zdsup.config.json': '{"name": "shop", "script": "gone.js"}' });
  expectRefusal(await deploy(), 2, /no such script/);
  await serves();

  truncateSync(manifestPath(store, release.id), 100);
  const { code, stdout } = await master.run('releases', APP);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`${release.id} +serves, damaged`));
  project.write({
    'zdsup.config.json': '{"name": "shop", "script": "app.js", "minReady": 50}',
    'lib/word.js': word('two'),
  });
  const after = await deploy();
  expect(after.stderr).toContain(`shop: release ${release.id} is damaged`);
  expect(after.code).toBe(0);
  expect(await answer()).toMatch(/^two /);
});
