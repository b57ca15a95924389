/** With `warmup`, the first requests of a new worker are not its clients': they are asked before it takes traffic, whatever comes of them. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { CheckReport } from '../../src/shared/check-report.js';
import { killOwn } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { answerers } from '../helpers/load/tally.js';
import { freePort, freePorts } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/**
 * Its first request computes for 50 ms, as one that loads modules and fills a cache, and is answered with `cold`. `/broken` answers 500, `/never`
 * never does, and while `$FLAG` is there nothing but `/` is answered.
 */
const COLD_STARTER = `
const { existsSync } = require('node:fs');
let cache;
require('node:http').createServer(({ url, headers }, response) => {
  console.log('asked', url, 'by', headers['user-agent'], 'in generation', process.env.ZDSUP_GENERATION);
  response.on('close', () => response.writableEnded || console.log('given up', url));
  if (url === '/never' || (url !== '/' && existsSync(process.env.FLAG))) return;
  if (url === '/broken') response.statusCode = 500;
  const wasCold = cache === undefined;
  for (const until = Date.now() + 50; cache === undefined; ) if (Date.now() >= until) cache = 'filled';
  response.end(wasCold ? 'cold' : 'warm ' + process.env.ZDSUP_GENERATION);
}).listen(process.env.PORT);`;

interface Running {
  master: Master;
  project: Project;
  port: number;
  /** Where this file is, nothing but `/` is answered. */
  flag: string;
  configure(warmup: unknown): void;
}

async function start(warmup: unknown, more: Record<string, unknown> = {}, wait = true): Promise<Running> {
  const port = await freePort();
  const flag = makeProject().path('flag');
  const project = makeProject({ 'app.js': COLD_STARTER });
  const configure = (warmup: unknown): void => {
    const env = { PORT: port, FLAG: flag };
    const config = { name: 'shop', script: 'app.js', instances: 2, minReady: 50, env, ...more, warmup };
    project.write({ 'zdsup.config.json': JSON.stringify(config) });
  };
  configure(warmup);
  const master = await startMaster({ cwd: project.folder, args: [], wait });
  return { master, project, port, flag, configure };
}

const warnings = (master: Master): string[] =>
  master.log.filter(({ level, kind }) => level === 'warn' && kind === 'warning').map(({ msg }) => msg);

test('through a start, a reload, a scale and a crash no client has a first request answered, and none is lost', async () => {
  const { master, port } = await start(['/']);
  const load = startLoad({ port }, 4, perRequest());
  await load.reached(50);
  const reload = await master.run('reload');
  expect(reload.code, reload.stderr).toBe(0);
  expect(reload.stderr).toMatch(/shop: worker 0 of generation 2 is warmed up: \/ 200 in \d+ ms\n/);
  expect((await master.run('scale', '3')).code).toBe(0);
  await expectNothingLost(load, 100);
  const from = master.log.length;
  const [crashed] = (await master.status()).workers;
  killOwn(crashed!.pid!);
  await master.seen('its replacement serves', ({ kind }) => kind === 'worker-active', undefined, from);
  const after = startLoad({ port }, 4, perRequest());
  await expectNothingLost(after, 100);
  expect(answerers(load.tally)).toEqual(['warm 1', 'warm 2']);
  expect(answerers(after.tally)).toEqual(['warm 2']);
  expect(master.log.filter(({ kind }) => kind === 'warm-up')).toHaveLength(2 + 2 + 1 + 1);
});

test('without it clients do: what this file shows is there to be seen', async () => {
  const { master, port } = await start(undefined);
  const load = startLoad({ port }, 4, perRequest());
  await load.reached(50);
  expect((await master.run('reload')).code).toBe(0);
  const tally = await expectNothingLost(load, 100);
  expect(answerers(tally)).toContain('cold');
});

test.concurrent('paths that answer 500 or never are told, cost no more than their time-out, and the worker serves', async () => {
  const { master, port, configure } = await start(['/']);
  configure({ paths: ['/broken', '/never', '/'], timeout: '3s' });
  const load = startLoad({ port }, 4, perRequest());
  await load.reached(20);
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  const tally = await expectNothingLost(load, 100);
  expect(answerers(tally)).toEqual(['warm 1', 'warm 2']);
  for (const slot of [0, 1])
    expect(warnings(master).filter((line) => line.startsWith(`worker ${slot}`))).toEqual([
      `worker ${slot} of generation 2: of its warm-up, /broken answered 500`,
      `worker ${slot} of generation 2: of its warm-up, /never did not answer within 3000 ms`,
    ]);
  expect(stderr).toContain('shop: worker 0 of generation 2: of its warm-up, /broken answered 500\n');
  expect(stderr).toMatch(
    /worker 1 of generation 2 is warmed up in part: \/broken 500 in \d+ ms, \/never without an answer, \/ 200 in \d+ ms\n/,
  );
});

test.concurrent.each([
  ['answers 500', '/broken', '/broken answered 500'],
  ['never answers', '/never', '/never did not answer within 3000 ms'],
])('where it is required and a path %s, the reload fails, and the old generation serves on', async (_, path, why) => {
  const { master, port, configure } = await start(['/']);
  configure({ paths: ['/', path], timeout: '3s', required: true });
  const load = startLoad({ port }, 4, perRequest());
  await load.reached(20);
  const { code, stderr } = await master.run('reload');
  expect(code).toBe(1);
  expect(stderr).toContain(`worker 0 of generation 2 failed its warm-up: ${why} (ZDSUP_ROLLOUT_FAILED)`);
  const tally = await expectNothingLost(load, 50);
  expect(answerers(tally)).toEqual(['warm 1']);
  expect((await master.status()).generation).toBe(1);
});

