/** What a worker is asked for its warm-up, and what is told of it. The worker is a server in this process. */
import type { RequestListener } from 'node:http';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { warmUp } from '../../src/master/warm-up.js';
import type { WarmUpAnswer } from '../../src/shared/check-report.js';
import type { WarmUpConfig } from '../../src/shared/config.js';
import { onTestFinished } from '../helpers/side-by-side.js';

interface Asked {
  end: Awaited<ReturnType<typeof warmUp>>;
  answers: WarmUpAnswer[];
  /** What the worker was handed. */
  sockets: Socket[];
}

async function ask(
  config: Partial<WarmUpConfig> & { paths: string[] },
  accept: (socket: Socket) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<Asked> {
  const answers: WarmUpAnswer[] = [];
  const sockets: Socket[] = [];
  const deliver = (socket: Socket): void => {
    sockets.push(socket);
    onTestFinished(() => void socket.destroy());
    accept(socket);
    socket.resume();
  };
  const end = await warmUp(
    { timeoutMs: 60_000, required: false, ...config },
    (path) => ({ protocol: 'http', host: 'shop.example', path, deliver }),
    (answer) => answers.push(answer),
    signal,
  );
  return { end, answers, sockets };
}

const app = (listener: RequestListener): ((socket: Socket) => void) => {
  const server = createServer(listener);
  return (socket) => server.emit('connection', socket);
};

/** Answers the status that the path names; `/never` never. */
const byPath = app(({ url }, response) => {
  if (url === '/never') return;
  response.statusCode = Number(url!.slice(1));
  response.end();
});

const withoutTimes = (results = ''): string => results.replaceAll(/\d+ ms/g, 'n ms');

test('each path is asked once, in order, one after the other, as a client of that host would', async () => {
  const seen: string[] = [];
  let underWay = 0;
  const { end, answers } = await ask(
    { paths: ['/b', '/a', '/b'] },
    app((request, response) => {
      expect(underWay++).toBe(0);
      seen.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers['user-agent']}`);
      response.once('close', () => underWay--);
      response.end();
    }),
  );
  const of = (path: string): string => `GET ${path} shop.example zdsup-warmup`;
  expect(seen).toEqual([of('/b'), of('/a'), of('/b')]);
  expect(answers.map(({ path, status, failure }) => [path, status, failure])).toEqual(
    ['/b', '/a', '/b'].map((path) => [path, 200, null]),
  );
  expect(end!.failure).toBeNull();
  expect(withoutTimes(end!.results)).toBe('/b 200 in n ms, /a 200 in n ms, /b 200 in n ms');
});

test('the answer is read to its end: what is rendered late is warmed up as well', async () => {
  let isRendered = false;
  const { answers } = await ask(
    { paths: ['/'] },
    app((_, response) => {
      response.write('head');
      setTimeout(() => {
        isRendered = true;
        response.end('tail');
      }, 50);
    }),
  );
  expect(isRendered).toBe(true);
  expect(answers[0]).toMatchObject({ status: 200, failure: null });
});

test.each([
  [200, null],
  [204, null],
  [302, null],
  [404, '/404 answered 404'],
  [503, '/503 answered 503'],
])('a status of %i is a failure or not: %j', async (status, failure) => {
  expect((await ask({ paths: [`/${status}`] }, byPath)).end!.failure).toBe(failure);
});

test('a failure keeps no path after it from being asked; the first one is the reason', async () => {
  const { end, answers } = await ask({ paths: ['/500', '/404', '/200'] }, byPath);
  expect(end!.failure).toBe('/500 answered 500');
  expect(answers.map(({ status }) => status)).toEqual([500, 404, 200]);
});

test('where it must not fail, nothing is asked after the first failure', async () => {
  const { end, answers } = await ask({ paths: ['/200', '/500', '/200'], required: true }, byPath);
  expect(end!.failure).toBe('/500 answered 500');
  expect(answers.map(({ status }) => status)).toEqual([200, 500]);
});

test('a path that never answers costs the time-out of one path', async () => {
  const { end, answers, sockets } = await ask({ paths: ['/never', '/200'], timeoutMs: 100 }, byPath);
  expect(answers.map(({ status, failure }) => [status, failure])).toEqual([
    [null, '/never did not answer within 100 ms'],
    [200, null],
  ]);
  expect(answers[0]!.ms).toBeGreaterThanOrEqual(99);
  expect(withoutTimes(end!.results)).toBe('/never without an answer, /200 200 in n ms');
  expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
});

test('an answer without an end costs no more than that', async () => {
  const { answers } = await ask(
    { paths: ['/events'], timeoutMs: 100 },
    app((_, response) => void response.write('data: 1\n\n')),
  );
  expect(answers[0]).toMatchObject({ status: null, failure: '/events did not answer within 100 ms' });
});

test('an answer that breaks off is a failure', async () => {
  const { answers } = await ask(
    { paths: ['/'] },
    app((request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half', () => request.socket.destroy());
    }),
  );
  expect(answers[0]!.failure).toMatch(/^\/: (aborted|the answer broke off)$/);
});

test('an app that does not speak HTTP is a failure, told in words', async () => {
  const { answers } = await ask({ paths: ['/'] }, (socket) => socket.end('+OK redis\r\n'));
  expect(answers[0]!.failure).toMatch(/^\/: Parse Error/);
  expect(answers[0]!.status).toBeNull();
});

test('a worker that takes no connection, for its event loop is blocked, costs the time-out; what it was sent is closed', async () => {
  const { answers, sockets } = await ask({ paths: ['/'], timeoutMs: 100 }, () => {});
  expect(answers[0]!.failure).toBe('/ did not answer within 100 ms');
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
});

test('one that listens on nothing is told once, not for each path', async () => {
  const answers: WarmUpAnswer[] = [];
  const config = { paths: ['/a', '/b'], timeoutMs: 100, required: false };
  const none = (): string => 'the app has no listener';
  const end = await warmUp(config, none, (answer) => answers.push(answer), new AbortController().signal);
  expect(answers.map(({ failure }) => failure)).toEqual(['/a: the app has no listener']);
  expect(end!.failure).toBe('/a: the app has no listener');
});

test('given up in the middle it ends at once, says nothing, and closes what it had opened', async () => {
  const stop = new AbortController();
  const giveUp = app(() => stop.abort());
  const { end, answers, sockets } = await ask({ paths: ['/a', '/b'] }, giveUp, stop.signal);
  expect([end, answers]).toEqual([null, []]);
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true]);
});

test('of many paths only the first are named in the one line about a worker', async () => {
  const { end } = await ask({ paths: Array.from({ length: 8 }, () => '/200') }, byPath);
  expect(withoutTimes(end!.results)).toBe(
    `${Array.from({ length: 5 }, () => '/200 200 in n ms').join(', ')}, and 3 more`,
  );
});
