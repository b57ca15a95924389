/** Totals are exact: what all clients together count over several reloads and crashes is what the figures say, on each protocol, no more and no less. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { FiguresDelta, ResponseClass, Totals } from '../../src/shared/figures.js';
import { bucketOf } from '../../src/shared/latency-buckets.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest, pipelined } from '../helpers/load/exchanges.js';
import { startHttp2Load } from '../helpers/load/http2-client.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { startObserved } from '../helpers/observed-worker.js';
import { freePort, freePorts } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
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
  const { port, child } = worker;
  const tellIt = (message: object): unknown => child.send({ cmd: 'NODE_ZDSUP', ...message } as never);
  const statsOf = (seq: number): Promise<{ figures: FiguresDelta }> =>
    new Promise((resolve) => {
      child.on(
        'internalMessage' as 'message',
        ((message: { act?: string; seq?: number; figures: FiguresDelta }) => {
          if (message.act === 'stats' && message.seq === seq) resolve(message);
        }) as never,
      );
      tellIt({ act: 'stats', seq });
    });
  worker.observe(() => {}, false);
  const waits = connect(port, '127.0.0.1');
  waits.write('GET /wait HTTP/1.1\r\nHost: app\r\n\r\n');
  const asked = async (): Promise<number> => ((await statsOf(1)) as unknown as { requests: number }).requests;
  await until('the request has begun', asked, (requests) => requests === 1);
  tellIt({ act: 'figures', on: true });
  const other = connect(port, '127.0.0.1');
  other.write('GET / HTTP/1.1\r\nHost: app\r\n\r\n');
  await Promise.all([once(waits, 'data'), once(other, 'data')]);
  const { figures } = await statsOf(2);
  expect([figures.requests, figures.responses]).toEqual([1, [0, 1, 0, 0, 0, 0]]);
  for (const socket of [waits, other]) socket.destroy();
});

test.concurrent('one that is pipelined behind another of before: its own answer is counted, not that of the other', async () => {
  const worker = await startObserved(`
    let answer;
    require('node:http').createServer((request, response) => {
      if (request.url === '/wait') answer = () => response.end('early');
      else if (request.url === '/answer') response.end('ok', () => answer());
      else if (request.url === '/fail') response.writeHead(500).end('late');
    }).listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
  `);
  const { port, figures: deltas } = worker;
  const wait = 'GET /wait HTTP/1.1\r\nHost: app\r\n\r\n';
  const waits = connect(port, '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void waits.destroy());
  let text = '';
  waits.on('data', (chunk) => (text += chunk));
  waits.write(wait);
  const begun = async (count: number): Promise<unknown> =>
    until('as many have begun', worker.stats, ({ requests }) => requests === count);
  await begun(1);
  worker.keepFigures();
  waits.write('GET /fail HTTP/1.1\r\nHost: app\r\n\r\n');
  await begun(2);
  expect((await fetch(`http://127.0.0.1:${port}/answer`)).status).toBe(200);
  await until(
    'both are answered',
    () => text,
    (all) => all.includes('late'),
  );
  await worker.stats();
  const sum = (of: (delta: FiguresDelta) => number): number => deltas.reduce((all, delta) => all + of(delta), 0);
  expect(text).toMatch(/^HTTP\/1.1 200 .*earlyHTTP\/1.1 500 /s);
  expect(sum(({ requests }) => requests)).toBe(2);
  expect([0, 1, 2, 3, 4, 5].map((at) => sum(({ responses }) => responses[at]!))).toEqual([0, 1, 0, 0, 1, 0]);
});

test.concurrent('at more requests a second than are timed: all are counted, and the slow ones are as many as they are', async () => {
  const worker = await startObserved(`
    const answer = (request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('ok'), 300);
      else response.end('ok');
    };
    require('node:http').createServer(answer).listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
  `);
  const { port, figures: deltas } = worker;
  worker.keepFigures();
  const toldBy = (count: number) =>
    until(
      'it has told',
      () => deltas.length,
      (told) => told >= count,
    );
  const many = flood(port);
  const slow = startLoad({ port }, 60, keepAlive('/slow'));
  await toldBy(5); // From the second on it knows how many come.
  const slowOnes = (await expectNothingLost(slow, 20)).answered;
  const answered = slowOnes + (await many.stop());
  await toldBy(deltas.length + 2);

  const sum = (of: (delta: FiguresDelta) => number): number => deltas.reduce((all, delta) => all + of(delta), 0);
  const longer = (ms: number) => (delta: FiguresDelta) =>
    delta.latency.reduce(
      (all, count, at, { [at - 1]: bucket }) => all + (at % 2 === 1 && bucket! >= bucketOf(ms) ? count : 0),
      0,
    );
  expect(Math.max(...deltas.map(({ requests }) => requests)), 'requests a second').toBeGreaterThan(6_000);
  expect(sum(({ responses }) => responses[1]!)).toBe(answered);
  expect(sum(longer(0))).toBe(answered);
  const slowShare = sum(longer(250)) / slowOnes;
  expect(slowShare).toBeGreaterThan(0.6);
  expect(slowShare).toBeLessThan(1.6);
});

/** As many requests as one process answers, a hundred at a time on one connection. */
function flood(port: number): { stop(): Promise<number> } {
  const BATCH = 100;
  let answered = 0;
  let ending = false;
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const ask = (): unknown => socket.write('GET / HTTP/1.1\r\nHost: app\r\n\r\n'.repeat(BATCH));
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    const whole = text.split('\r\n\r\nok');
    text = whole.pop()!;
    answered += whole.length;
    if (answered % BATCH > 0 || whole.length === 0) return;
    if (ending) socket.end();
    else ask();
  });
  ask();
  return {
    async stop() {
      ending = true;
      await once(socket, 'close');
      return answered;
    },
  };
}
