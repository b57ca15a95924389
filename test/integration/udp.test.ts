/** A UDP socket is the master's as any other: datagrams wait for a worker that reads, and each is read by exactly one. */
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { freeUdpPort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** Fewer than the kernel keeps of one socket's datagrams (277 small ones by its default): more under way may be lost by it, in a host's pauses. */
const MOST_UNDER_WAY = 200;

/** Answers each datagram with itself and the generation; `how` is what happens on a datagram instead. */
const ECHO = (how = 'answer()', bind = 'port'): string => `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (data, { port, address }) => {
  const answer = (to = '') => socket.send(data + ' ' + process.env.ZDSUP_GENERATION + to, port, address);
  ${how};
});
const port = Number(process.env.PORT);
socket.bind(${bind});`;

interface Scene {
  master: Master;
  port: number;
  client: Client;
  /** Changes the app and reloads it. */
  release(app: string): void;
}

async function start(app: string, config: Record<string, unknown> = {}): Promise<Scene> {
  const port = await freeUdpPort();
  const project = makeProject({
    'app.js': app,
    'zdsup.config.json': JSON.stringify({
      name: 'udp',
      script: 'app.js',
      minReady: 50,
      env: { PORT: port },
      ...config,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  return { master, port, client: await openClient(port), release: (next) => project.write({ 'app.js': next }) };
}

interface Client {
  socket: Socket;
  send(text: string): void;
  /** What came back, in order. */
  answers: string[];
  answered(count: number): Promise<string[]>;
}

async function openClient(port: number, host = '127.0.0.1'): Promise<Client> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  onTestFinished(() => void socket.close());
  const answers: string[] = [];
  socket.on('message', (data) => answers.push(String(data)));
  socket.bind();
  await once(socket, 'listening');
  return {
    socket,
    send: (text) => socket.send(text, port, host),
    answers,
    answered: (count) =>
      until(
        `${count} answers`,
        () => answers,
        () => answers.length >= count,
      ),
  };
}

test.concurrent('an app with UDP alone counts as listening, and its socket is shown', async () => {
  const { master, port, client } = await start(ECHO(), { instances: 2 });
  client.send('hello');
  expect(await client.answered(1)).toEqual(['hello 1']);
  expect((await master.status()).listeners).toEqual([{ address: '0.0.0.0', port, protocol: 'udp' }]);
  expect((await master.run('status')).stdout).toContain(`udp://0.0.0.0:${port}`);
});

test.concurrent('a release that opens another UDP port is refused, and the reason names it', async () => {
  const { master, port, release } = await start(ECHO());
  release(ECHO('answer()', 'port + 1'));
  const { code, stderr } = await master.run('reload');
  expect(code).toBe(1);
  expect(stderr).toContain(`listens on udp port ${port + 1}, the serving release on udp port ${port}`);
});

test.concurrent('datagrams that come while no worker lives wait, and are answered by the next', async () => {
  const { master, client } = await start(ECHO(), { backoff: { initial: 500, jitter: 0 } });
  const [worker] = (await master.status()).workers;
  killOwn(worker!.pid!);
  await master.seen('the exit', (line) => line.kind === 'worker-exited');
  for (let n = 0; n < 50; n++) client.send(String(n));
  expect((await client.answered(50)).sort()).toEqual(Array.from({ length: 50 }, (_, n) => `${n} 1`).sort());
});

test('no datagram meets a worker before it is ready', async () => {
  const READY_LATER = `${ECHO("answer(ready ? '' : ' early')")}
let ready = false;
setTimeout(() => { ready = true; process.send('ready'); }, 600);`;
  const { master, client, release } = await start(READY_LATER, { ready: 'message' });
  release(READY_LATER);
  const timer = setInterval(() => client.send('x'), 2);
  expect((await master.run('reload')).code).toBe(0);
  await until('the new one answers', () => client.answers.includes('x 2'));
  clearInterval(timer);
  expect(new Set(client.answers)).toEqual(new Set(['x 1', 'x 2']));
});

test('what the old worker has read is answered, late as it may be, and nothing is lost in the overlap', async () => {
  const { master, client } = await start(ECHO('setTimeout(answer, 400)'), { instances: 2 });
  let sent = 0;
  const timer = setInterval(() => {
    if (sent - client.answers.length < MOST_UNDER_WAY) client.send(String(sent++));
  }, 1);
  for (let reload = 0; reload < 3; reload++) expect((await master.run('reload')).code).toBe(0);
  clearInterval(timer);
  await client.answered(sent);
  const numbers = client.answers.map((answer) => Number(answer.split(' ')[0])).sort((a, b) => a - b);
  expect(numbers).toEqual(Array.from({ length: sent }, (_, n) => n));
  expect(new Set(client.answers.map((answer) => answer.split(' ')[1]))).toEqual(new Set(['1', '2', '3', '4']));
});

test('a stop reads what waits in the queue, answers it, and ends', async () => {
  const SLOW = ECHO(
    "if (String(data) === 'block') { console.log('blocked'); const end = Date.now() + 1500; while (Date.now() < end); } answer()",
    'port, () => socket.setRecvBufferSize(200_000)',
  );
  const { master, client } = await start(SLOW);
  client.send('block');
  await master.printed('blocked');
  for (let n = 0; n < 250; n++) client.send(String(n)); // libuv reads 32 in one go.
  expect((await master.run('stop')).code).toBe(0);
  expect(await client.answered(251)).toHaveLength(251);
  expect((await master.exited()).code).toBe(0);
});

test.concurrent('`exclusive`, `reuseAddr`, IPv6, multicast and options: held, and as under plain node', async () => {
  const app = `
const dgram = require('node:dgram');
const port = Number(process.env.PORT);
const open = (options, bind, ready) => {
  const socket = dgram.createSocket(options);
  socket.on('message', (data, from) => socket.send(bind.is + ' ' + process.env.ZDSUP_GENERATION, from.port, from.address));
  socket.bind(bind, () => ready?.(socket));
};
open('udp4', { port, exclusive: true, is: 'exclusive' }, (socket) => {
  socket.setBroadcast(true);
  socket.setTTL(12);
  socket.setRecvBufferSize(200_000);
  if (socket.getRecvBufferSize() < 200_000) throw new Error('the buffer is ' + socket.getRecvBufferSize());
  dgram.createSocket('udp4').on('error', (error) => console.log(error.message)).bind(port);
});
open({ type: 'udp6', ipv6Only: true }, { port, address: '::1', is: 'v6' });
open({ type: 'udp4', reuseAddr: true }, { port: port + 1, address: '0.0.0.0', is: 'one' }, (socket) => {
  socket.addMembership('224.0.0.114', '127.0.0.1');
  socket.setMulticastLoopback(true);
  open({ type: 'udp4', reuseAddr: true }, { port: port + 1, address: '0.0.0.0', is: 'another' }, (second) => second.addMembership('224.0.0.114', '127.0.0.1'));
});
process.on('SIGTERM', () => process.exit());`;
  const { master, port, client } = await start(app, { instances: 2 });
  await master.printed(`bind EADDRINUSE 0.0.0.0:${port}`);
  const six = await openClient(port, '::1');
  const group = await openClient(port + 1, '224.0.0.114');
  group.socket.setMulticastInterface('127.0.0.1');
  for (const generation of [1, 2]) {
    if (generation === 2) expect((await master.run('reload')).code).toBe(0);
    for (const each of [client, six, group]) {
      each.answers.length = 0;
      each.send('?');
    }
    expect(await client.answered(1)).toEqual([`exclusive ${generation}`]);
    expect(await six.answered(1)).toEqual([`v6 ${generation}`]);
    expect((await group.answered(2)).sort()).toEqual([`another ${generation}`, `one ${generation}`]);
  }
  expect((await master.status()).listeners).toHaveLength(4);
});

test.concurrent('port 0 is private to its worker: what is sent from it is answered to it, before it is ready as well', async () => {
  const { client } = await start(
    `
const dgram = require('node:dgram');
const other = dgram.createSocket('udp4').on('message', (data, from) => other.send('pong', from.port, from.address));
const own = dgram.createSocket('udp4').on('message', (pong) => {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (data, from) => socket.send(data + ' ' + pong, from.port, from.address));
  socket.bind(Number(process.env.PORT), () => process.send('ready'));
});
other.bind(0, '127.0.0.1', () => own.bind(() => own.send('ping', other.address().port, '127.0.0.1')));`,
    { ready: 'message', instances: 2 },
  );
  client.send('hello');
  expect(await client.answered(1)).toEqual(['hello pong']);
});

test.concurrent('an app that closes its UDP socket gives it up, and one that binds it again finds what waits there', async () => {
  const { master, client } = await start(`
${ECHO("if (String(data) === 'again') { socket.close(); bindAgain(); } else if (String(data) === 'close') socket.close(); else answer()")}
function bindAgain() {
  const again = require('node:dgram').createSocket('udp4');
  again.on('message', (data, from) => data == 'close' ? again.close() : again.send('again ' + data, from.port, from.address));
  again.bind(port);
}
setInterval(() => {}, 1000);`);
  client.send('again');
  for (let n = 0; n < 20; n++) client.send(String(n));
  expect((await client.answered(20)).map((answer) => answer.replace('again ', ''))).toHaveLength(20);
  client.send('close');
  await master.statusUntil('the socket is given up', (app) => app.listeners.length === 0);
});
