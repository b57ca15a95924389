/** Who is told of a response that has been written out: by `detachSocket`, and on a Node that nobody knows yet by the diagnostics channel. */
import type { Server } from 'node:http';
import { createServer, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type * as responseFinish from '../../src/node-internals/response-finish.cjs';
import { loadWorkerModule } from '../helpers/worker-module.js';

const { onResponseFinished } = loadWorkerModule<typeof responseFinish>('node-internals/response-finish.cts');

const { detachSocket } = ServerResponse.prototype;
let hearNoMore = (): void => {};

afterEach(() => {
  hearNoMore();
  ServerResponse.prototype.detachSocket = detachSocket;
});

async function serve(answer: (response: ServerResponse) => void): Promise<() => Promise<string>> {
  const server: Server = createServer((request, response) => {
    response.statusCode = Number(request.url!.slice(1)) || 200;
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/201`;
  return async () => (await fetch(url, { headers: { connection: 'close' } })).text();
}

describe.each([
  ['on a Node that is known', undefined],
  ['on one that nobody knows yet', 1_000],
])('%s', (_, major) => {
  test('each is told once, with its socket and its status, until nobody wants to hear', async () => {
    const told: number[] = [];
    hearNoMore = onResponseFinished((socket, { statusCode }) => {
      expect(socket.remoteAddress).toBe('127.0.0.1');
      told.push(statusCode);
    }, major);
    const ask = await serve((response) => response.end('ok'));
    for (let request = 0; request < 3; request += 1) expect(await ask()).toBe('ok');
    expect(told).toEqual([201, 201, 201]);
    hearNoMore();
    expect(await ask()).toBe('ok');
    expect(told).toHaveLength(3);
    expect(ServerResponse.prototype.detachSocket).toBe(detachSocket);
  });

  test('an app that takes the socket for itself has not answered', async () => {
    const told: ServerResponse[] = [];
    hearNoMore = onResponseFinished((_socket, response) => told.push(response), major);
    const ask = await serve((response) => {
      const socket = response.socket!;
      response.detachSocket(socket);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw');
    });
    expect(await ask()).toBe('raw');
    expect(told).toEqual([]);
  });
});

test('what the app has put around it meanwhile stays, and hears on', async () => {
  const told: ServerResponse[] = [];
  hearNoMore = onResponseFinished((_socket, response) => told.push(response));
  const own = ServerResponse.prototype.detachSocket;
  let heard = 0;
  const around: typeof own = function (this: ServerResponse, socket) {
    heard += 1;
    own.call(this, socket);
  };
  ServerResponse.prototype.detachSocket = around;
  const ask = await serve((response) => response.end('ok'));
  await ask();
  expect([heard, told.length]).toEqual([1, 1]);
  hearNoMore();
  await ask();
  expect([heard, told.length]).toEqual([2, 1]);
  expect(ServerResponse.prototype.detachSocket).toBe(around);
});

test('whoever begins and ends while others hear leaves nothing behind, in whatever order', async () => {
  const ask = await serve((response) => response.end('ok'));
  const told: number[] = [];
  for (let round = 1; round <= 50; round += 1) {
    const ends = [0, 1, 2].map((index) => onResponseFinished(() => told.push(index)));
    await ask();
    expect(told.splice(0)).toEqual([0, 1, 2]);
    for (const index of [round % 3, (round + 1) % 3, (round + 2) % 3]) ends[index]!();
    expect(ServerResponse.prototype.detachSocket).toBe(detachSocket);
  }
  await ask();
  expect(told).toEqual([]);
});

test('an app that has put something around it is gone around anew each time, and nobody is told twice', async () => {
  const told: number[] = [];
  const end = onResponseFinished(() => told.push(0));
  const own = ServerResponse.prototype.detachSocket;
  const around: typeof own = function (this: ServerResponse, socket) {
    own.call(this, socket);
  };
  ServerResponse.prototype.detachSocket = around;
  end();
  for (let round = 0; round < 10; round += 1) {
    onResponseFinished(() => told.push(1))();
    expect(ServerResponse.prototype.detachSocket).toBe(around);
  }
  hearNoMore = onResponseFinished(() => told.push(2));
  const ask = await serve((response) => response.end('ok'));
  await ask();
  expect(told).toEqual([2]);
});
