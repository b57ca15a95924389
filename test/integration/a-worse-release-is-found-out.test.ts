/**
 * The verdict on real processes: workers that count what comes of their requests, and the judge that adds it up. There is no master here: the test
 * is what splits the traffic.
 */
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { VerdictSettings } from '../../src/domain/verdict/types.js';
import type { VerdictNews } from '../../src/master/judge.js';
import { Judge } from '../../src/master/judge.js';
import { DEFAULT_ANALYSIS } from '../../src/shared/default-analysis.js';
import { bucketOf } from '../../src/shared/latency-buckets.js';
import type { Observed } from '../helpers/observed-worker.js';
import { startObserved } from '../helpers/observed-worker.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';

/** Fails each request whose number says so, takes the time it is told, and does what the path asks for. */
const APP = `
const http = require('node:http');
const { ServerResponse } = http;
const nobodyHears = ServerResponse.prototype.detachSocket;
const { FAILS_EVERY = 0, DELAY = 0 } = process.env;
let count = 0;
const server = http.createServer((request, response) => {
  count += 1;
  response.statusCode = FAILS_EVERY > 0 && count % FAILS_EVERY === 0 ? 500 : 200;
  const paths = {
    '/watched': () => response.end(String(ServerResponse.prototype.detachSocket !== nobodyHears)),
    '/broken-off': () => { response.writeHead(200, { 'content-length': 10 }); response.write('x'); setTimeout(() => response.destroy(), 20); },
    '/never': () => { response.write('x'); },
    '/block': () => { for (const end = Date.now() + 300; Date.now() < end; ); response.end('ok'); },
    '/503': () => { response.statusCode = 503; response.end('busy'); },
    '/crash': () => process.exit(1),
  };
  const answer = paths[request.url] ?? (() => response.end('ok'));
  if (DELAY > 0) setTimeout(answer, Number(DELAY) * (0.5 + Math.random()));
  else answer();
}).listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
`;

function ask(worker: Observed, path: string, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ port: worker.port, path, agent: agent ?? false }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}

const sum = (worker: Observed): { requests: number; failed: number; timed: number } => ({
  requests: worker.told.reduce((all, { requests }) => all + requests, 0),
  failed: worker.told.reduce((all, { failed }) => all + failed, 0),
  timed: worker.told.flatMap(({ latency }) => latency.filter((_, index) => index % 2 === 1)).reduce((a, b) => a + b, 0),
});

/** Until it has told so many requests; one more delta then, for what it should not tell. */
async function toldOf(worker: Observed, requests: number): Promise<ReturnType<typeof sum>> {
  await until(
    `${requests} requests are told`,
    () => sum(worker).requests,
    (seen) => seen >= requests,
  );
  const { length } = worker.told;
  await until(
    'one more delta',
    () => worker.told.length,
    (seen) => seen > length,
  );
  return sum(worker);
}

async function observed(worker: Observed): Promise<void> {
  worker.observe(() => {}, true);
  await until(
    'it observes',
    () => ask(worker, '/watched'),
    (body) => body === 'true',
  );
  worker.told.length = 0;
  await until(
    'what was asked so far is told',
    () => worker.told.length,
    (count) => count >= 2,
  );
  worker.told.length = 0;
}

test('nobody looks at requests while a worker is not observed', async () => {
  const worker = await startObserved(APP);
  expect(await ask(worker, '/watched')).toBe('false');
  worker.observe(() => {}, true);
  await until(
    'it observes',
    () => ask(worker, '/watched'),
    (body) => body === 'true',
  );
  worker.observe(null, false);
  await until(
    'it does no more',
    () => ask(worker, '/watched'),
    (body) => body === 'false',
  );
});

test('5xx and what the app breaks off have failed; a client that leaves is nobody else’s failure', async () => {
  const worker = await startObserved(APP);
  for (let request = 0; request < 60; request++) await ask(worker, '/');
  await observed(worker);
  for (let request = 0; request < 5; request++) await ask(worker, '/');
  await ask(worker, '/503');
  await expect(ask(worker, '/broken-off')).rejects.toThrow();
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const client = connect(worker.port, '127.0.0.1');
    client.write('GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(client, 'data');
    client[leave]();
    client.resume();
    await once(client, 'close');
  }
  expect(await toldOf(worker, 7)).toEqual({ requests: 7, failed: 2, timed: 6 });
});

test('the first requests of a process count, but not for how long they took', async () => {
  const worker = await startObserved(APP);
  await observed(worker);
  for (let request = 0; request < 60; request++) await ask(worker, '/');
  const { requests, timed } = await toldOf(worker, 60);
  expect(requests).toBe(60);
  expect(timed).toBeGreaterThanOrEqual(10);
  expect(timed).toBeLessThan(20); // Those that asked whether it observes were the first.
});

const HTTP2_APP = `
const { createServer, constants } = require('node:http2');
const server = createServer();
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  const path = headers[':path'];
  if (path === '/reset') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else if (path === '/never') { stream.respond({ ':status': 200 }); stream.write('x'); }
  else { stream.respond({ ':status': Number(path.slice(1)) }); stream.end('ok'); }
});
server.listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
`;

