/**
 * A weight is a share: of the requests where each has a connection of its own, and of the connections that are open. REQUESTS of them at each
 * weight (2,000).
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { startLoad } from '../helpers/load/client.js';
import { gather } from '../helpers/load/crowd.js';
import { perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { activeOf, snapshotOf } from '../helpers/status.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const WEIGHTS = [1, 5, 20, 50, 80];
const REQUESTS = Number(process.env.REQUESTS ?? 2_000);
const CLIENTS = 50;
const KEPT = 20;

async function start(
  instances: number,
  app = (port: number): string => answering('process.env.ZDSUP_GENERATION', port),
): Promise<{ master: Master; port: number; snapshot(): Promise<AppSnapshot> }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': app(port),
    'zdsup.config.json': JSON.stringify({ name: 'shares', script: 'app.js', instances, minReady: 50 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  return { master, port, snapshot: () => snapshotOf(master, 'shares') };
}

/** Of the new generation, in percent. */
async function setWeight(master: Master, weight: number): Promise<void> {
  const [first, ...more] = WEIGHTS;
  const { code, stderr } = await (weight === first && more.length > 0
    ? master.run('reload', '--weight', String(weight))
    : master.run('canary', String(weight)));
  expect(code, stderr).toBe(0);
}

test('requests with a connection each are split by weight', { timeout: 120_000 + 50 * REQUESTS }, async () => {
  const { master, port } = await start(2);
  for (const weight of WEIGHTS) {
    await setWeight(master, weight);
    const load = startLoad({ port }, 10, perRequest());
    await expectNothingLost(load, REQUESTS);
    const { answered, answeredBy } = load.tally;
    const share = (100 * (answeredBy.get('2') ?? 0)) / answered;
    console.log(`weight ${weight}: ${share.toFixed(2)} % of ${answered} requests`);
    if (weight < 5) {
      expect(share).toBeGreaterThanOrEqual(weight / 2);
      expect(share).toBeLessThanOrEqual(weight * 2);
    } else expect(Math.abs(share - weight), `${share} % at weight ${weight}`).toBeLessThanOrEqual(2);
  }
  expect((await master.run('abort')).code).toBe(0);
  const after = startLoad({ port }, 10, perRequest());
  await expectNothingLost(after, 200);
  expect([...after.tally.answeredBy.keys()], 'back to direct, on the old code alone').toEqual(['1']);
});

test('open connections follow the weight, and none is closed for it', async () => {
  const { master, port, snapshot } = await start(2);
  const crowd = gather({ port }, CLIENTS, { thinkMs: 50 });
  await crowd.reached(200);
  for (const weight of WEIGHTS) {
    await setWeight(master, weight);
    const changedAt = performance.now();
    const openOf = (app: AppSnapshot, generation: number): number =>
      activeOf(app)
        .filter((worker) => worker.generation === generation)
        .reduce((sum, { connections }) => sum + (connections ?? 0), 0);
    const app = await until(
      `${weight} % of the open connections`,
      snapshot,
      (seen) =>
        openOf(seen, 1) + openOf(seen, 2) === CLIENTS && Math.abs(openOf(seen, 2) - (CLIENTS * weight) / 100) <= 1,
      10_000,
    );
    const tookMs = Math.round(performance.now() - changedAt);
    console.log(`weight ${weight}: ${openOf(app, 2)} of ${CLIENTS} connections after ${tookMs} ms`);
  }
  expect((await master.run('promote')).code).toBe(0);
  await crowd.reached(crowd.answered + 200);
  expect(crowd.lost).toEqual({});
  expect(crowd.ended, 'connections ended by the server').toBe(0);
});

test('open connections keep to the weight beside clients that open one for each request', async () => {
  const { master, port } = await start(2);
  const crowd = gather({ port }, KEPT, { thinkMs: 10 });
  const others = startLoad({ port }, 4, perRequest());
  onTestFinished(async () => void (await Promise.all([crowd.stop(), others.stop()])));
  await crowd.reached(200);
  expect((await master.run('reload', '--weight', '20')).code).toBe(0);
  crowd.mark();
  await crowd.reached(crowd.answered + 300 * KEPT);
  const share = (100 * (crowd.answers.get('2') ?? 0)) / [...crowd.answers.values()].reduce((sum, one) => sum + one, 0);
  console.log(`weight 20: ${share.toFixed(2)} % of the requests on kept connections`);
  expect(Math.abs(share - 20), `${share} % at weight 20`).toBeLessThanOrEqual(10);
  expect([crowd.lost, crowd.ended, others.tally.lost]).toEqual([{}, 0, {}]);
});

/** What it upgrades, and its `/events`, have no end. */
const withLongOnes = (port: number): string => `
  const server = require('node:http').createServer((request, response) => {
    if (request.url === '/events') response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\\n\\n');
    else response.end(process.env.ZDSUP_GENERATION);
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {}).write('HTTP/1.1 101 Switching\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  });
  server.listen(${port});`;

test('open connections keep to the weight beside such as never move, WebSockets and streams of events', async () => {
  const { master, port } = await start(2, withLongOnes);
  const long = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const socket = connect(port, '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      const head = index % 2 === 0 ? '/events HTTP/1.1' : '/ HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: echo';
      socket.write(`GET ${head}\r\nHost: app\r\n\r\n`);
      await once(socket, 'data');
      return socket;
    }),
  );
  const crowd = gather({ port }, KEPT, { thinkMs: 20 });
  onTestFinished(() => crowd.stop());
  await crowd.reached(200);
  expect((await master.run('reload', '--weight', '20')).code).toBe(0);
  const shareOfNew = async (): Promise<number> => {
    crowd.mark();
    await crowd.reached(crowd.answered + 20 * KEPT);
    return (100 * (crowd.answers.get('2') ?? 0)) / [...crowd.answers.values()].reduce((sum, one) => sum + one, 0);
  };
  await until('20 % of the requests', shareOfNew, (share) => Math.abs(share - 20) <= 5, 10_000);
  expect(Math.abs((await shareOfNew()) - 20), 'and it stays so').toBeLessThanOrEqual(5);
  expect([crowd.lost, crowd.ended, long.filter(({ destroyed }) => destroyed)]).toEqual([{}, 0, []]);
});
