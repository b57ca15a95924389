/**
 * Promise 5: a reload closes no idle plain HTTP/1.1 connection, it is handed to another worker, still open. So it is on a
 * scale-down and wherever else a worker goes; and what the app knows of its connections stays true on both sides.
 */
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { answerOn, ask, openConnection, openConnections, request } from '../helpers/load/asking.js';
import type { Connection } from '../helpers/load/client.js';
import { median, startEcho } from '../helpers/load/echo.js';
import { startTorture } from '../helpers/load/torture.js';
import type { TortureTally } from '../helpers/load/torture-tally.js';
import { tallyLine } from '../helpers/load/torture-tally.js';
import { expectUnbroken, reload, startNumbered } from '../helpers/numbered.js';
import { freePort } from '../helpers/ports.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';

/** The long run has 100: `npm run test:handovers`. */
const RELOADS = Number(process.env.RELOADS ?? 5);
const CLIENTS = 50;

/** How long each retired worker was still there after the last answer it gave, in ms. */
function lingeringMs(master: Master, tally: TortureTally): number[] {
  return master.log.flatMap(({ kind, pid, time }) => {
    const last = kind === 'worker-ended' && pid ? tally.lastAnswerAt.get(pid) : undefined;
    return last === undefined ? [] : [Date.parse(time) - last];
  });
}

/** All of them were accepted. */
const connected = (master: Master, count: number): Promise<unknown> =>
  master.statusUntil(
    `${count} connections`,
    ({ workers }) => workers.reduce((sum, worker) => sum + (worker.connections ?? 0), 0) === count,
  );

const endOfWorker = (master: Master, pid: number): Promise<unknown> =>
  master.seen(`worker ${pid} has ended`, (line) => line.kind === 'worker-ended' && line.pid === pid);

const generations = async (connections: Connection[]): Promise<number[]> =>
  (await Promise.all(connections.map((connection) => ask(connection)))).map(({ generation }) => generation);

test(`${RELOADS} reloads under ${CLIENTS} keep-alive clients lose no request, and close no connection`, {
  timeout: 60_000 + RELOADS * 10_000,
}, async () => {
  const { master, port, seenByWorkers } = await startNumbered();
  const echo = startEcho();
  const load = startTorture({ port }, { connections: CLIENTS, seed: 1 });
  await load.reached(500);
  for (let count = 0; count < RELOADS; count++) await reload(master);
  await load.reached(load.tally.answered + 500);
  const tally = await load.stop();
  echo.stop();
  expectUnbroken(tally);
  expect(tally.opened).toBe(CLIENTS);
  // Each reload retires every worker there is. Seen from outside, a connection that moves twice between two requests has moved once.
  expect(tally.moves, tallyLine(tally)).toBeGreaterThan(CLIENTS * RELOADS * 0.8);

  const seen = await seenByWorkers();
  expect(seen.requests, 'each request reached one worker, once').toBe(tally.answered);
  const lingering = lingeringMs(master, tally);
  console.log(
    `${tallyLine(tally)}; ${seen.connections - tally.opened} handoffs; a retired worker is gone ${median(lingering)} ms ` +
      `after its last answer (median of ${lingering.length}, at most ${Math.max(...lingering)} ms); ` +
      `an idle echo takes ${median(echo.roundTripsMs).toFixed(1)} ms (at most ${Math.max(...echo.roundTripsMs).toFixed(1)} ms)`,
  );
  expect(lingering.length).toBeGreaterThan(RELOADS);
  expect(Math.max(...lingering), 'no retired worker waits for a keep-alive timeout').toBeLessThan(5_000);
});

test.concurrent('a connection that was never used moves too, and its first request is answered by the new generation', async () => {
  const { master, port } = await startNumbered();
  const connections = await openConnections(port, 20);
  await connected(master, 20);
  await reload(master);
  expect(connections.every(({ isOpen }) => isOpen)).toBe(true);
  expect(await generations(connections)).toEqual(connections.map(() => 2));
  expect(await generations(connections), 'and so is its second').toEqual(connections.map(() => 2));
});

test.concurrent('a connection in the middle of a slow answer moves after it', async () => {
  const { master, port, gate } = await startNumbered({ config: { instances: 1 } });
  const connection = await openConnection(port);
  await ask(connection);
  connection.socket.write(request(`/slow/1?until=${gate.path}&answer=100000`));
  await master.statusUntil('it is under way', ({ workers }) => workers[0]!.inFlight === 1);
  const reloading = reload(master);
  await master.serving(2);
  gate.open();
  const slow = await answerOn(connection);
  expect(slow).toMatchObject({ generation: 1, closes: false });
  await reloading;
  await endOfWorker(master, slow.pid);
  expect(await ask(connection)).toMatchObject({ generation: 2, closes: false });
});