test('streams of HTTP/2 are requests: 5xx and what the app resets have failed, what the client cancels has not', async () => {
  const worker = await startObserved(HTTP2_APP, { held: true });
  worker.observe(() => {}, true);
  await until('it observes', () => worker.told.length);
  const session = http2.connect(`http://127.0.0.1:${worker.port}`);
  onTestFinished(() => session.destroy());
  const stream = async (path: string): Promise<void> => {
    const asked = session.request({ ':path': path });
    asked.on('error', () => {});
    if (path === '/never') asked.once('data', () => asked.close(http2.constants.NGHTTP2_CANCEL));
    asked.resume();
    await new Promise((closed) => asked.on('close', closed));
  };
  for (const path of ['/200', '/404', '/500', '/reset', '/never', '/200']) await stream(path);
  const { requests, failed } = await toldOf(worker, 5);
  expect([requests, failed]).toEqual([6, 2]);
});

test('how long requests took, and for how long the event loop was held up, is told', async () => {
  const worker = await startObserved(APP);
  for (let request = 0; request < 60; request++) await ask(worker, '/');
  await observed(worker);
  await ask(worker, '/block');
  await toldOf(worker, 1);
  expect(worker.told.flatMap(({ latency }) => latency)[0]).toBeGreaterThanOrEqual(bucketOf(290));
  // Where it tells in the very turn in which the block ends, Node has not noted yet how long it was.
  await until(
    'it tells of the block',
    () => Math.max(...worker.told.map(({ heldUpMs }) => heldUpMs)),
    (most) => most >= 200,
  );
});

interface Trial {
  judge: Judge;
  canary: Observed;
  news: VerdictNews[];
  /** Sends requests, 5 % of them to the canary, until the verdict is as wanted. @returns requests of the canary */
  run(isRight: (news: VerdictNews) => boolean, most: number): Promise<number>;
}

async function trial(
  [canaryEnv, stableEnv]: [Record<string, number>, Record<string, number>],
  settings: Partial<VerdictSettings> = {},
): Promise<Trial> {
  const [stable, canary] = await Promise.all([
    startObserved(APP, { generation: 1, env: stableEnv }),
    startObserved(APP, { generation: 2, env: canaryEnv }),
  ]);
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const news: VerdictNews[] = [];
  const judge = new Judge(
    () => ({ ...DEFAULT_ANALYSIS, ...settings }),
    (one) => news.push(one),
  );
  onTestFinished(() => judge.set(null));
  judge.workerJoined(stable);
  judge.set({ rolloutId: 7, stable: 1, canary: 2, isJudged: true, phase: 'canary' });
  judge.workerJoined(canary);
  for (const worker of [stable, canary])
    await until(
      'it observes',
      () => ask(worker, '/watched'),
      (body) => body === 'true',
    );
  const run: Trial['run'] = async (isRight, most) => {
    let [all, ofCanary] = [0, 0];
    let found = false;
    const client = async (): Promise<void> => {
      while (!found && ofCanary < most) {
        all += 1;
        const isCanary = all % 20 === 0;
        if (isCanary) ofCanary += 1;
        await ask(isCanary ? canary : stable, '/', agent);
        found ||= news.some(isRight);
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));
    return ofCanary;
  };
  return { judge, canary, news, run };
}

const isBad = ({ verdict }: VerdictNews): boolean => verdict === 'bad';

test('2 % failures beside none are found at weight 5, and told in words and figures', async () => {
  const { news, run } = await trial([{ FAILS_EVERY: 50, DELAY: 10 }, { DELAY: 10 }]);
  const requests = await run(isBad, 600);
  expect(news.at(-1), JSON.stringify(news)).toMatchObject({ rolloutId: 7, verdict: 'bad' });
  expect(news.at(-1)!.reason).toMatch(
    /^\d\.\d % of \d+ requests failed, of the stable generation's 0 of [\d,]+; such a difference/,
  );
  expect(requests).toBeLessThanOrEqual(600);
});

test('twice the latency is found', async () => {
  const { news, run } = await trial([{ DELAY: 40 }, { DELAY: 20 }]);
  await run(isBad, 1_500);
  expect(news.at(-1), JSON.stringify(news)).toMatchObject({ verdict: 'bad' });
  expect(news.at(-1)!.reason).toMatch(/requests took more than/);
});

test('a release that is as the old one becomes good, and is told of once a second at most', async () => {
  const { judge, news, run } = await trial([
    { FAILS_EVERY: 100, DELAY: 10 },
    { FAILS_EVERY: 100, DELAY: 10 },
  ]);
  const startedAt = performance.now();
  await run(() => false, 300);
  const seconds = (performance.now() - startedAt) / 1_000;
  await until(
    'it is good',
    () => news.at(-1)?.verdict,
    (verdict) => verdict === 'good',
  );
  expect(news.filter(isBad)).toEqual([]);
  expect(news[0]!.verdict).toBe('inconclusive');
  expect(news.length).toBeLessThanOrEqual(seconds + 5);
  expect(judge.p99s(7).duringMs).toBeGreaterThan(5);
});

test('without traffic there is no decision, and crashes have their limit', async () => {
  const { judge, canary, news } = await trial([{}, {}], { maxRestarts: 0 });
  await until('something is told', () => news.length);
  expect(news.every(({ verdict }) => verdict === 'inconclusive')).toBe(true);
  const gone = once(canary.child, 'exit');
  await expect(ask(canary, '/crash')).rejects.toThrow();
  await gone;
  judge.crashed(canary.id);
  judge.workerGone(canary.id);
  await until(
    'it is bad',
    () => news.at(-1)?.verdict,
    (verdict) => verdict === 'bad',
  );
  expect(news.at(-1)!.reason).toBe('1 worker has crashed, more than maxRestarts (0)');
});
