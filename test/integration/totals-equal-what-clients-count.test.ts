/** Totals are exact: what all clients together count over several reloads and crashes is what the figures say, on each protocol, no more and no less. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { ResponseClass, Totals } from '../../src/shared/figures.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest, pipelined } from '../helpers/load/exchanges.js';
import { startHttp2Load } from '../helpers/load/http2-client.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { startObserved } from '../helpers/observed-worker.js';
import { freePort, freePorts } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import { startWatching } from '../helpers/watched.js';
import { startMaster } from '../helpers/zdsup.js';

const RELOADS = 3;

/** It ends as many do: by the signal it was sent, of which no 'exit' event tells. */
const EVERY_PROTOCOL = `
const fs = require('node:fs');
const answer = (request, response) => response.end('pid ' + process.pid);
require('node:http').createServer(answer).listen(process.env.PORT);
require('node:https').createServer({ key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem') }, answer).listen(process.env.TLS_PORT);
require('node:http2').createServer(answer).listen(process.env.HTTP2_PORT);
process.once('SIGTERM', () => process.kill(process.pid, 'SIGTERM'));
`;

const fixture = (name: string): string =>
  readFileSync(new URL(`../fixtures/load-app/${name}`, import.meta.url), 'utf8');

const answersOf = ({ responses }: Totals): number => Object.values(responses).reduce((sum, count) => sum + count, 0);
const measuredOf = ({ latency }: Totals): number =>
  latency.reduce((sum, value, at) => sum + (at % 2 === 1 ? value : 0), 0);