test.concurrent('half a request head stays with the worker that has it: its answer comes from there, and the next from the new one', async () => {
  const { master, port } = await startNumbered({ config: { instances: 1 } });
  const connection = await openConnection(port);
  const { pid } = await ask(connection);
  const whole = request('/half/1');
  connection.socket.write(whole.slice(0, 20));
  // Another one, behind it in the same worker's ears: by its answer the half has been read.
  await ask(await openConnection(port));
  const reloading = reload(master);
  await master.seen('the old one drains', (line) => line.kind === 'worker-retired' && line.pid === pid);
  await master.serving(2);
  connection.socket.write(whole.slice(20));
  expect(await answerOn(connection)).toMatchObject({ generation: 1, pid, closes: false });
  await reloading;
  await endOfWorker(master, pid);
  expect(await ask(connection)).toMatchObject({ generation: 2, closes: false });
});

test.concurrent('a pipelined batch is answered by one worker in its order, and the connection moves behind it', async () => {
  const { master, port, gate } = await startNumbered({ config: { instances: 1 } });
  const connection = await openConnection(port);
  const { pid } = await ask(connection);
  connection.socket.write([0, 1, 2, 3].map((seq) => request(`/batch/${seq}?until=${gate.path}`)).join(''));
  await master.statusUntil('it is under way', ({ workers }) => (workers[0]!.inFlight ?? 0) > 0);
  const reloading = reload(master);
  await master.serving(2);
  gate.open();
  for (const seq of [0, 1, 2, 3]) {
    const answer = await answerOn(connection);
    expect(answer).toMatchObject({ pid, closes: false });
    expect(answer.body.startsWith(`batch ${seq} `), answer.body).toBe(true);
  }
  await reloading;
  await endOfWorker(master, pid);
  expect((await ask(connection)).generation).toBe(2);
});

test('a scale from three workers to one closes no connection', async () => {
  const { master, port, seenByWorkers } = await startNumbered({ config: { instances: 3 } });
  const load = startTorture({ port }, { connections: 30, seed: 2 });
  const unused = await openConnections(port, 10);
  await load.reached(500);
  const { code, stderr } = await master.run('scale', '1');
  expect(code, stderr).toBe(0);
  await load.reached(load.tally.answered + 500);
  const tally = await load.stop();
  expectUnbroken(tally);
  const [left] = (await master.status()).workers;
  for (const connection of unused) expect(await ask(connection)).toMatchObject({ pid: left!.pid, closes: false });
  expect((await seenByWorkers()).requests).toBe(tally.answered + unused.length);
});

test.concurrent('the only receiver stands still while it is offered connections: once it goes on it has them all, and none is closed', async () => {
  const { master, port } = await startNumbered({ config: { instances: 2 } });
  const connections = await openConnections(port, 30);
  await generations(connections);
  const [staying, leaving] = (await master.status()).workers;
  killOwn(staying!.pid!, 'SIGSTOP');
  const scaling = master.run('scale', '1');
  await master.seen('it drains', (line) => line.kind === 'worker-retired' && line.pid === leaving!.pid);
  const drainsSince = performance.now();
  // Longer than a worker may take to claim one.
  await until('its claims are late', () => performance.now() - drainsSince > 1_000);
  killOwn(staying!.pid!, 'SIGCONT');
  expect((await scaling).code).toBe(0);
  const answers = await Promise.all(connections.map((connection) => ask(connection)));
  expect(answers.filter(({ pid, closes }) => pid !== staying!.pid || closes)).toEqual([]);
});

test('while the only receiver stands still, the worker that drains goes on answering: one of its connections is under way', async () => {
  const { master, port } = await startNumbered({ config: { instances: 2 } });
  const connections = await openConnections(port, 30);
  const answers = await Promise.all(connections.map((connection) => ask(connection)));
  const [staying, leaving] = (await master.status()).workers;
  const its = connections.filter((_, index) => answers[index]!.pid === leaving!.pid);
  killOwn(staying!.pid!, 'SIGSTOP');
  const scaling = master.run('scale', '1');
  await master.seen('it drains', (line) => line.kind === 'worker-retired' && line.pid === leaving!.pid);
  let answered = 0;
  const asked = its.map(async (connection) => {
    const answer = await ask(connection);
    answered += 1;
    return answer;
  });
  await until('all are answered but one', () => answered >= its.length - 1);
  killOwn(staying!.pid!, 'SIGCONT');
  expect((await scaling).code).toBe(0);
  expect((await Promise.all(asked)).filter(({ closes }) => closes)).toEqual([]);
});

test('a worker that wants to be replaced gives its connections to the others', async () => {
  const { master, port } = await startNumbered();
  const load = startTorture({ port }, { connections: 30, seed: 3 });
  await load.reached(500);
  const leaving = await openConnection(port);
  const { pid } = await ask(leaving, '/leave');
  await endOfWorker(master, pid);
  await load.reached(load.tally.answered + 500);
  expectUnbroken(await load.stop());
  expect(await ask(leaving)).toMatchObject({ closes: false });
});

