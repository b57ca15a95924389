/** What has no end of its own lives until the drain deadline of its worker, and then ends as its protocol wishes. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const WS = fileURLToPath(import.meta.resolve('ws'));

/** WebSockets echo on any path, `/events` is a stream of server-sent events; each says its generation first. */
const APP = `
const fs = require('node:fs');
const who = process.env.ZDSUP_GENERATION;
const { WebSocketServer } = require(${JSON.stringify(WS.replace('wrapper.mjs', 'index.js'))});
const [tls, options] = process.env.TLS_FOLDER
  ? ['https', { key: fs.readFileSync(process.env.TLS_FOLDER + '/key.pem'), cert: fs.readFileSync(process.env.TLS_FOLDER + '/cert.pem') }]
  : ['http', {}];
const server = require('node:' + tls).createServer(options, (request, response) => {
  if (request.url !== '/events') return response.end(who);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let id = 0;
  response.write('data: ' + who + '\\n\\n');
  const timer = setInterval(() => response.write('data: ' + id++ + '\\n\\n'), 20);
  response.on('close', () => clearInterval(timer));
});
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.send(who);
  socket.on('message', (data) => socket.send(String(data)));
});
server.listen(process.env.PORT);`;

const TCP_ECHO = `
const server = require('node:net').createServer((socket) => {
  socket.write(process.env.ZDSUP_GENERATION + '\\n');
  socket.pipe(socket);
});
server.listen(process.env.PORT);`;

const TLS_FOLDER = fileURLToPath(new URL('../fixtures/load-app', import.meta.url));

async function start(
  app: string,
  config: Record<string, unknown>,
  env: Record<string, string> = {},
): Promise<{ master: Master; port: number }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': app,
    'zdsup.config.json': JSON.stringify({
      name: 'long',
      script: 'app.js',
      minReady: 50,
      env: { PORT: port, ...env },
      ...config,
    }),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port };
}

interface Client {
  socket: WebSocket;
  generation: string;
  echo(text: string): Promise<string>;
  /** Settles with the close code and reason. */
  closed: Promise<[number, string]>;
}

async function openWebSocket(port: number, scheme = 'ws'): Promise<Client> {
  const socket = new WebSocket(`${scheme}://127.0.0.1:${port}/`, { rejectUnauthorized: false });
  const closed = once(socket, 'close').then(([code, reason]): [number, string] => [code, String(reason)]);
  const [first] = await once(socket, 'message');
  return {
    socket,
    closed,
    generation: String(first),
    async echo(text) {
      const answer = once(socket, 'message');
      socket.send(text);
      return String((await answer)[0]);
    },
  };
}

test.concurrent.each<[scheme: string, env: Record<string, string>]>([
  ['ws', {}],
  ['wss', { TLS_FOLDER }],
])(
  'an open WebSocket (%s) keeps echoing on its old worker, and is closed by the drain deadline with 1012',
  async (scheme, env) => {
    const { master, port } = await start(APP, { drainTimeout: '5s', closeSpread: 0 }, env);
    const client = await openWebSocket(port, scheme);
    const reload = master.run('reload');
    await master.seen('the old worker drains', (line) => line.kind === 'worker-retired');
    expect([client.generation, await client.echo('still here')]).toEqual(['1', 'still here']);
    expect((await master.run('status')).stdout).toMatch(/worker 0 of generation 1 drains: 1 WebSocket, [1-5] s left/);
    const fresh = await openWebSocket(port, scheme);
    expect(fresh.generation).toBe('2');

    expect(await client.closed).toEqual([1012, 'service restart']);
    expect((await reload).code).toBe(0);
    expect(await fresh.echo('untouched')).toBe('untouched');
    fresh.socket.terminate();
  },
);

test('many WebSockets are closed one after the other over `closeSpread`, each with 1012', async () => {
  const { master, port } = await start(APP, { drainTimeout: '2s', closeSpread: '1s' });
  const clients = await Promise.all(Array.from({ length: 20 }, () => openWebSocket(port)));
  const closedAt: number[] = [];
  for (const client of clients) void client.closed.then(() => closedAt.push(performance.now()));
  const reload = master.run('reload');
  const ends = await Promise.all(clients.map((client) => client.closed));
  await reload;
  expect(new Set(ends.map(([code]) => code))).toEqual(new Set([1012]));
  expect(closedAt.at(-1)! - closedAt[0]!).toBeGreaterThan(500);
});

