/** What becomes of the connections of a worker that retires: the rows of HTTP/1.1 and HTTPS. */
import { expect, test } from 'vitest';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** `/held` answers on SIGUSR2, `/stream` never ends, `/silent` never answers; the body names the generation. */
const APP = `
const who = process.env.ZDSUP_GENERATION;
const held = [];
process.on('SIGUSR2', () => held.splice(0).forEach((response) => response.end(who)));
const server = require('node:http').createServer((request, response) => {
  const url = new URL(request.url, 'http://x');
  if (url.pathname === '/silent') return;
  if (url.pathname === '/stream') {
    response.write('first\\n');
    const timer = setInterval(() => response.write('more\\n'), 50);
    response.on('close', () => clearInterval(timer));
    return;
  }
  request.resume();
  if (url.pathname === '/held') held.push(response);
  else response.end(who);
});
server.keepAliveTimeout = Number(process.env.KEEP_ALIVE ?? 60_000);
server.listen(process.env.PORT);`;

async function start(
  config: Record<string, unknown> = {},
  app = APP,
): Promise<{ master: Master; port: number; open(): Promise<Connection> }> {
  const port = await freePort();
  const { env, ...rest } = config as { env?: Record<string, unknown> };
  const project = makeProject({
    'app.js': app,
    'zdsup.config.json': JSON.stringify({
      name: 'drain',
      script: 'app.js',
      minReady: 50,
      ...rest,
      env: { PORT: port, ...env },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const open = async (): Promise<Connection> => {
    const connection = await Connection.open({ port });
    if (typeof connection === 'string') throw new Error(connection);
    return connection;
  };
  return { master, port, open };
}

const ask = (connection: Connection, path: string): void =>
  void connection.socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);

async function answer(connection: Connection): Promise<{ body: string; closes: boolean }> {
  const response = await connection.response();
  if (typeof response === 'string') throw new Error(response);
  return response;
}

/** The only worker of a generation has been told to retire, and has heard it: a status asks it over the same channel. */
async function draining(master: Master, generation: number): Promise<void> {
  await master.seen(
    `generation ${generation} drains`,
    (line) => line.kind === 'worker-retired' && line.generation === generation,
  );
  await master.status();
}

/** Where idle connections stay with their worker; where they move, `idle-connections-move` says what becomes of them. */
const STAYS = { handover: 'off' };

test.concurrent.each([
  ['auto', false],
  ['off', true],
])(
  'a slow response held across a reload ends on the old worker, and new requests reach the new one (handover %s: Connection: close %s)',
  async (handover, closes) => {
    const { master, open } = await start({ handover });
    const [old] = (await master.status()).workers;
    const slow = await open();
    ask(slow, '/held');
    const reload = master.run('reload');
    await draining(master, 1);
    const fresh = await open();
    ask(fresh, '/');
    expect((await answer(fresh)).body).toBe('2');
    killOwn(old!.pid!, 'SIGUSR2');
    expect(await answer(slow)).toMatchObject({ body: '1', closes });
    expect((await reload).code).toBe(0);
    fresh.end();
  },
);

test.concurrent('an idle keep-alive connection that cannot move stays open through a reload, and its next request is answered with Connection: close', async () => {
  const { master, open } = await start(STAYS);
  const idle = await open();
  ask(idle, '/');
  expect(await answer(idle)).toMatchObject({ body: '1', closes: false });
  const reload = master.run('reload');
  await draining(master, 1);
  expect(idle.isOpen).toBe(true);
  ask(idle, '/');
  expect(await answer(idle)).toMatchObject({ body: '1', closes: true });
  await idle.ended();
  expect((await reload).code).toBe(0);
});

test.concurrent("an idle connection that asks nothing more is ended by the app's own keep-alive timeout, and nothing sooner", async () => {
  const { master, open } = await start({ env: { KEEP_ALIVE: 1_500 } });
  const idle = await open();
  ask(idle, '/');
  await answer(idle);
  const answeredAt = performance.now();
  const reload = master.run('reload');
  await idle.ended();
  expect(performance.now() - answeredAt).toBeGreaterThan(1_400);
  expect((await reload).code).toBe(0);
});

test.concurrent('a connection that was never used, and cannot move, is answered when it asks at last', async () => {
  const { master, open } = await start(STAYS);
  const unused = await open();
  const reload = master.run('reload');
  await draining(master, 1);
  ask(unused, '/');
  expect(await answer(unused)).toMatchObject({ body: '1', closes: true });
  expect((await reload).code).toBe(0);
});

test.concurrent('pipelined requests are all answered at a stop, and only the last says Connection: close', async () => {
  const { master, open } = await start();
  const connection = await open();
  for (let request = 0; request < 4; request++) ask(connection, '/held');
  const { workers } = await master.statusUntil('all have come', (app) => app.workers[0]!.requests === 4);
  const stop = master.run('stop');
  await draining(master, 1);
  killOwn(workers[0]!.pid!, 'SIGUSR2');
  const closes: boolean[] = [];
  for (let request = 0; request < 4; request++) closes.push((await answer(connection)).closes);
  expect(closes).toEqual([false, false, false, true]);
  expect((await stop).code).toBe(0);
});

test.concurrent('an answer given while the body still arrives closes nothing under the client that sends it', async () => {
  const { master, open } = await start(STAYS);
  const upload = await open();
  const reload = master.run('reload');
  await draining(master, 1);
  upload.socket.write('POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n');
  upload.socket.write('x'.repeat(100_000));
  expect(await answer(upload)).toMatchObject({ body: '1', closes: false });
  upload.socket.write('x'.repeat(100_000));
  ask(upload, '/');
  expect(await answer(upload)).toMatchObject({ body: '1', closes: true });
  expect((await reload).code).toBe(0);
});

test.concurrent.each([
  ['auto', false],
  ['off', true],
])(
  'a request head half sent at retire is answered when the rest comes (handover %s: Connection: close %s)',
  async (handover, closes) => {
    const { master, open } = await start({ handover });
    const half = await open();
    half.socket.write('GET /half HTTP/1.1\r\nHo');
    await master.statusUntil('it was accepted', (app) => app.workers[0]!.connections === 1);
    const reload = master.run('reload');
    await draining(master, 1);
    half.socket.write('st: x\r\n\r\n');
    expect(await answer(half)).toMatchObject({ body: '1', closes });
    expect((await reload).code).toBe(0);
  },
);

test.concurrent('a request head half sent and never finished is closed at the drain deadline', async () => {
  const { master, open } = await start({ drainTimeout: 1_000 });
  const half = await open();
  half.socket.write('GET /half HTTP/1.1\r\nHo');
  await master.statusUntil('it was accepted', (app) => app.workers[0]!.connections === 1);
  const reload = await master.run('reload');
  expect(reload.code).toBe(0);
  await half.ended();
});

test.concurrent('requests that outlast the drain deadline are ended there, the worker with them, and no zombie stays', async () => {
  const { master, open } = await start({ drainTimeout: 700, instances: 2 });
  const oldPids = (await master.status()).workers.map((worker) => worker.pid!);
  const [silent, stream] = [await open(), await open()];
  ask(silent, '/silent');
  ask(stream, '/stream');
  const { code } = await master.run('reload');
  expect(code).toBe(0);
  expect(await silent.ended()).toMatch(/connection closed under a request|ECONNRESET/);
  await stream.ended();
  expect(oldPids.filter(isAlive)).toEqual([]);
  expect((await master.status()).workers.map((worker) => worker.generation)).toEqual([2, 2]);
});

test.concurrent('a worker that ignores its end is killed after killTimeout, and the state says so', async () => {
  const app = `${APP}\nprocess.on('SIGTERM', () => { console.log('staying'); setInterval(() => {}, 1000); });`;
  const { master } = await start({ killTimeout: 500 }, app);
  const { code } = await master.run('reload');
  expect(code).toBe(0);
  await master.printed('staying');
  expect((await master.status()).workers.map((worker) => worker.generation)).toEqual([2]);
});

test.concurrent('a worker whose event loop is blocked when it retires is killed at the deadline', async () => {
  const app = APP.replace("if (url.pathname === '/silent') return;", "if (url.pathname === '/silent') for (;;);");
  const { master, open } = await start({ drainTimeout: 500, killTimeout: 300 }, app);
  const connection = await open();
  ask(connection, '/silent');
  const { code } = await master.run('reload');
  expect(code).toBe(0);
  await master.seen(
    'it was killed',
    (line) => line.kind === 'worker-ended' && line.msg.includes('killed: it had not ended by its deadline'),
  );
});

test.concurrent('a stop does not wait for connections that ask nothing: an idle one, and one that was never used', async () => {
  const { master, open } = await start();
  const [idle, unused] = [await open(), await open()];
  ask(idle, '/');
  await answer(idle);
  const stop = master.run('stop');
  await Promise.all([idle.ended(10_000), unused.ended(10_000)]);
  expect((await stop).code).toBe(0);
});

test.concurrent("after the drain the app's own SIGTERM handler runs, once, and the process ends as it wishes", async () => {
  const app = `${APP}
process.on('SIGTERM', () => server.close((error) => {
  console.log('handler', error ? error.code : 'closed', server.listening);
  setTimeout(() => { console.log('flushed'); process.exit(0); }, 200);
}));`;
  const { master, open } = await start({}, app);
  const [old] = (await master.status()).workers;
  const slow = await open();
  ask(slow, '/held');
  const reload = master.run('reload');
  await draining(master, 1);
  killOwn(old!.pid!, 'SIGUSR2');
  expect((await answer(slow)).body).toBe('1');
  await master.printed('handler closed false');
  await master.printed('flushed');
  expect((await reload).code).toBe(0);
  expect(master.stdoutLines.filter((line) => line.startsWith('handler'))).toHaveLength(1);
});

test.concurrent.each(["'SIGTERM'", '15', 'undefined'])(
  'an app that takes its handler away and sends itself the signal (%s) once more ends by it, as under node; until then nobody can end it so',
  async (signal) => {
    const app = `${APP}
setInterval(() => {}, 1_000);
process.once('SIGTERM', () => {
  console.log('cleaning up', process.pid);
  process.once('SIGUSR1', () => process.kill(process.pid, ${signal}));
});`;
    const { master } = await start({ killTimeout: '60s', stopTimeout: '90s' }, app);
    const stop = master.run('stop');
    const pid = Number((await master.printed('cleaning up')).split(' ').at(-1));
    killOwn(pid, 'SIGTERM'); // From outside: the shield holds.
    await master.status();
    expect(isAlive(pid)).toBe(true);
    killOwn(pid, 'SIGUSR1');
    expect((await stop).code).toBe(0);
  },
);

test.concurrent('a server that the app has closed itself still finishes its requests when the worker retires', async () => {
  const app = `${APP}\nprocess.on('SIGUSR1', () => server.close());\nrequire('node:http').createServer().listen(0, '0.0.0.0');`;
  const { master, open } = await start({}, app);
  const [old] = (await master.status()).workers;
  const slow = await open();
  ask(slow, '/held');
  await master.statusUntil('it is in flight', ({ workers }) => workers[0]!.inFlight === 1);
  killOwn(old!.pid!, 'SIGUSR1');
  await master.statusUntil('the app has closed it', ({ listeners }) => listeners.length === 1);
  const stop = master.run('stop');
  await draining(master, 1);
  killOwn(old!.pid!, 'SIGUSR2');
  expect(await answer(slow)).toMatchObject({ body: '1', closes: true });
  expect((await stop).code).toBe(0);
});

test.concurrent('a keep-alive answer says nothing of zdsup while nobody retires', async () => {
  const { open } = await start();
  const connection = await open();
  ask(connection, '/');
  const response = await connection.response();
  expect(typeof response === 'string' ? response : [...response.headers.keys()].sort()).toEqual([
    'connection',
    'content-length',
    'date',
    'keep-alive',
  ]);
  connection.end();
});

test.concurrent('workers of a master that was killed stop accepting, finish what is in flight, and end; one that starts meanwhile binds at once', async () => {
  const { master, port, open } = await start();
  const [worker] = (await master.status()).workers;
  const slow = await open();
  ask(slow, '/held');
  await master.statusUntil('it is in flight', (app) => app.workers[0]!.inFlight === 1);
  await master.killed();
  await until(
    'the orphan stops accepting',
    () => Connection.open({ port }),
    (seen) => seen === 'connect: ECONNREFUSED',
  );
  const next = await startMaster({ cwd: master.cwd, args: [], world: master.world });
  const fresh = await Connection.open({ port });
  expect(typeof fresh).toBe('object');
  expect(isAlive(worker!.pid!)).toBe(true);
  killOwn(worker!.pid!, 'SIGTERM'); // As a service manager's, to all that is left of a unit.
  killOwn(worker!.pid!, 'SIGUSR2');
  expect(await answer(slow)).toMatchObject({ body: '1', closes: true });
  await master.statusUntil('the orphan has gone', () => !isAlive(worker!.pid!));
  (fresh as Connection).end();
  expect((await next.run('stop')).code).toBe(0);
});

test('a stop answers all who wait in the kernel queue while the only worker computes, however long each takes', async () => {
  const { master, open } = await start(
    {},
    `require('node:http').createServer((request, response) => {
      if (request.url === '/compute') { require('node:fs').writeSync(1, 'computing\\n'); for (const until = Date.now() + 1500; Date.now() < until;); }
      else for (const until = performance.now() + 1; performance.now() < until;);
      response.end('answered');
    }).listen(process.env.PORT);`,
  );
  const busy = await open();
  ask(busy, '/compute');
  await master.printed('computing');
  const waiting = await Promise.all(Array.from({ length: 300 }, open));
  for (const connection of waiting) ask(connection, '/');
  const stopped = master.run('stop');
  const answers = await Promise.all([busy, ...waiting].map(answer));
  expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 301 }, () => 'answered'));
  expect((await stopped).code).toBe(0);
});