test.concurrent('a first start whose required warm-up fails exits with 1 and says why', async () => {
  const { master } = await start({ paths: ['/broken'], required: true }, {}, false);
  expect((await master.exited()).code).toBe(1);
  expect(master.transcript()).toContain('failed its warm-up: /broken answered 500');
});

test.concurrent('all of it is over by the deadline for readiness', async () => {
  const { master, configure } = await start(['/'], { ready: { deadline: '3s' }, instances: 1 });
  configure({ paths: Array.from({ length: 50 }, () => '/never'), timeout: '1s' });
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  expect(stderr).toContain(
    'worker 0 of generation 2: its warm-up was not over within 3 s of its start, and is not waited for',
  );
  configure({ paths: Array.from({ length: 50 }, () => '/never'), timeout: '1h', required: true });
  const required = await master.run('reload');
  expect(required.code).toBe(1);
  expect(required.stderr).toContain('failed its warm-up: it was not over within 3 s of its start');
});

test.concurrent('the replacement of a crashed worker waits for nothing while nobody else serves', async () => {
  const { master, port, flag } = await start({ paths: ['/slow'], timeout: '30s', required: true }, { instances: 1 });
  writeFileSync(flag, '');
  const from = master.log.length;
  killOwn((await master.status()).workers[0]!.pid!);
  const { msg } = await master.seen('it serves', ({ kind }) => kind === 'worker-active', undefined, from);
  expect(msg).toBe('worker 0 of generation 1 takes traffic without a warm-up: nobody else does (1 of 1)');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('cold');
});

test.concurrent('where nobody else serves any more, a warm-up under way ends, and its worker takes traffic', async () => {
  const { master, port, flag } = await start({ paths: ['/slow'], timeout: '30s', required: true });
  writeFileSync(flag, '');
  const [first, second] = (await master.status()).workers;
  killOwn(first!.pid!);
  const asked = (): number => master.stdoutLines.filter((line) => line.startsWith('asked /slow')).length;
  await until('the replacement is asked', asked, (count) => count === 3);
  killOwn(second!.pid!);
  await master.printed('given up /slow');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('cold');
  await master.seen('it serves cold', ({ msg }) => msg.startsWith('worker 0 of generation 1 takes traffic without'));
});

test.concurrent('a stop in mid-warm-up waits for no answer', async () => {
  const { master } = await start({ paths: ['/never'], timeout: '1h' }, { ready: { deadline: '1h' } }, false);
  await master.printed('asked /never by zdsup-warmup in generation 1');
  expect((await master.run('stop')).code).toBe(0);
  expect(await master.exited(10_000)).toEqual({ code: 0, signal: null });
});

test.concurrent('of an app with two listeners `port` says which is asked; the other one is no HTTP server', async () => {
  const [raw, http] = await freePorts(2);
  const app = `const net = require('node:net');
net.createServer((socket) => socket.resume().end('+OK\\r\\n')).listen(${raw}, () =>
  require('node:http').createServer((request, response) => response.end('ok')).listen(${http}));`;
  const config = (warmup: unknown): string => JSON.stringify({ name: 'two', script: 'app.js', minReady: 50, warmup });
  const project = makeProject({ 'app.js': app, 'zdsup.config.json': config(['/']) });
  const master = await startMaster({ cwd: project.folder, args: [] });
  expect(warnings(master)).toEqual([
    expect.stringMatching(/^worker 0 of generation 1: of its warm-up, \/: Parse Error/),
  ]);
  project.write({ 'zdsup.config.json': config({ paths: ['/'], port: http, required: true }) });
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  project.write({ 'zdsup.config.json': config({ paths: ['/'], port: 9, required: true }) });
  const nowhere = await master.run('reload');
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain('failed its warm-up: /: the app has no listener on port 9');
});

test.concurrent('an app that listens on nothing is told so, and runs', async () => {
  const project = makeProject({
    'worker.js': 'setInterval(() => {}, 1_000);',
    'zdsup.config.json': JSON.stringify({ name: 'queue', script: 'worker.js', minReady: 50, warmup: ['/', '/a'] }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  await master.seen('it is told', ({ msg }) => msg?.startsWith('it listens on nothing yet') ?? false);
  expect(warnings(master)).toEqual([
    'worker 0 of generation 1: of its warm-up, /: the app has no listener',
    expect.stringMatching(/^it listens on nothing yet: .*an app that never listens serves as it is$/),
  ]);
});

test.concurrent('a check warms its worker up too, and reports it', async () => {
  const { master, port, configure } = await start(['/']);
  configure(['/', '/broken']);
  const { code, stdout, stderr } = await master.run('check');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^shop {2}ready after [^,]+, warmed up by 1 of 2 paths\n/);
  expect(stderr).toContain('worker 0: of its warm-up, /broken answered 500');
  const report = JSON.parse((await master.run('check', '--json')).stdout) as CheckReport;
  expect(report.warmup).toMatchObject([
    { path: '/', status: 200, failure: null },
    { path: '/broken', status: 500, failure: '/broken answered 500' },
  ]);
  configure({ paths: ['/broken'], required: true });
  const refused = await master.run('check');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('worker 0 failed its warm-up: /broken answered 500 (ZDSUP_CHECK_FAILED)');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('warm 1');
});
