/** Promise 3: a worker gets its first connection after its readiness check has passed. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { Connection, startLoad } from '../helpers/load/client.js';
import { perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { answerers } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const CERTIFICATES = fileURLToPath(new URL('../fixtures/load-app/', import.meta.url));

/** Listens at once and is ready 600 ms later; until then a request that reaches it is answered with `early`. */
const SLOW_STARTER = (version: string, whenReady: string): string => `
let ready = false;
const server = require('node:http').createServer((request, response) => {
  if (request.url === '/healthz') response.statusCode = ready ? 200 : 503;
  response.end(ready ? '${version}' : 'early');
});
server.listen(process.env.PORT);
setTimeout(() => { ready = true; ${whenReady} }, 600);`;

const CHECKS: [name: string, ready: unknown, whenReady: string][] = [
  ["`process.send('ready')`", 'message', "process.send('ready');"],
  ['an HTTP path', { path: '/healthz', period: 50 }, ''],
  ['an HTTP path, three times in a row', { path: '/healthz', period: 50, successes: 3, initialDelay: 50 }, ''],
];

test.each(CHECKS)(
  'with readiness by %s, no request meets a worker that is not ready',
  async (_name, ready, whenReady) => {
    const port = await freePort();
    const project = makeProject({
      'app.js': SLOW_STARTER('1', whenReady),
      'zdsup.config.json': JSON.stringify({
        name: 'slow',
        script: 'app.js',
        instances: 2,
        minReady: 50,
        ready,
        env: { PORT: port },
      }),
    });
    const master = await startMaster({ cwd: project.folder, args: [] });
    const load = startLoad({ port }, 10, perRequest());
    await load.reached(50);
    project.write({ 'app.js': SLOW_STARTER('2', whenReady) });
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
    const tally = await expectNothingLost(load, 50);
    expect(answerers(tally)).toEqual(['1', '2']);
  },
);

test.concurrent('requests that come before the first worker is ready wait and are answered', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': `process.on('SIGUSR2', () => process.send('ready'));\n${answering("'ready'", port)}`,
  });
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.js', '--name', 'slow', '--ready', 'message'],
    wait: false,
  });
  const { workers } = await master.statusUntil('the socket is held', (app) => app.listeners.length === 1);
  expect(workers[0]!.state).toBe('starting');
  const connection = (await Connection.open({ port })) as Connection;
  connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((written) => connection.socket.write('', written));
  expect((await master.status()).workers[0]).toMatchObject({ state: 'starting', connections: 0 });
  killOwn(workers[0]!.pid!, 'SIGUSR2');
  expect(await connection.response()).toMatchObject({ status: 200, body: 'ready' });
  connection.end();
});

test.concurrent('the check asks that very worker over HTTPS, and the app sees a loopback client', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': `
const { readFileSync } = require('node:fs');
const server = require('node:https').createServer({ key: readFileSync('${CERTIFICATES}key.pem'), cert: readFileSync('${CERTIFICATES}cert.pem') }, (request, response) => {
  console.log('asked', request.url, 'by', request.socket.remoteAddress, 'slot', process.env.ZDSUP_SLOT, request.headers['user-agent']);
  response.end('ok');
});
server.listen(${port});`,
    'zdsup.config.json': JSON.stringify({
      name: 'tls',
      script: 'app.js',
      instances: 2,
      minReady: 50,
      ready: { path: '/ready' },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  for (const slot of [0, 1]) await master.printed(`asked /ready by 127.0.0.1 slot ${slot} zdsup-probe`);
});

test.concurrent('a new worker must have been ready for `minReady` before it takes traffic', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': SLOW_STARTER('1', ''),
    'zdsup.config.json': JSON.stringify({ name: 'patient', script: 'app.js', minReady: 900, env: { PORT: port } }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  expect((await master.run('reload')).code).toBe(0);
  const at = (kind: string): number =>
    Date.parse(master.log.find((line) => line.kind === kind && line.generation === 2)!.time);
  expect(at('worker-active') - at('worker-ready')).toBeGreaterThanOrEqual(895);
});

test.concurrent('an app that never listens, as a queue worker, is ready after `minReady` and reloads as any other', async () => {
  const project = makeProject({
    'worker.js': `
console.log('working', process.env.ZDSUP_GENERATION);
const timer = setInterval(() => {}, 1000);
process.on('SIGTERM', () => { console.log('finished', process.env.ZDSUP_GENERATION); clearInterval(timer); });`,
  });
  const master = await startMaster({ cwd: project.folder, args: ['worker.js', '--name', 'queue'] });
  expect((await master.run('reload')).code).toBe(0);
  await master.printed('working 2');
  await master.printed('finished 1');
  expect((await master.status()).listeners).toEqual([]);
  expect((await master.run('stop')).code).toBe(0);
  await master.printed('finished 2');
  expect(await master.exited()).toEqual({ code: 0, signal: null });
});

test.concurrent('a first start says that it serves once clients are answered, also where the script takes seconds to load', async () => {
  const port = await freePort();
  const loading = (ms: number): string => `for (const until = Date.now() + ${ms}; Date.now() < until; );`;
  const project = makeProject({
    'app.mjs': `${loading(1_500)} await import('./more.mjs'); const { createServer } = await import('node:http');
createServer((request, response) => response.end('loaded')).listen(${port});`,
    'more.mjs': `await new Promise(setImmediate); ${loading(3_000)}`,
  });
  const master = await startMaster({ cwd: project.folder, args: ['app.mjs', '--name', 'large'], wait: false });
  await master.serving(1);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('loaded');
});