test.concurrent('a stop in the middle of a drain closes the WebSockets with 1012 too, by its own deadline', async () => {
  const { master, port } = await start(APP, { drainTimeout: '60s', stopTimeout: '3s', killTimeout: '1s' });
  const clients = await Promise.all(Array.from({ length: 5 }, () => openWebSocket(port)));
  expect((await master.run('reload', '--no-wait')).code).toBe(0);
  await master.seen('the old worker drains', (line) => line.kind === 'worker-retired');
  expect((await master.run('stop')).code).toBe(0);
  for (const client of clients) expect((await client.closed)[0]).toBe(1012);
});

test.concurrent('a WebSocket whose client never answers the close frame does not hold up the drain', async () => {
  const { master, port } = await start(APP, { drainTimeout: '1s' });
  const socket = await rawConnection(port);
  const key = Buffer.from('0123456789abcdef').toString('base64');
  socket.write(
    `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const received = everything(socket);
  expect((await master.run('reload')).code).toBe(0);
  expect((await received).includes(Buffer.from([0x88, 17, 0x03, 0xf4]))).toBe(true);
});

test.concurrent('a server that nobody upgrades on answers such a request as any other', async () => {
  const { port } = await start(
    `require('node:http').createServer((request, response) => response.end('plain')).listen(process.env.PORT)`,
    {},
  );
  const socket = await rawConnection(port);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n');
  expect(String(await everything(socket))).toMatch(/^HTTP\/1.1 200 OK[\s\S]*plain/);
});

test.concurrent('server-sent events come without a gap until the drain deadline, and then end cleanly', async () => {
  const { master, port } = await start(APP, { drainTimeout: '1s' });
  const socket = await rawConnection(port);
  socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
  const received = everything(socket);
  expect((await master.run('reload')).code).toBe(0);
  const text = String(await received);
  const events = [...text.matchAll(/data: (\d+)/g)].map((match) => Number(match[1]));
  expect(events.length).toBeGreaterThan(20);
  expect(events).toEqual([1, ...Array.from({ length: events.length - 1 }, (_, id) => id)]);
  expect(text.endsWith('\r\n0\r\n\r\n')).toBe(true);
});

test.concurrent('a raw TCP connection goes on until the drain deadline, and ends with everything that was sent', async () => {
  const { master, port } = await start(TCP_ECHO, { drainTimeout: '1s' });
  const socket = await rawConnection(port);
  const received = everything(socket);
  const reload = master.run('reload');
  await master.seen('the old worker drains', (line) => line.kind === 'worker-retired');
  socket.write('x'.repeat(100_000));
  expect((await reload).code).toBe(0);
  expect(String(await received)).toBe(`1\n${'x'.repeat(100_000)}`);
});

/** Echoes, and says something by itself as well. */
const TALKER = `
const fs = require('node:fs');
const serve = (socket) => {
  socket.write(process.env.ZDSUP_GENERATION + '\\n');
  socket.pipe(socket);
  const timer = setInterval(() => socket.write('.'), 1);
  socket.on('close', () => clearInterval(timer));
};
const folder = process.env.TLS_FOLDER;
const server = folder
  ? require('node:tls').createServer({ key: fs.readFileSync(folder + '/key.pem'), cert: fs.readFileSync(folder + '/cert.pem') }, serve)
  : require('node:net').createServer(serve);
server.listen(process.env.SOCKET ?? process.env.PORT);`;

test.each<[kind: string, env: Record<string, string>]>([
  ['TCP', {}],
  ['TLS', { TLS_FOLDER }],
  ['unix', { SOCKET: 'talk.sock' }],
])(
  'no client of a %s server is reset at the drain deadline, however much it sends at that moment',
  async (_kind, env) => {
    const { master, port } = await start(TALKER, { drainTimeout: '1s' }, env);
    const open = (): Socket =>
      env.TLS_FOLDER
        ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
        : env.SOCKET
          ? connect(`${master.cwd}/${env.SOCKET}`)
          : connect(port, '127.0.0.1');
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const socket = open();
        const end = everything(socket).then(String, (error: NodeJS.ErrnoException) => error.code);
        await once(socket, env.TLS_FOLDER ? 'secureConnect' : 'connect');
        const timer = setInterval(() => socket.writable && socket.write('x'.repeat(500)), 2);
        socket.on('close', () => clearInterval(timer));
        return { end };
      }),
    );
    expect((await master.run('reload')).code).toBe(0);
    for (const { end } of clients) expect(await end).toMatch(/^1\n[.x]{10000}/);
    expect(master.stderrLines).toEqual([]);
  },
);

async function rawConnection(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** All bytes up to the other side's end; rejects on a reset. */
async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
