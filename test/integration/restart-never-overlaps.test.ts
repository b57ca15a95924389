/** `restart`: for an app that cannot run beside itself. Connections wait meanwhile; none is refused, none is lost. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAlive } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** Each generation registers itself, and dies where another one is there. */
const ALONE = `
const fs = require('node:fs');
const { ZDSUP_GENERATION: mine, ZDSUP_SLOT: slot } = process.env;
fs.mkdirSync('here', { recursive: true });
const mark = 'here/' + mine + '.' + slot;
fs.writeFileSync(mark, '');
process.on('exit', () => fs.rmSync(mark));
const others = fs.readdirSync('here').filter((name) => !name.startsWith(mine + '.'));
if (others.length > 0) throw new Error('beside ' + others);
require('node:http').createServer((request, response) => response.end(process.pid + '')).listen(process.env.PORT);
`;

async function start(more: Record<string, unknown> = {}): Promise<{ master: Master; port: number; project: Project }> {
  const port = await freePort();
  const config = { name: 'alone', script: 'app.js', instances: 2, minReady: 100, env: { PORT: port }, ...more };
  const project = makeProject({ 'app.js': ALONE, 'zdsup.config.json': JSON.stringify(config) });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port, project };
}

test('five restarts under load never run old and new at once, and lose no request', async () => {
  const { master, port } = await start();
  const loads = [startLoad({ port }, 10, perRequest()), startLoad({ port }, 10, keepAlive())];
  await Promise.all(loads.map((load) => load.reached(20)));
  for (let restarts = 1; restarts <= 5; restarts++) {
    const { code, stdout, stderr } = await master.run('restart');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`generation ${restarts + 1} serves`);
  }
  for (const load of loads) {
    const tally = await expectNothingLost(load, 20);
    expect(tally.answeredBy.size).toBeGreaterThan(5);
  }
});

test('a restart into a bad release starts the old one again, says why with exit 1, and loses nothing', async () => {
  const { master, port, project } = await startLinked();
  const load = startLoad({ port }, 10, perRequest());
  await load.reached(20);
  project.link('current', 'bad');
  const { code, stderr } = await master.run('restart');
  expect(code).toBe(1);
  expect(stderr).toContain('not today');
  expect(stderr).toContain('generation 1 was started again');
  await expectNothingLost(load, 20);
  expect((await master.status()).generation).toBe(1);
});

async function startLinked(): Promise<{ master: Master; port: number; project: Project }> {
  const port = await freePort();
  const project = makeProject({
    'good/app.js': ALONE,
    'bad/app.js': "throw new Error('not today')",
    'zdsup.config.json': JSON.stringify({
      name: 'alone',
      script: 'current/app.js',
      instances: 2,
      minReady: 100,
      env: { PORT: port },
    }),
  });
  project.link('current', 'good');
  return { master: await startMaster({ cwd: project.folder, args: [] }), port, project };
}

test.concurrent('a restart that finds its own folder broken holds the socket and tries on, until the folder is mended', async () => {
  const { master, port, project } = await start({ backoff: { initial: 100, cap: '300ms', jitter: 0 } });
  writeFileSync(project.path('app.js'), "throw new Error('half saved')");
  const { code, stderr } = await master.run('restart');
  expect(code).toBe(1);
  expect(stderr).toContain('half saved');
  expect(stderr).toContain('the socket is held');
  const waiting = fetch(`http://127.0.0.1:${port}/`);
  writeFileSync(project.path('app.js'), ALONE);
  expect((await waiting).status).toBe(200);
});

test.concurrent('a restart is refused while a reload is under way', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify({ name: 'alone', script: 'app.js', minReady: '2s' }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const reloading = master.run('reload');
  await master.seen('the reload has begun', (line) => line.kind === 'worker-started' && line.generation === 2);
  const { code, stderr } = await master.run('restart');
  expect(code, stderr).toBe(4);
  expect(stderr).toContain('another rollout of alone is under way');
  expect((await reloading).code).toBe(0);
});

test.concurrent('a restart and a stop wait for a worker that has called cluster.worker.disconnect(), and end one that hangs', async () => {
  const { master, project, port } = await start({ instances: 1, drainTimeout: '1s', killTimeout: '1s' });
  writeFileSync(project.path('app.js'), LEAVING);
  expect((await master.run('restart')).code).toBe(0);
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const leaver = Number(await get('/hang'));
  const { code, stderr } = await master.run('restart'); // Its workers die where an old one is there.
  expect(code, stderr).toBe(0);
  expect(isAlive(leaver)).toBe(false);
  const last = Number(await get('/hang'));
  expect((await master.run('stop')).code).toBe(0);
  expect(isAlive(last)).toBe(false);
});

/** Asks to be replaced, and blocks; its mark stays, so that it counts as there for as long as its process lives. */
const LEAVING = `
const fs = require('node:fs');
for (const other of fs.readdirSync('here')) {
  if (!other.startsWith('pid-')) continue;
  try {
    process.kill(Number(other.slice(4)), 0);
  } catch {
    continue;
  }
  if (fs.readFileSync('here/' + other, 'utf8') !== process.env.ZDSUP_GENERATION) throw new Error('beside ' + other);
}
fs.writeFileSync('here/pid-' + process.pid, process.env.ZDSUP_GENERATION);
require('node:http').createServer((request, response) => {
  response.end(String(process.pid));
  if (request.url !== '/hang') return;
  require('node:cluster').worker.disconnect();
  setTimeout(() => { for (;;); }, 50);
}).listen(process.env.PORT);
`;

/** Serves for a moment, and ends: it gets through the restart, and not through the soak. */
const SHORT_LIVED = `${ALONE}\nsetTimeout(() => process.exit(3), 400);`;

test('the way back from a restart does not overlap either: by itself in the soak, and by hand', {
  timeout: 60_000,
}, async () => {
  const port = await freePort();
  const project = makeProject({
    'good/app.js': ALONE,
    'bad/app.js': SHORT_LIVED,
    'other/app.js': ALONE,
    'zdsup.config.json': JSON.stringify({
      name: 'alone',
      script: 'current/app.js',
      instances: 2,
      minReady: 100,
      soak: '3s',
      crashLoop: '3 in 10s',
      backoff: { initial: 50, cap: 100 },
      env: { PORT: port },
    }),
  });
  project.link('current', 'good');
  const master = await startMaster({ cwd: project.folder, args: [] });
  project.link('current', 'bad');
  const restart = master.run('restart'); // Its word may come before the way back, or after it.
  await master.serving(2);
  await master.seen('the way back', ({ kind }) => kind === 'rolling-back');
  await master.serving(3);
  await restart;
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);

  project.link('current', 'other');
  expect((await master.run('restart')).code).toBe(0);
  await master.seen('its soak is over', ({ kind }) => kind === 'soaked');
  const { code, stderr } = await master.run('rollback');
  expect(code, stderr).toBe(0);
  expect(master.stderrLines.filter((line) => line.includes('beside'))).toEqual([]);
});
