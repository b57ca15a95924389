/** A crash loop is marked and reported; tries go on, and the release that mends it is let in at once. */
import { unlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const LOOPING = (port: number): string =>
  `require('node:fs').existsSync('database') || setTimeout(() => { throw new Error('no database') }, 100);\n${answering('process.pid', port)}`;

async function start(app = LOOPING, more: Record<string, unknown> = {}) {
  const port = await freePort();
  const project = makeProject({
    database: '',
    'app.js': app(port),
    'zdsup.config.json': JSON.stringify({
      name: 'loops',
      script: 'app.js',
      minReady: 50,
      backoff: { initial: 100, factor: 1, jitter: 0 },
      crashLoop: '3 in 3s',
      ...more,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  return { master, project, port };
}

test('three crashes in three seconds are told and shown, and the app recovers by itself once the cause has gone', async () => {
  const { master, project } = await start();
  unlinkSync(project.path('database'));
  const [worker] = (await master.status()).workers;
  process.kill(worker!.pid!, 'SIGKILL');
  const told = await master.seen('it is told', ({ kind }) => kind === 'crash-looping');
  expect(told.msg).toContain('3 crashes within 3 s');
  expect((await master.status()).state).toBe('crash-looping');
  writeFileSync(project.path('database'), '');
  await master.seen('it recovers', ({ kind }) => kind === 'recovered');
  expect((await master.status()).state).toBe('running');
});

test('out of a crash loop, a bad release fails at once and the good one after it is let in', async () => {
  const { master, project, port } = await start();
  unlinkSync(project.path('database'));
  process.kill((await master.status()).workers[0]!.pid!, 'SIGKILL');
  await master.seen('it is told', ({ kind }) => kind === 'crash-looping');
  writeFileSync(project.path('app.js'), "throw new Error('worse')");
  expect((await master.run('reload')).code).toBe(1);
  writeFileSync(project.path('app.js'), answering('"mended"', port));
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('mended');
});

test('a reload whose generation crash-loops while the old one drains does not say that all is well', async () => {
  const held = (at: number): string => `require('node:http').createServer((request, response) => {
    if (request.url === '/held') setTimeout(() => response.end('held'), 4000); else response.end('1');
  }).listen(${at});`;
  const { master, project, port } = await start(held, {
    backoff: { initial: 50, factor: 1, jitter: 0 },
    crashLoop: '3 in 60s',
  });
  const answer = fetch(`http://127.0.0.1:${port}/held`);
  await master.statusUntil('the request is in flight', (app) => app.workers[0]?.inFlight === 1);
  writeFileSync(project.path('app.js'), `setTimeout(() => process.exit(5), 400);\n${held(port)}`);
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(1);
  expect(stderr).toContain('was promoted, and crash-loops since');
  expect(await (await answer).text()).toBe('held');
});
