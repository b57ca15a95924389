/** Promise 6: a generation runs from one resolved release, with one environment, whatever the files say meanwhile. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive } from '../helpers/load/exchanges.js';
import { lostCount } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** Answers with all that a generation pins. */
const TELLS = (version: string): string => `
require('node:http').createServer((request, response) => response.end(JSON.stringify({
  version: '${version}', dir: __dirname, cwd: process.cwd(), args: process.argv.slice(2), execArgv: process.execArgv.filter((arg) => arg.startsWith('--max-http')),
  greeting: process.env.GREETING, secret: process.env.SECRET, removed: process.env.REMOVED ?? null,
}))).listen(process.env.PORT);`;

type Told = {
  version: string;
  dir: string;
  cwd: string;
  args: string[];
  execArgv: string[];
  greeting: string;
  secret: string;
  removed: string | null;
};

const ask = async (port: number): Promise<Told> => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Told;

function writeConfig(project: Project, more: Record<string, unknown>): void {
  project.write({
    'zdsup.config.json': JSON.stringify({ name: 'pinned', script: 'current/app.js', minReady: 50, ...more }),
  });
}

/** Kills the only worker and waits for the one that takes its place. */
async function respawn(master: Master): Promise<void> {
  const from = master.log.length;
  const [worker] = (await master.status()).workers;
  killOwn(worker!.pid!);
  await master.seen('a successor takes traffic', (line) => line.kind === 'worker-active', 15_000, from);
}

test('a moved symlink changes nothing until the reload, which serves the new release even with the old one deleted', async () => {
  const port = await freePort();
  const project = makeProject({ 'releases/1/app.js': TELLS('1'), 'releases/2/app.js': TELLS('2') });
  project.link('current', 'releases/1');
  writeConfig(project, { env: { PORT: port } });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const load = startLoad({ port }, 5, keepAlive());
  await load.reached(5);

  project.link('current', 'releases/2');
  await respawn(master);
  expect((await ask(port)).version, 'a respawn does not follow the moved link').toBe('1');

  rmSync(project.path('releases/1'), { recursive: true });
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  expect(await ask(port)).toMatchObject({ version: '2', dir: project.path('releases/2') });
  await respawn(master);
  expect((await ask(port)).version).toBe('2');
  const tally = await load.stop();
  // The killed workers' own connections are reset; nothing else is.
  expect(lostCount(tally), JSON.stringify(tally.lost)).toBeLessThanOrEqual(10);
  expect(tally.lost['connect: ECONNREFUSED'] ?? 0).toBe(0);
});

test.concurrent('`cd current && zdsup start` follows the link at the next reload', async () => {
  const port = await freePort();
  const project = makeProject({ 'releases/1/app.js': TELLS('1'), 'releases/2/app.js': TELLS('2') });
  project.link('current', 'releases/1');
  const master = await startMaster({
    cwd: project.path('current'),
    args: ['app.js', '--name', 'linked'],
    env: { PORT: String(port) },
  });
  expect((await ask(port)).cwd).toBe(project.path('releases/1'));
  project.link('current', 'releases/2');
  rmSync(project.path('releases/1'), { recursive: true });
  expect((await master.run('reload', 'linked')).code).toBe(0);
  expect(await ask(port)).toMatchObject({ version: '2', cwd: project.path('releases/2') });
});