test.concurrent('over reloads, with every kind of connection', { timeout: 90_000 }, async () => {
  const [port, tlsPort, http2Port] = (await freePorts(3)) as [number, number, number];
  const project = makeProject({
    'app.cjs': EVERY_PROTOCOL,
    'key.pem': fixture('key.pem'),
    'cert.pem': fixture('cert.pem'),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'counted', script: 'app.cjs', instances: 2, minReady: 50, ready: { path: '/' } },
      env: { PORT: port, TLS_PORT: tlsPort, HTTP2_PORT: http2Port },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const watched = await startWatching(master, 'counted');
  const loads = [
    startLoad({ port }, 4, keepAlive()),
    startLoad({ port }, 3, perRequest()),
    startLoad({ port }, 2, pipelined(4)),
    startLoad({ port: tlsPort, tls: true }, 2, keepAlive()),
    startHttp2Load({ port: http2Port, tls: false }, 2, 4),
  ];
  for (const load of loads) await load.reached(20);
  for (let reload = 1; reload <= RELOADS; reload += 1) {
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
  }
  const tallies = await Promise.all(loads.map((load) => expectNothingLost(load, 20)));
  const answered = tallies.reduce((sum, tally) => sum + tally.answered, 0);

  const { figures, workers } = await watched.next();
  const { totals, generations } = figures;
  expect({ requests: totals.requests, whole: totals.responses['2xx'], answers: answersOf(totals) }).toEqual({
    requests: answered,
    whole: answered,
    answers: answered,
  });
  expect(measuredOf(totals)).toBe(answered);
  expect(totals.taken).toBe(totals.given);
  expect(totals.given, 'idle connections have moved').toBeGreaterThan(0);
  expect(generations.map(({ generation }) => generation)).toEqual([1, 2, 3, 4]);
  expect(generations.map(({ workerCount }) => workerCount)).toEqual([0, 0, 0, 2]);
  const sum = (counts: number[]): number => counts.reduce((all, count) => all + count, 0);
  expect(sum(generations.map((one) => one.totals.requests))).toBe(answered);
  expect(sum(workers.map((one) => one.figures!.totals.requests))).toBe(generations[3]!.totals.requests);
  for (const { figures: own } of workers) expect(own!.heapUsedBytes).toBeGreaterThan(1e6);
  const delays = watched.samples.map((sample) => sample.figures?.master.queueDelayMs ?? 0);
  expect(Math.max(...delays), "the master's queue has worked").toBeGreaterThan(0);
  // Nothing ever fell on the way.
  const seen = watched.samples.flatMap((one) => (one.figures ? [one.figures.totals.requests] : []));
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

const MISHAPS = `
const paths = {
  '/missing': (response) => { response.statusCode = 404; response.end('no'); },
  '/failed': (response) => { response.statusCode = 503; response.end('busy'); },
  '/moved': (response) => { response.writeHead(302, { location: '/' }).end(); },
  '/broken-off': (response) => { response.writeHead(200, { 'content-length': 10 }); response.write('x', () => response.destroy()); },
  '/never': (response) => response.write('x'),
  '/crash': () => process.exit(1),
};
require('node:http').createServer((request, response) => (paths[request.url] ?? (() => response.end('ok')))(response)).listen(process.env.PORT);
`;

test.concurrent('by class, what was broken off and what a crash took along counted once', {
  timeout: 60_000,
}, async () => {
  const port = await freePort();
  const project = makeProject({ 'app.cjs': MISHAPS });
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.cjs', '--name', 'mishaps'],
    env: { PORT: String(port) },
  });
  const watched = await startWatching(master, 'mishaps');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string): Promise<number | 'broken'> =>
    new Promise((resolve) => {
      get({ port, path, agent }, (response: IncomingMessage) => {
        response.resume().on('error', () => resolve('broken'));
        response.on('end', () => resolve(response.statusCode!));
      }).on('error', () => resolve('broken'));
    });
  const said = [];
  for (const path of ['/', '/missing', '/failed', '/moved', '/', '/broken-off']) said.push(await ask(path));
  const leaver = connect(port, '127.0.0.1');
  leaver.write('GET /never HTTP/1.1\r\nHost: app\r\n\r\n');
  await once(leaver, 'data');
  leaver.destroy();
  // Beside one that is under way, right behind one that was answered a moment ago.
  const hanging = connect(port, '127.0.0.1');
  hanging.on('error', () => {});
  hanging.write('GET /never HTTP/1.1\r\nHost: app\r\n\r\n');
  await once(hanging, 'data');
  said.push(await ask('/'), await ask('/crash'));
  expect(said).toEqual([200, 404, 503, 302, 200, 'broken', 200, 'broken']);
  await master.seen(
    'the worker is replaced',
    ({ kind, pid }) => kind === 'worker-active' && pid !== master.workerPids[0],
  );
  said.push(await ask('/'));

  const { figures } = await watched.next();
  const expected: Record<ResponseClass, number> = { '1xx': 0, '2xx': 4, '3xx': 1, '4xx': 1, '5xx': 1, aborted: 4 };
  expect(figures.totals.responses).toEqual(expected);
  expect(figures.totals.requests).toBe(11);
  expect(measuredOf(figures.totals)).toBe(7);
  expect(figures.crashes).toBe(1);
  expect(figures.rates.errorRate).toBeGreaterThan(0);
  agent.destroy();
});

test.concurrent('what had begun before figures are on is not counted, also where a verdict has measured it', async () => {
  const worker = await startObserved(`
    let answer;
    require('node:http').createServer((request, response) => {
      if (request.url === '/wait') answer = () => response.end('late');
      else response.end('ok', () => answer?.());
    }).listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
  `);
  const { port } = worker;
  worker.observe(() => {}, false);
  const waits = connect(port, '127.0.0.1');
  waits.write('GET /wait HTTP/1.1\r\nHost: app\r\n\r\n');
  const asked = async (): Promise<number> => (await worker.stats()).requests;
  await until('the request has begun', asked, (requests) => requests === 1);
  worker.keepFigures();
  const other = connect(port, '127.0.0.1');
  other.write('GET / HTTP/1.1\r\nHost: app\r\n\r\n');
  await Promise.all([once(waits, 'data'), once(other, 'data')]);
  const { figures } = await worker.stats();
  expect([figures!.requests, figures!.responses]).toEqual([1, [0, 1, 0, 0, 0, 0]]);
  for (const socket of [waits, other]) socket.destroy();
});
