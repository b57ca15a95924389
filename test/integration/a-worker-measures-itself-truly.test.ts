/** What one worker tells of itself, by the real preload: how long its answers took, what was broken off, and how its event loop is. */
import { once } from 'node:events';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { FiguresDelta } from '../../src/shared/figures.js';
import { endOfBucket } from '../../src/shared/latency-buckets.js';
import type { Observed } from '../helpers/observed-worker.js';
import { startObserved } from '../helpers/observed-worker.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';

/** Asks again and again, until what it has told is enough. */
const figuresUntil = (
  worker: Observed,
  what: string,
  isEnough: (deltas: FiguresDelta[]) => boolean,
): Promise<FiguresDelta[]> => until(what, () => worker.stats().then(() => worker.figures), isEnough);

const sum = (deltas: FiguresDelta[], of: (delta: FiguresDelta) => number): number =>
  deltas.reduce((all, delta) => all + of(delta), 0);

const answersIn = (deltas: FiguresDelta[]): number =>
  sum(deltas, ({ responses }) => responses.reduce((all, count) => all + count, 0));

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: app\r\n\r\n`;

test.concurrent('of pipelined requests each takes from its own head to the end of its own answer', async () => {
  const worker = await startObserved(`
    const waiting = [];
    require('node:http').createServer((request, response) => {
      waiting.push(response);
      if (request.url !== '/last') return process.send('begun');
      waiting.shift().end('1');
      waiting.shift().end('2');
      setTimeout(() => response.end('3'), 400);
    }).listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
  `);
  worker.keepFigures();
  const socket = connect(worker.port, '127.0.0.1').resume();
  onTestFinished(() => void socket.destroy());
  socket.write(get('/first') + get('/second'));
  await once(worker.child, 'message');
  await new Promise((later) => setTimeout(later, 400));
  socket.write(get('/last'));
  const deltas = await figuresUntil(worker, 'three answers', (all) => answersIn(all) === 3);
  const tookMs = deltas.flatMap(({ latency }) =>
    latency.flatMap((bucket, at) =>
      at % 2 === 0 ? Array.from({ length: latency[at + 1]! }, () => endOfBucket(bucket)) : [],
    ),
  );
  expect(tookMs).toHaveLength(3);
  // About 400 ms each: none of them from the head of another one.
  for (const ms of tookMs) expect(ms).toBeGreaterThan(300);
  expect(Math.max(...tookMs)).toBeLessThan(2 * Math.min(...tookMs));
});

test.concurrent('an HTTP/2 stream that the client resets after its head was answered is aborted', async () => {
  const worker = await startObserved(
    `
    const server = require('node:http2').createServer((request, response) => {
      response.write('x');
      if (request.url === '/whole') response.end();
    });
    server.listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
    `,
    { held: true },
  );
  worker.keepFigures();
  const session = http2.connect(`http://127.0.0.1:${worker.port}`);
  onTestFinished(() => session.destroy());
  for (const path of ['/whole', '/never']) {
    const stream = session.request({ ':path': path });
    await once(stream, 'response');
    if (path === '/never') stream.close(http2.constants.NGHTTP2_CANCEL);
    await once(stream.resume(), 'close');
  }
  const deltas = await figuresUntil(worker, 'two ends', (all) => answersIn(all) === 2);
  const [, whole, , , , aborted] = Array.from({ length: 6 }, (_, index) =>
    sum(deltas, ({ responses }) => responses[index]!),
  );
  expect({ begun: sum(deltas, ({ requests }) => requests), whole, aborted }).toEqual({
    begun: 2,
    whole: 1,
    aborted: 1,
  });
  expect(
    sum(deltas, ({ latency }) => latency.length / 2),
    'the time of what was broken off is none',
  ).toBe(1);
});

test.concurrent('what has been added is told once a second, also where nobody asks', async () => {
  const worker = await startObserved(`
    require('node:http').createServer((request, response) => response.end('ok'))
      .listen(process.env.PORT, '127.0.0.1', () => process.send('up'));
  `);
  worker.keepFigures();
  await until('it tells that nothing has', () => worker.figures.length === 1);
  const socket = connect(worker.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.write(get('/'));
  await once(socket, 'data');
  await until('it tells of the request', () => worker.figures.length === 2, Boolean, 3_000);
  const [nothing, one] = worker.figures.map(({ requests, responses }) => [requests, responses]);
  expect(nothing).toEqual([0, [0, 0, 0, 0, 0, 0]]);
  expect(one).toEqual([1, [0, 1, 0, 0, 0, 0]]);
});

test.concurrent('an event loop that was blocked is busy and late, and when it is idle again it is neither', async () => {
  const worker = await startObserved(`
    const block = (times) => {
      const end = Date.now() + 400;
      while (Date.now() < end);
      if (times === 1) process.send('over');
      else setTimeout(block, 60, times - 1);
    };
    process.on('message', () => block(4));
    process.send('up');
  `);
  worker.keepFigures();
  const loopsIn = (deltas: FiguresDelta[]) => deltas.flatMap(({ process }) => (process ? [process.loop] : []));
  const loops = async (count: number) =>
    loopsIn(await figuresUntil(worker, 'a look at the process', (deltas) => loopsIn(deltas).length >= count));
  await loops(1);
  worker.child.send('block');
  await once(worker.child, 'message');
  const count = loopsIn(worker.figures).length;
  const blocked = await loops(count + 1);
  expect(Math.max(...blocked.map(({ utilization }) => utilization))).toBeGreaterThan(0.5);
  // Node sees no delay that begins right after a look; of four such, some others are left.
  expect(Math.max(...blocked.map(({ delayP99Ms }) => delayP99Ms))).toBeGreaterThan(300);
  const idle = (await loops(loopsIn(worker.figures).length + 1)).at(-1)!;
  expect(idle.utilization).toBeLessThan(0.4);
  expect(idle.delayP50Ms, 'what Node waits between two looks is no delay').toBeLessThan(15);
  expect(idle.delayP99Ms).toBeLessThan(300);
});

test.concurrent('a block that begins right after it has told is seen as well', async () => {
  const worker = await startObserved(`
    const block = () => {
      const end = Date.now() + 700;
      while (Date.now() < end);
    };
    // Workers tell at full seconds.
    setTimeout(block, 1_000 - (Date.now() % 1_000) + 1_004);
    process.send('up');
  `);
  worker.keepFigures();
  const late = (): number => Math.max(0, ...worker.figures.map(({ process }) => process?.loop.delayP99Ms ?? 0));
  await until('it has told of the block', late, (ms) => ms > 600);
  expect(late()).toBeLessThan(3_000);
});
