/** The second Ctrl-C ends everything, whoever waits for what; a signal to the whole process group breaks no reload; no planner outlives its master. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { interruptUntilEnded } from '../helpers/end-at-once.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** Never answers `/held`. */
const HOLDING = `
require('node:http').createServer((request, response) => request.url === '/held' || response.end('served')).listen(process.env.PORT);`;

async function startHolding(): Promise<{ master: Master; held: Connection }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': HOLDING,
    'zdsup.config.json': JSON.stringify({ name: 'held', script: 'app.js', minReady: 0, env: { PORT: port } }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const held = (await Connection.open({ port })) as Connection;
  held.socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  await master.statusUntil('it is in flight', (app) => app.workers[0]!.inFlight === 1);
  return { master, held };
}

/** Presses until it has ended: the first one stops, the first that comes a second later ends at once. */
async function interruptTwice(master: Master): Promise<void> {
  master.signal('SIGINT');
  await master.seen('it stops', ({ msg }) => msg === 'SIGINT: stopping');
  await interruptUntilEnded(master);
}

test.concurrent('a reload that waits for its drain ends with exit 1 and says that everything was ended at once', async () => {
  const { master, held } = await startHolding();
  const reload = master.run('reload');
  await master.serving(2);
  await interruptTwice(master);
  expect(await reload).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(
      'error: the reload of held was given up: the app was ended at once (ZDSUP_STOPPING)',
    ),
  });
  held.end();
});

test.concurrent('a stop that waits for what is in flight ends with exit 1: it was not answered', async () => {
  const { master, held } = await startHolding();
  const stop = master.run('stop');
  await master.seen('it drains', ({ kind }) => kind === 'worker-retired');
  await interruptTwice(master);
  expect(await stop).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('error: held was ended at once: what was in flight is lost (ZDSUP_STOPPING)'),
  });
  held.end();
});

/** Its config notes who reads it; while there is a file `hold`, it does not return. */
const HELD_UP = (how: string): string => `
import { existsSync, writeFileSync } from 'node:fs';
const here = (name) => new URL(name, import.meta.url);
writeFileSync(here('planner'), String(process.pid));
while (existsSync(here('hold'))) ${how}
export default { name: 'slow', script: 'app.js', minReady: 0 };`;
const WAITS = 'await new Promise((again) => setTimeout(again, 20));';
const COMPUTES = ';';

async function startHeldUp(how: string): Promise<{ master: Master; project: Project; port: number }> {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering("'served'", port), 'zdsup.config.mjs': HELD_UP(how) });
  const master = await startMaster({ cwd: project.folder, args: [] });
  project.write({ hold: '', planner: '' });
  return { master, project, port };
}

const plannerOf = async (project: Project): Promise<number> =>
  Number(await until('the config is read', () => readFileSync(project.path('planner'), 'utf8')));

test.concurrent('a HUP to the whole process group while the config is read breaks nothing: that reload ends well, and the next one follows', async () => {
  const { master, project, port } = await startHeldUp(WAITS);
  const before = (await master.status()).workers[0]!.pid!;
  const reload = master.run('reload');
  const planner = await plannerOf(project);
  process.kill(-master.pid, 'SIGHUP');
  expect((await master.status()).rollout).toMatchObject({ id: 2, outcome: null });
  expect([isAlive(planner), isAlive(before)], 'neither who reads nor who serves has heard it').toEqual([true, true]);
  project.remove('hold');
  expect(await reload).toMatchObject({ code: 0, stderr: expect.not.stringContaining('error') });
  await master.serving(3);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('served');
});

test.concurrent.each([
  ['waits', WAITS],
  ['computes', COMPUTES],
])('who reads a config that %s for ever ends with a master that is killed', async (_what, how) => {
  const { master, project } = await startHeldUp(how);
  const reload = master.run('reload');
  const planner = await plannerOf(project);
  await master.killed();
  expect([1, 3], 'it failed, or there is nobody any more').toContain((await reload).code);
  try {
    await until('the planner has gone', () => !isAlive(planner));
  } finally {
    killOwn(planner);
  }
});
