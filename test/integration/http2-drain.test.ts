/** HTTP/2 through a reload, clear text and TLS: no stream is lost, and what has no end of its own ends at the drain deadline. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { Http2Connection, startHttp2Load, tcp } from '../helpers/load/http2-client.js';
import { startCountingProxy } from '../helpers/load/http2-proxy.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const CERTIFICATE = fileURLToPath(new URL('../fixtures/load-app', import.meta.url));
const RELOADS = 5;
const H2LOAD_RELOADS = 3;
/** More than the kernel's buffers take, in bytes. */
const BIG = 32 * 1024 * 1024;
/** Less than the windows of flow control: it all arrives, though the client's app reads none of it. */
const WINDOWFUL = 60_000;
const NOTICE = 2 ** 31 - 1;
const KINDS: [name: string, tls: boolean][] = [
  ['clear text', false],
  ['TLS', true],
];

/** `/silent` never answers, `/events` is a stream of server-sent events, `/big` is large, `/held` answers on SIGUSR2. Tells at its end how much it answered. */
const APP = `
const fs = require('node:fs');
const http2 = require('node:http2');
const folder = process.env.TLS_FOLDER;
const options = { allowHTTP1: true };
const server = folder
  ? http2.createSecureServer({ ...options, key: fs.readFileSync(folder + '/key.pem'), cert: fs.readFileSync(folder + '/cert.pem') })
  : http2.createServer();
let answered = 0;
const held = [];
const answer = (stream) => {
  stream.respond({ ':status': 200 });
  stream.end('pid ' + process.pid, () => answered++);
};
process.on('SIGUSR2', () => held.splice(0).forEach(answer));
process.on('exit', () => fs.writeSync(1, 'answered ' + answered + '\\n'));
server.on('stream', (stream, headers) => {
  stream.on('error', () => {});
  const path = headers[':path'];
  if (path === '/silent') return;
  if (path === '/held') return held.push(stream);
  if (path === '/big') {
    stream.respond({ ':status': 200 });
    return stream.end(Buffer.alloc(${BIG}));
  }
  if (path !== '/events') return answer(stream);
  stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
  stream.write('data: ' + process.env.ZDSUP_GENERATION + '\\n\\n');
});
server.on('request', (request, response) => {
  if (request.httpVersionMajor === 1) response.end(process.env.ZDSUP_GENERATION);
});
server.listen(process.env.PORT);`;

