/** Unmodified from npm, each app as its framework's documentation writes it: ten reloads under load lose no request. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Exchange } from '../helpers/load/client.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { lostCount } from '../helpers/load/tally.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { APPS, BUILT } from './places.js';
import { RELOADS, reloadTenTimes, startApp, tell } from './reloads.js';

const CLIENTS = 10;

/** Each answer says which worker it is from, as `pid 123`. */
const saysWho = (exchange: Exchange): Exchange => ({
  ...exchange,
  judge: ({ body }) => (/pid \d+/.test(body) ? null : `answered ${JSON.stringify(body.slice(0, 200))}`),
});

const post = (path: string, json: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nHost: app\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n${more}\r\n${json}`;

const QUERY = JSON.stringify({ query: '{ hello }' });
const queries: [Exchange, Exchange] = [
  { write: (socket) => void socket.write(post('/graphql', QUERY)) },
  { write: (socket) => void socket.write(post('/graphql', QUERY, 'Connection: close\r\n')), closing: true },
];

const BOTH: [Exchange, Exchange] = [keepAlive(), perRequest()];
/** A page rendered on the server, and a route handler. */
const PAGES: [Exchange, Exchange] = [keepAlive('/'), perRequest('/pid')];

test.each<[name: string, script: string, exchanges: [Exchange, Exchange]]>([
  ['express', join(APPS, 'express.cjs'), BOTH],
  ['fastify', join(APPS, 'fastify.mjs'), BOTH],
  ['koa', join(APPS, 'koa.cjs'), BOTH],
  ['hono', join(APPS, 'hono.mjs'), BOTH],
  ['NestJS', join(BUILT, 'nest/dist/main.js'), BOTH],
  ['Next.js standalone', join(BUILT, 'next/.next/standalone/.built/next/server.js'), PAGES],
  ['graphql-yoga', join(APPS, 'graphql-yoga.cjs'), queries],
  ['http-proxy', join(APPS, 'http-proxy.cjs'), BOTH],
])('%s: ten reloads under load lose no request', async (name, script, exchanges) => {
  const { master, port } = await startApp(script, name === 'http-proxy' ? { BACKEND: await startBackend() } : {});
  const loads = exchanges.map((exchange) => startLoad({ port }, CLIENTS, saysWho(exchange)));
  for (const load of loads) await load.reached(CLIENTS);

  await reloadTenTimes(master);

  for (const load of loads) await load.reached(load.tally.answered + CLIENTS);
  const tallies = await Promise.all(loads.map((load) => load.stop()));
  const told = tallies.map((tally) => `${tally.answered} answered, ${lostCount(tally)} lost`);
  tell(name, `keep-alive ${told[0]}; a connection for each request ${told[1]}`);
  for (const tally of tallies) {
    expect(lostCount(tally), `${JSON.stringify(tally.lost)}\n${master.transcript()}`).toBe(0);
    if (name !== 'Next.js standalone')
      expect(tally.answeredBy.size, 'workers of many generations have answered').toBeGreaterThan(RELOADS);
  }
  expect((await master.status()).generation).toBe(RELOADS + 1);
  expect((await master.run('stop')).code).toBe(0);
});

/** What the proxy stands in front of: outside of zdsup, it goes on through all reloads. */
async function startBackend(): Promise<string> {
  const backend = createServer((request, response) => response.end(request.headers['x-proxied-by']));
  await new Promise<void>((listening) => backend.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    backend.close();
    backend.closeAllConnections();
  });
  return `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
}