test.concurrent('maxRequestsPerSocket ends a connection after its number of requests, wherever they were answered', async () => {
  const { master, port } = await startNumbered({ config: { instances: 1 }, env: { MAX_REQUESTS: 10 } });
  const connection = await openConnection(port);
  const closes: boolean[] = [];
  const round = async (requests: number): Promise<void> => {
    for (let count = 0; count < requests; count++) closes.push((await ask(connection)).closes);
  };
  await round(4);
  await reload(master);
  await round(3);
  await reload(master);
  await round(3);
  expect(closes).toEqual([...Array(9).fill(false), true]);
  await connection.ended();
});

test.concurrent("the number of connections is right on both sides, and the app's connection listeners hear of each", async () => {
  const { master, port, gate } = await startNumbered({ config: { instances: 1 } });
  const connections = await openConnections(port, 10);
  expect(await generations(connections)).toEqual(Array(10).fill(1));
  const slow = await openConnection(port);
  slow.socket.write(request(`/count?until=${gate.path}`));
  await master.statusUntil('it is under way', ({ workers }) => workers[0]!.inFlight === 1);
  const reloading = reload(master);
  await master.statusUntil('all but the busy one have moved', ({ workers }) =>
    workers.some(({ generation, connections: open }) => generation === 2 && open === 10),
  );
  expect(await generations(connections)).toEqual(Array(10).fill(2));
  expect(JSON.parse((await ask(connections[0]!, '/count')).body)).toEqual({ open: 10, seen: 10 });
  gate.open();
  expect(JSON.parse((await answerOn(slow)).body), 'the old one has the slow connection alone').toEqual({
    open: 1,
    seen: 11,
  });
  await reloading;
  await connected(master, 11);
  connections[1]!.end();
  await connected(master, 10);
  expect(JSON.parse((await ask(slow, '/count')).body)).toEqual({ open: 10, seen: 11 });
});

/** One worker whose server has these times, and a connection that was used once, before the reloads. */
async function usedAndMoved(times: object, reloads: number): Promise<{ port: number; used: Connection }> {
  const { master, port } = await startNumbered({
    config: { instances: 1 },
    app: `
      const server = require('node:http').createServer(${JSON.stringify(times)}, handle);
      server.listen(process.env.PORT);`,
  });
  const used = await openConnection(port);
  await ask(used);
  for (let count = 0; count < reloads; count++) await reload(master);
  return { port, used };
}

test.concurrent.each([60_000, 0])(
  'a connection that has moved may rest longer than a head may take, and is answered then (keepAliveTimeout %i)',
  async (keepAliveTimeout) => {
    const times = { keepAliveTimeout, headersTimeout: 300, connectionsCheckingInterval: 50 };
    const { port, used } = await usedAndMoved(times, 1);
    // Half a head that came later is too late by now.
    const half = await openConnection(port);
    half.socket.write('GET / HT');
    await half.ended();
    expect(await ask(used)).toMatchObject({ generation: 2, closes: false });
    expect(await ask(used)).toMatchObject({ generation: 2, closes: false });
  },
);

test.concurrent("a connection that has moved has the receiver's own time to be idle", async () => {
  const times = { keepAliveTimeout: 3_000, headersTimeout: 500, connectionsCheckingInterval: 100 };
  const { used } = await usedAndMoved(times, 1);
  const movedAt = performance.now();
  expect(await ask(used)).toMatchObject({ generation: 2, closes: false });
  // Nothing is asked of it any more: it ends by the keep-alive timeout, and not by a 408 that headersTimeout would give.
  expect(await used.ended()).toBe('connection closed under a request');
  expect(used.hasUnread).toBe(false);
  expect(performance.now() - movedAt).toBeGreaterThan(2_900);
});

test.concurrent('a connection that nothing is asked of moves with every reload', async () => {
  const { used } = await usedAndMoved({ keepAliveTimeout: 60_000 }, 2);
  expect(await ask(used)).toMatchObject({ generation: 3, closes: false });
});

test('after two moves without a request it is idle for its keep-alive time, and not for that of a connection that was never used', async () => {
  const { used } = await usedAndMoved({ keepAliveTimeout: 2_000, connectionsCheckingInterval: 100 }, 2);
  expect(await used.ended()).toBe('connection closed under a request');
  expect(used.hasUnread).toBe(false);
});

test.concurrent('the connections of every server of the app move, however many the first one has', async () => {
  const otherPort = await freePort();
  const { master, port } = await startNumbered({
    config: { instances: 1 },
    app: `
      const http = require('node:http');
      for (const port of [process.env.PORT, ${otherPort}])
        http.createServer({ keepAliveTimeout: 60_000 }, handle).listen(port);`,
  });
  const connections = [...(await openConnections(port, 40)), ...(await openConnections(otherPort, 10))];
  expect(await generations(connections)).toEqual(connections.map(() => 1));
  await reload(master);
  expect(await generations(connections)).toEqual(connections.map(() => 2));
});
