/** The client that proves handoffs: it finds each fault it is to find, and none where there is none. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { onTestFinished } from '../side-by-side.js';
import type { TortureOptions } from './torture.js';
import { startTorture } from './torture.js';
import type { TortureTally } from './torture-tally.js';
import { badCount, closedCount, tallyLine } from './torture-tally.js';

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  answer: string;
  /** From 1, on all connections. */
  count: number;
}

/** In this process; `reply` may lie. */
async function serve(reply: (asked: Asked) => void): Promise<number> {
  let count = 0;
  const server = createServer((request, response) => {
    const hash = createHash('sha1');
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    request.on('end', () => {
      const url = new URL(request.url!, 'http://app');
      const [, connection, seq] = url.pathname.split('/');
      const part = `${connection}:${seq};`;
      const size = Number(url.searchParams.get('answer'));
      const filler = part.repeat(Math.ceil(size / part.length)).slice(0, size);
      reply({
        request,
        response,
        count: ++count,
        answer: `${connection} ${seq} ${bytes} ${hash.digest('hex')}\n${filler}`,
      });
    });
  });
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function torture(
  reply: (asked: Asked) => void,
  answers: number,
  options: Partial<TortureOptions> = {},
): Promise<TortureTally> {
  const port = await serve(reply);
  const load = startTorture({ port }, { connections: 10, seed: 1, gapMs: 5, ...options });
  await load.reached(answers);
  return load.stop();
}

const right = ({ response, answer }: Asked): void => void response.end(answer);

/** The fault befalls each hundredth request. */
const sometimes =
  (fault: (asked: Asked) => void) =>
  (asked: Asked): void => {
    if (asked.count % 100 === 0) fault(asked);
    else right(asked);
  };

test('a server without a fault has nothing counted against it', async () => {
  const tally = await torture(right, 5_000, { connections: 50, gapMs: 50 });
  expect(badCount(tally), tallyLine(tally)).toBe(0);
  expect(closedCount(tally), tallyLine(tally)).toBe(0);
  expect(tally.opened).toBe(50);
});

test('an answer to another request of a pipelined batch is out of order', async () => {
  let held: Asked | null = null;
  const tally = await torture((asked) => {
    if (held !== null && held.request.socket === asked.request.socket) {
      held.response.end(asked.answer);
      asked.response.end(held.answer);
      held = null;
    } else if (held === null && asked.count % 100 === 0 && asked.request.socket.bytesRead > 0) {
      // Where no second one comes behind it, it is given its own answer.
      held = asked;
      setImmediate(() => {
        if (held === asked) right(asked);
        if (held === asked) held = null;
      });
    } else right(asked);
  }, 5_000);
  expect(tally.outOfOrder, tallyLine(tally)).toBeGreaterThan(0);
});

test('an answer that is given twice is duplicated', async () => {
  const tally = await torture(
    sometimes(({ response, answer, request }) => {
      response.end(answer, () =>
        request.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`),
      );
    }),
    3_000,
  );
  expect(tally.duplicated, tallyLine(tally)).toBeGreaterThan(0);
});

test('an answer that never comes hangs', async () => {
  const tally = await torture(
    sometimes(() => {}),
    1_000,
    { hungMs: 500 },
  );
  expect(tally.hung, tallyLine(tally)).toBeGreaterThan(0);
});

test('a connection that ends under a request is lost and closed', async () => {
  const tally = await torture(
    sometimes(({ request }) => request.socket.destroy()),
    1_000,
  );
  expect(tally.lost, tallyLine(tally)).toBeGreaterThan(0);
  expect(closedCount(tally), tallyLine(tally)).toBeGreaterThan(0);
});

test('an answer that ends in its middle is truncated', async () => {
  const tally = await torture(
    sometimes(({ request }) =>
      request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => request.socket.destroy()),
    ),
    1_000,
  );
  expect(tally.truncated, tallyLine(tally)).toBeGreaterThan(0);
});

test('a body that arrived otherwise than it was sent, and the answer to another connection, are wrong', async () => {
  const tally = await torture(
    sometimes(({ response, answer }) => response.end(answer.replace(/[0-9a-f]\n/, 'x\n'))),
    1_000,
  );
  expect(tally.wrong, tallyLine(tally)).toBeGreaterThan(0);
  const others = await torture(
    sometimes(({ response, answer }) => response.end(`9${answer}`)),
    1_000,
  );
  expect(others.wrong, tallyLine(others)).toBeGreaterThan(0);
});

test('a connection that is closed between requests is counted by how it was closed, and loses nothing', async () => {
  const announced = await torture(
    sometimes(({ response, answer }) => response.setHeader('Connection', 'close').end(answer)),
    1_000,
    { mix: { bodies: [0], answers: [0], shapes: ['whole'], lingerMs: 0 } },
  );
  expect(announced.closed.announced, tallyLine(announced)).toBeGreaterThan(0);
  expect(badCount(announced), tallyLine(announced)).toBe(0);
});

test('a server that is not there refuses', async () => {
  const load = startTorture({ port: 1 }, { connections: 1, seed: 1 });
  const tally = await load.stop();
  expect(tally.refused, tallyLine(tally)).toBe(1);
});