test.concurrent('environment, env file, arguments and config are those of the generation, also for a worker that crashes in mid-rollout', async () => {
  const port = await freePort();
  const project = makeProject({
    'releases/1/app.js': TELLS('1'),
    // Never ready: the rollout stays under way while the old worker is killed.
    'releases/2/app.js': `${TELLS('2').replace('listen(process.env.PORT)', "on('listening', () => {})")}\nsetInterval(() => {}, 1000);`,
    '.env': 'SECRET=one\n',
  });
  project.link('current', 'releases/1');
  const first = {
    env: { PORT: port, GREETING: 'hello', REMOVED: 'soon' },
    envFile: '.env',
    args: ['--mode', 'one'],
    nodeArgs: ['--max-http-header-size=20000'],
  };
  writeConfig(project, first);
  const master = await startMaster({ cwd: project.folder, args: [] });
  const before = await ask(port);
  expect(before).toEqual({
    version: '1',
    dir: project.path('releases/1'),
    cwd: project.folder,
    args: ['--mode', 'one'],
    execArgv: ['--max-http-header-size=20000'],
    greeting: 'hello',
    secret: 'one',
    removed: 'soon',
  });

  project.link('current', 'releases/2');
  project.write({ '.env': 'SECRET=two\n' });
  writeConfig(project, {
    env: { PORT: port, GREETING: 'good day' },
    envFile: '.env',
    args: ['--mode', 'two'],
    ready: { deadline: '8s' },
  });
  const reload = master.run('reload');
  await master.seen('the new worker starts', (line) => line.kind === 'worker-started' && line.generation === 2);
  await respawn(master);
  expect(await ask(port), 'it comes back exactly as it was').toEqual(before);
  expect((await reload).code).toBe(1);
  expect(await ask(port)).toEqual(before);

  project.write({ 'releases/2/app.js': TELLS('2') });
  expect((await master.run('reload')).code).toBe(0);
  expect(await ask(port), 'a removed variable is gone').toEqual({
    version: '2',
    dir: project.path('releases/2'),
    cwd: project.folder,
    args: ['--mode', 'two'],
    execArgv: [],
    greeting: 'good day',
    secret: 'two',
    removed: null,
  });
});

test.concurrent("the calling shell's environment never travels with a reload", async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': TELLS('1') });
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.js', '--name', 'shell'],
    env: { PORT: String(port), GREETING: 'at start' },
  });
  master.world.env.GREETING = 'from another shell';
  expect((await master.run('reload', 'shell')).code).toBe(0);
  expect((await ask(port)).greeting).toBe('at start');
});

test.concurrent('a new `instances` takes effect at the reload, up and down', async () => {
  const port = await freePort();
  const project = makeProject({ 'releases/1/app.js': TELLS('1') });
  project.link('current', 'releases/1');
  writeConfig(project, { instances: 2, env: { PORT: port } });
  const master = await startMaster({ cwd: project.folder, args: [] });
  for (const instances of [3, 1]) {
    writeConfig(project, { instances, env: { PORT: port } });
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
    expect((await master.status()).workers.map((worker) => worker.slot)).toEqual(
      Array.from({ length: instances }, (_, slot) => slot),
    );
  }
});

test.concurrent('a directory edited in place and broken is shown as modified, and a killed worker does not take the others down', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': TELLS('1') });
  project.write({
    'zdsup.config.json': JSON.stringify({
      name: 'inplace',
      script: 'app.js',
      instances: 2,
      minReady: 50,
      env: { PORT: port },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  expect((await master.status()).release).toMatchObject({ path: project.folder, modified: false });

  project.write({ 'app.js': "throw new Error('half a git pull');" });
  expect((await master.status()).release!.modified).toBe(true);
  expect((await master.run('status')).stdout).toContain('release modified');
  const load = startLoad({ port }, 4, keepAlive());
  await load.reached(20);
  const [first, second] = (await master.status()).workers;
  killOwn(first!.pid!);
  await master.seen(
    'the broken code fails to come up',
    (line) => line.kind === 'worker-exited' && /exited with code 1 before it was ready/.test(line.msg),
  );
  const status = await master.status();
  expect(status.workers.find((worker) => worker.slot === 1)).toMatchObject({ pid: second!.pid, state: 'active' });
  await load.reached(load.tally.answered + 100);
  const tally = await load.stop();
  expect(lostCount(tally), JSON.stringify(tally.lost)).toBeLessThanOrEqual(4);

  project.write({ 'app.js': TELLS('1') });
  await master.statusUntil(
    'both serve again',
    (app) => app.workers.filter((worker) => worker.state === 'active').length === 2,
  );
});

test.concurrent('code edited in place takes no traffic before its full readiness check, even where nobody else serves', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': TELLS('1') });
  project.write({
    'zdsup.config.json': JSON.stringify({ name: 'inplace', script: 'app.js', minReady: 700, env: { PORT: port } }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const listens = join(temporaryFolder(), 'listens');
  project.write({
    'app.js': `require('node:fs').writeFileSync(${JSON.stringify(listens)}, String(Date.now()));${TELLS('2')}`,
  });
  const from = master.log.length;
  const [worker] = (await master.status()).workers;
  killOwn(worker!.pid!);
  const active = await master.seen('active', (line) => line.kind === 'worker-active', 15_000, from);
  expect(Date.parse(active.time) - Number(readFileSync(listens, 'utf8'))).toBeGreaterThanOrEqual(699); // Rounded to 1 ms.
});