async function start(
  tls: boolean,
  config: Record<string, unknown> = {},
  app = APP,
): Promise<{ master: Master; port: number; open(): Promise<Http2Connection> }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': app,
    'zdsup.config.json': JSON.stringify({
      name: 'http2',
      script: 'app.js',
      minReady: 50,
      env: { PORT: port, ...(tls ? { TLS_FOLDER: CERTIFICATE } : {}) },
      ...config,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const open = async (): Promise<Http2Connection> => {
    const connection = await Http2Connection.connect({ port, tls });
    onTestFinished(() => void connection.socket.destroy());
    return connection;
  };
  return { master, port, open };
}

async function reload(master: Master): Promise<void> {
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
}

/** Ends the app and adds up what its workers say they have answered. */
async function answeredByWorkers(master: Master): Promise<number> {
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  const counts = master.stdoutLines.flatMap((line) => /^answered (\d+)$/.exec(line)?.[1] ?? []);
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

const streamOf = (pid: number): string => `pid ${pid}`;

test.each(KINDS)('reloads under load lose no stream: %s', { timeout: 120_000 }, async (_name, tls) => {
  const { master, port } = await start(tls, { instances: 2 });
  const load = startHttp2Load({ port, tls }, 6, 10);
  await load.reached(200);
  for (let count = 0; count < RELOADS; count++) await reload(master);
  const tally = await expectNothingLost(load, 200);
  expect(tally.answeredBy.size, 'workers of many generations have answered').toBeGreaterThan(RELOADS);
  expect(await answeredByWorkers(master)).toBe(tally.answered);
});

/**
 * h2load opens no second connection after a GOAWAY: a reload ends it. It says of streams that they were `started` before they
 * are on the wire, and counts those as failed that the GOAWAY keeps from getting there: hence the proxy.
 */
test.each(KINDS)(
  'h2load gets an answer to each stream it opens, through reloads: %s',
  { timeout: 120_000 },
  async (_name, tls) => {
    expect(spawnSync('h2load', ['--version']).status, 'this test needs h2load: apt-get install nghttp2-client').toBe(0);
    const { master, port } = await start(tls, { instances: 2 });
    const proxy = await startCountingProxy({ port, tls }, CERTIFICATE);
    const url = `${tls ? 'https' : 'http'}://127.0.0.1:${proxy.port}/`;
    let answered = 0;
    for (let count = 0; count < H2LOAD_RELOADS; count++) {
      const load = spawn('h2load', ['-n', '10000000', '-c', '8', '-m', '10', url], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => killOwn(load.exitCode === null ? load.pid : undefined));
      let said = '';
      load.stdout.on('data', (chunk) => (said += chunk));
      const ended = once(load, 'close');
      const before = proxy.streams;
      await until('it is under load', () => proxy.streams - before > 500);
      await reload(master);
      await ended;
      answered += Number(/(\d+) succeeded/.exec(said)?.[1]);
      expect(answered, said).toBe(proxy.streams);
    }
    expect(await answeredByWorkers(master)).toBe(answered);
  },
);

test.concurrent.each(KINDS)(
  'a session is told first and closed later, and what is open on it is answered: %s',
  async (_name, tls) => {
    const { master, open } = await start(tls);
    const [old] = (await master.status()).workers;
    const [busy, idle] = [await open(), await open()];
    await idle.request('/');
    const slow = busy.request('/held');
    await master.statusUntil(
      'it is in flight',
      ({ workers }) => workers[0]!.inFlight === 1 && workers[0]!.requests === 2,
    );
    const reloading = master.run('reload');
    expect(await idle.ended).toBe('connection ended');
    expect(idle.goaways[0]).toBe(NOTICE);
    expect(idle.goaways[1]).toBe(1);
    killOwn(old!.pid!, 'SIGUSR2');
    expect(await slow).toEqual({ body: streamOf(old!.pid!), how: 'end' });
    await busy.ended;
    expect(busy.goaways.slice(0, 2)).toEqual([NOTICE, 1]);
    expect((await reloading).code).toBe(0);
  },
);

test.concurrent.each(KINDS)('a stop tells first and closes later, too: %s', async (_name, tls) => {
  const { master, open } = await start(tls);
  const [old] = (await master.status()).workers;
  const [busy, idle] = [await open(), await open()];
  await idle.request('/');
  const slow = busy.request('/held');
  await master.statusUntil('it is in flight', ({ workers }) => workers[0]!.inFlight === 1);
  const stop = master.run('stop');
  await idle.ended;
  expect(idle.goaways.slice(0, 2)).toEqual([NOTICE, 1]);
  killOwn(old!.pid!, 'SIGUSR2');
  expect((await slow).how).toBe('end');
  expect((await stop).code).toBe(0);
});

test.each(KINDS)('what comes behind the notice is served until the session is quiet: %s', async (_name, tls) => {
  const { master, open } = await start(tls);
  const session = await open();
  await session.request('/');
  const reloading = master.run('reload');
  let behind = 0;
  while (behind < 50) {
    const { how } = await session.request('/');
    expect(how).toBe('end');
    if (session.goaways.length > 0) behind += 1;
  }
  await session.ended;
  expect(session.goaways[0]).toBe(NOTICE);
  expect(session.goaways[1]).toBeGreaterThan(2 * 50);
  expect((await reloading).code).toBe(0);
});

test.concurrent.each(KINDS)(
  'at the drain deadline a stream to a silent handler is reset, and server-sent events end cleanly: %s',
  async (_name, tls) => {
    const { master, open } = await start(tls, { drainTimeout: '1s' });
    const [first, second] = [await open(), await open()];
    const silent = first.request('/silent');
    const events = second.request('/events');
    await master.statusUntil('both are in flight', ({ workers }) => workers[0]!.inFlight === 2);
    await reload(master);
    expect(await silent).toEqual({ body: '', how: `reset ${http2.constants.NGHTTP2_CANCEL}` });
    expect(await events).toEqual({ body: 'data: 1\n\n', how: 'end' });
    expect([await first.ended, await second.ended]).toEqual(['connection ended', 'connection ended']);
  },
);

test.concurrent.each(KINDS)(
  'a session that begins during the drain, on a connection accepted before it, is served and told too: %s',
  async (_name, tls) => {
    const { master, port } = await start(tls);
    const [old] = (await master.status()).workers;
    const beneath = await tcp(port);
    await master.statusUntil('it was accepted', ({ workers }) => workers[0]!.connections === 1);
    const reloading = master.run('reload');
    await master.seen('the old worker drains', (line) => line.kind === 'worker-retired');
    await master.status(); // It asks the worker over the same channel: it has heard.
    const session = await Http2Connection.over(beneath, tls);
    expect(await session.request('/')).toEqual({ body: streamOf(old!.pid!), how: 'end' });
    expect(await session.ended).toBe('connection ended');
    expect(session.goaways.slice(0, 2)).toEqual([NOTICE, 1]);
    expect((await reloading).code).toBe(0);
  },
);

test.concurrent.each(KINDS)(
  'a client that never confirms the settings is closed near the deadline, without a notice: %s',
  async (_name, tls) => {
    const { master, open } = await start(tls, { drainTimeout: '1s' });
    const session = await open();
    session.confirmsSettings = false;
    await session.request('/');
    await reload(master);
    await session.ended;
    expect(session.goaways[0]).toBe(1);
  },
);

test.concurrent.each(KINDS)(
  'a client that never reads holds the drain up until the deadline, and the worker ends in order: %s',
  async (_name, tls) => {
    const { master, open } = await start(tls, { drainTimeout: '1s' });
    const session = await open();
    await session.request('/');
    void session.request('/big');
    session.socket.pause();
    await master.statusUntil('it is in flight', ({ workers }) => workers[0]!.inFlight === 1);
    await reload(master);
    await master.printed('answered 1');
    session.socket.destroy();
  },
);

test.concurrent.each(KINDS)(
  'a large answer that its client is slow to read comes whole, around the notice: %s',
  async (_name, tls) => {
    const { master, open } = await start(tls);
    const session = await open();
    const big = session.request('/big');
    session.socket.pause();
    await master.statusUntil('it is in flight', ({ workers }) => workers[0]!.inFlight === 1);
    const reloading = master.run('reload');
    await master.seen('the old worker drains', (line) => line.kind === 'worker-retired');
    await master.status();
    session.socket.resume();
    const { body, how } = await big;
    expect([body.length, how]).toEqual([BIG, 'end']);
    await session.ended;
    expect(session.goaways.slice(0, 2)).toEqual([NOTICE, 1]);
    expect((await reloading).code).toBe(0);
  },
);

/** Node's own client before 26 drops what its app has not read when the last frames and the end of the connection are one read. */
test.concurrent.each(KINDS)(
  "Node's own client that is slow to read what has arrived gets all of it: %s",
  async (_name, tls) => {
    const { master, port } = await start(
      tls,
      {},
      APP.replace("stream.end('pid ' + process.pid, ", `stream.end(Buffer.alloc(${WINDOWFUL}), `),
    );
    const [old] = (await master.status()).workers;
    const client = http2.connect(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    onTestFinished(() => client.destroy());
    const stream = client.request({ ':path': '/held' });
    const closed = once(stream, 'close');
    await master.statusUntil('it is in flight', ({ workers }) => workers[0]!.inFlight === 1);
    let goaways = 0;
    client.on('goaway', () => (goaways += 1));
    const reloading = master.run('reload');
    await until('the session is going to end behind it', () => goaways === 2);
    killOwn(old!.pid!, 'SIGUSR2');
    await once(stream, 'readable'); // None of it is read.
    await master.statusUntil('it is answered', ({ workers }) =>
      workers.every(({ pid, inFlight }) => pid !== old!.pid || inFlight === 0),
    );
    let received = 0;
    stream.on('data', (chunk: Buffer) => (received += chunk.length));
    await closed;
    expect(received).toBe(WINDOWFUL);
    expect((await reloading).code).toBe(0);
  },
);

test("over TLS a session that is over is its client's to end first, and is ended for it soon after", async () => {
  const { master, open } = await start(true);
  const [leaving, staying] = [await open(), await open()];
  await Promise.all([leaving.request('/'), staying.request('/')]);
  const reloading = master.run('reload');
  await until('both have heard the last', () => leaving.goaways.length === 2 && staying.goaways.length === 2);
  const heardAt = performance.now();
  leaving.socket.end();
  expect(await leaving.ended).toBe('connection ended');
  expect(staying.over).toBeNull();
  expect(await staying.ended).toBe('connection ended');
  expect((await reloading).code).toBe(0);
  expect(performance.now() - heardAt, 'long before the drain deadline').toBeLessThan(5_000);
});

test.concurrent('HTTP/1.1 on the same port drains as HTTPS does', async () => {
  const { master, port } = await start(true);
  const connection = (await Connection.open({ port, tls: true })) as Connection;
  const ask = async (): Promise<unknown> => {
    connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    return connection.response();
  };
  expect(await ask()).toMatchObject({ body: '1', closes: false });
  const reloading = master.run('reload');
  await master.seen('the old worker drains', (line) => line.kind === 'worker-retired');
  await master.status();
  expect(await ask()).toMatchObject({ body: '1', closes: true });
  expect((await reloading).code).toBe(0);
});

test.concurrent("Node's own client is answered by a server of the compatibility API through a reload, and its streams are counted", async () => {
  const { master, port } = await start(
    false,
    {},
    `const held = [];
process.on('SIGUSR2', () => held.splice(0).forEach((response) => response.end('late')));
require('node:http2').createServer((request, response) => {
  if (request.url === '/held') held.push(response);
  else response.end('now');
}).listen(process.env.PORT);`,
  );
  const [old] = (await master.status()).workers;
  const client = http2.connect(`http://127.0.0.1:${port}`);
  onTestFinished(() => client.destroy());
  const get = async (path: string): Promise<string> => {
    let body = '';
    for await (const chunk of client.request({ ':path': path })) body += String(chunk);
    return body;
  };
  expect([await get('/'), await get('/')]).toEqual(['now', 'now']);
  const held = get('/held');
  const { workers } = await master.statusUntil('it is in flight', (app) => app.workers[0]!.inFlight === 1);
  expect(workers[0]).toMatchObject({ connections: 1, requests: 3 });
  const told = once(client, 'goaway');
  const reloading = master.run('reload');
  expect((await told).slice(0, 2)).toEqual([http2.constants.NGHTTP2_NO_ERROR, NOTICE]);
  killOwn(old!.pid!, 'SIGUSR2');
  expect(await held).toBe('late');
  expect((await reloading).code).toBe(0);
});

test.concurrent('an app without HTTP/2 never loads it, not even to drain', async () => {
  const { master } = await start(
    false,
    {},
    `process.on('exit', () => require('node:fs').writeSync(1, 'loaded ' + process.moduleLoadList.filter((name) => /http2|tls/.test(name)) + '\\n'));
require('node:http').createServer().listen(process.env.PORT);`,
  );
  await reload(master);
  expect(await master.printed('loaded')).toBe('loaded ');
});
