/** Apps that do what few do: each behaves as under `node`, or gets one clear message, and is reloaded as any other. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { descriptorsOf } from '../helpers/kernel.js';
import { ask, openConnection } from '../helpers/load/asking.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { lostCount } from '../helpers/load/tally.js';
import { reload, startNumbered } from '../helpers/numbered.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster } from '../helpers/zdsup.js';

const START = `
const http = require('node:http'), net = require('node:net'), cluster = require('node:cluster');
const port = Number(process.env.PORT), say = (...words) => console.log(...words);
const serve = (text = process.env.ZDSUP_GENERATION) => http.createServer((request, response) => response.end(String(text)));
`;

/** Each says what it meets, and at last 'done'. What it says must be the same under plain node, and in each generation. */
const SAYING: [what: string, app: string][] = [
  [
    'listens twice on one port',
    `serve().listen(port, () => serve().on('error', (error) => { say(error.message, error.code, error.port); say('done'); }).listen(port));`,
  ],
  [
    'takes the next port when one is taken',
    `
const open = (n, left) => serve().on('error', (error) => { say(error.code, n); open(n + 1, left); })
  .listen(n, function () { say('has', this.address().port); if (left > 1) open(port, left - 1); else say('done'); });
open(port, 3);`,
  ],
  [
    'looks whether a port is free before it takes it',
    `
const probe = net.createServer();
probe.listen(port, () => { const { port } = probe.address(); probe.close(() => serve().listen(port, () => { say('has', port); say('done'); })); });`,
  ],
  [
    'closes its server and listens again with another one in the same breath',
    `
const first = serve().listen(port, () => {
  first.close(() => say('closed', first.listening));
  const second = serve().listen(port, () => { say('again', second.address().port); setTimeout(say, 50, 'done'); });
});`,
  ],
  [
    'closes its server and listens again with the same one',
    `
const server = serve();
server.listen(port, () => server.close(() => server.listen(port, () => { say('again', server.listening); say('done'); })));`,
  ],
  [
    'reads its address the moment `listen` has returned',
    `
const server = serve().listen(port, () => { say('listening'); say('done'); });
say(JSON.stringify(server.address()), server.listening);`,
  ],
  [
    'closes a server the moment `listen` has returned',
    `
const server = net.createServer(() => {}).on('listening', () => say('listening')).listen(port);
server.close((error) => { say('closed', error?.code, server.listening); setTimeout(() => serve().listen(port, () => say('done')), 20); });`,
  ],
  [
    'ends its server by an AbortSignal',
    `
const control = new AbortController();
const server = serve().on('close', () => { say('closed', server.listening); serve().listen(port, () => say('done')); });
server.listen({ port, signal: control.signal }, () => control.abort());`,
  ],
  [
    'gives a backlog and an address',
    `
const server = serve().listen({ port, host: '127.0.0.1', backlog: 7 }, () => { say(JSON.stringify(server.address())); say('done'); });`,
  ],
  [
    'listens on a descriptor that is none',
    `serve().on('error', (error) => { say(error.code, error.syscall); serve().listen(port, () => say('done')); }).listen({ fd: 99 });`,
  ],
  [
    'replaces process.emit',
    `
const emit = process.emit;
process.emit = function (name, ...args) { if (name === 'SIGTERM') say('never here'); return emit.call(this, name, ...args); };
serve().listen(port, () => { say(process.emit('own', 1)); say('done'); });`,
  ],
  [
    'closes a server that does not listen, and counts its connections',
    `
const server = serve();
server.close((error) => { say(error.code); server.listen(port, () => server.getConnections((problem, count) => { say(problem, count); say('done'); })); });`,
  ],
  [
    'listens on the same port in a thread, which is taken',
    `
const { Worker } = require('node:worker_threads');
serve().listen(port, () => new Worker("require('node:http').createServer().on('error', (error) => console.log(error.code)).listen(" + port + ")", { eval: true }).on('exit', () => say('done')));`,
  ],
];

test.concurrent.each(SAYING)('an app that %s', async (_what, app) => {
  const port = await freePort();
  const project = makeProject({ 'app.js': `${START}${app}` });
  const plain = await plainly(project.folder, port);
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.js', '--name', 'odd'],
    env: { PORT: String(port) },
  });
  for (const generation of [1, 2]) {
    if (generation === 2) {
      master.stdoutLines.length = 0;
      const { code, stderr } = await master.run('reload');
      expect(code, stderr).toBe(0);
    }
    await master.printed('done');
    expect(master.stdoutLines).toEqual(plain);
    expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()).toBe(
      String(generation),
    );
  }
  expect(master.stderrLines).toEqual([]);
});

/** What it says under plain node, up to 'done'. */
async function plainly(cwd: string, port: number): Promise<string[]> {
  const child = spawn(process.execPath, ['app.js'], {
    cwd,
    env: { ...makeWorld().env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === 'done') child.kill('SIGKILL');
  }
  return lines;
}

async function start(app: string, config: Record<string, unknown> = {}): Promise<{ master: Master; port: number }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': `${START}${app}`,
    'zdsup.config.json': JSON.stringify({
      name: 'odd',
      script: 'app.js',
      minReady: 50,
      env: { PORT: port },
      ...config,
    }),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port };
}

test('an app that calls process.disconnect() sees what it would see, serves on, and is reloaded without a loss', async () => {
  const { master, port } = await start(`
process.on('disconnect', () => say('event', process.connected));
process.disconnect();
say('connected', process.connected);
process.send('x', (error) => say(error.code));
serve().listen(port);`);
  await master.printed('event false');
  expect(new Set(master.stdoutLines)).toEqual(new Set(['connected false', 'ERR_IPC_CHANNEL_CLOSED', 'event false']));
  const load = startLoad({ port }, 5, keepAlive());
  await load.reached(50);
  expect((await master.run('reload')).code).toBe(0);
  await expectNothingLost(load, 50);
  expect((await master.run('stop')).code).toBe(0);
});

test.concurrent('orphans of an app that has called process.disconnect() drain and end as others do', async () => {
  const { master } = await start(`
process.disconnect();
serve().listen(port);`);
  await master.killed();
  await master.exited(); // Its output is closed by the last of its workers.
});

test('a worker that calls cluster.worker.disconnect() serves until its successor does, and one line says so', async () => {
  const { master, port } = await start(`
setTimeout(() => http.createServer((request, response) => {
  if (request.url === '/leave') cluster.worker.disconnect();
  response.end(String(process.pid));
}).listen(port), 300);`);
  const load = startLoad({ port }, 5, perRequest());
  await load.reached(20);
  await fetch(`http://127.0.0.1:${port}/leave`, { headers: { connection: 'close' } });
  const [first] = master.workerPids;
  await master.seen('its successor', (line) => line.kind === 'worker-active' && line.pid !== first);
  const tally = await expectNothingLost(load, 50);
  expect(tally.answeredBy.size).toBe(2);
  expect(tally.longestMs).toBeLessThan(10_000);
  expect(master.log.filter((line) => line.msg.includes('cluster.worker.disconnect()')).map((line) => line.msg)).toEqual(
    [
      expect.stringMatching(
        /^worker 0 of generation 1 has called cluster.worker.disconnect\(\): it serves until its successor does; its replacement is on the way$/,
      ),
    ],
  );
  expect((await master.run('stop')).code).toBe(0);
});

test('process.exit() in a handler costs the requests in flight there, and no connection is refused', async () => {
  const { master, port } = await start(`
http.createServer((request, response) => request.url === '/exit' ? process.exit(3) : response.end(String(process.pid))).listen(port);`);
  const load = startLoad({ port }, 5, perRequest());
  await load.reached(20);
  await expect(fetch(`http://127.0.0.1:${port}/exit`)).rejects.toThrow();
  await master.seen('the exit', (line) => line.msg.includes('exited with code 3; it is started again'));
  await load.reached(load.tally.answered + 50);
  const tally = await load.stop();
  expect(lostCount(tally), JSON.stringify(tally.lost)).toBeLessThanOrEqual(5);
  expect(tally.lost['connect: ECONNREFUSED']).toBeUndefined();
});

test('an app that listens late loses nothing in a reload', async () => {
  const { master, port } = await start('setTimeout(() => serve().listen(port), 700);');
  await master.statusUntil('it listens', (app) => app.listeners.length === 1);
  const load = startLoad({ port }, 5, perRequest());
  await load.reached(20);
  expect((await master.run('reload')).code).toBe(0);
  await expectNothingLost(load, 20);
});

test('an app that closes its server and listens again refuses nobody meanwhile', async () => {
  const { port } = await start(`
let server;
const open = () => { server = serve().listen(port); };
open();
setInterval(() => { server.close(); open(); }, 20);`);
  const load = startLoad({ port }, 5, perRequest());
  await load.reached(1_000);
  // Node itself resets what it has accepted and not read yet (plain node: 600 of 6,800, and it refuses 280 more).
  expect((await load.stop()).lost['connect: ECONNREFUSED']).toBeUndefined();
});

test('an app that sends sockets to its master, which wants none, and ever new reasons, leaves nothing behind there', async () => {
  const { master, port } = await startNumbered({
    config: { instances: 1 },
    app: `
      const net = require('node:net');
      const forged = (fields, handle) => new Promise((sent) => process.send({ cmd: 'NODE_ZDSUP', ...fields }, handle, sent));
      const plain = (handle) => new Promise((sent) => process.send('here', handle, sent));
      const socketPair = () => new Promise((made) => {
        const lone = net.createServer((socket) => made(socket)).listen(0, '127.0.0.1', () => net.connect(lone.address().port, '127.0.0.1'));
      });
      async function forge() {
        const { _handle: handle } = await socketPair();
        for (let round = 0; round < 20; round++) {
          await forged({ act: 'pong', seq: -1 }, handle);
          await forged({ act: 'no such' }, handle);
          await forged({ act: 'bounced', key: 'x', backlog: 'none' }, handle);
          await forged({ cmd: 'NODE_OTHER' }, handle);
          await plain(await socketPair());
          await plain(net.createServer().listen(0, '127.0.0.1'));
          await forged({ act: 'handoff', seq: 1, key: 'x' }, await socketPair());
        }
        for (const why of [{ toString: 1, valueOf: 1 }, 7, null]) await forged({ act: 'handover-off', why });
        await forged({ act: 'handover-off', why: 'all was sent' });
        for (let round = 0; round < 1_000; round++) await forged({ act: 'handover-off', why: 'reason ' + round });
        await forged({ act: 'leaving' });
      }
      require('node:http').createServer((request, response) => {
        if (request.url === '/forge') forge();
        handle(request, response);
      }).listen(process.env.PORT);`,
  });
  const before = descriptorsOf(master.pid);
  await fetch(`http://127.0.0.1:${port}/forge`);
  await master.seen('all handles have come', ({ msg }) => msg.includes('all was sent'));
  const after = descriptorsOf(master.pid);
  expect(after - before, 'descriptors more').toBeLessThan(10);
  const [first] = master.workerPids;
  await master.seen('all has been read', ({ kind, pid }) => kind === 'worker-started' && pid !== first);
  expect(master.log.filter(({ msg }) => msg.includes('not handed over')).length).toBeLessThanOrEqual(10);
});

test('an app that speaks as the preload does, and makes no sense, ends no master', async () => {
  const { master, port } = await startNumbered({
    config: { instances: 1 },
    app: `
      const socket = require('node:path').join(process.cwd(), 'app.sock');
      const NONSENSE = [undefined, null, -1, 2.5, 1e308, 'x', {}, true];
      const FIELDS = ['seq', 'key', 'errno', 'mode', 'id', 'connections', 'why', 'backlog', 'inFlight', 'requests', 'heard'];
      const ACTS = ['pong', 'chmod', 'owned', 'stats', 'signalled', 'handoff', 'handoff-asked', 'claim', 'decline', 'load', 'bounced', 'listen', 'valueOf'];
      const SPECS = [
        { address: null, port: null, addressType: -1, flags: 0, index: 0, protocol: 'http' },
        { address: null, port: -1, addressType: 4, flags: 0, index: 0, protocol: 'http' },
        { address: 'x', port: 1e9, addressType: 77, flags: -1, index: {}, protocol: 'udp' },
      ];
      const server = require('node:http').createServer(handle);
      require('node:http').createServer().listen(socket, () => {
        for (const act of ACTS)
          for (const value of NONSENSE)
            process.send({ cmd: 'NODE_ZDSUP', act, ...Object.fromEntries(FIELDS.map((field) => [field, value])) });
        for (const mode of NONSENSE) process.send({ cmd: 'NODE_ZDSUP', act: 'chmod', key: 'unix:' + socket, mode });
        for (const spec of [...SPECS, ...NONSENSE]) process.send({ cmd: 'NODE_ZDSUP', act: 'listen', seq: 1_000, spec });
        server.listen(process.env.PORT);
      });`,
  });
  const connection = await openConnection(port);
  expect(await ask(connection)).toMatchObject({ generation: 1 });
  await reload(master);
  expect(await ask(connection)).toMatchObject({ generation: 2, closes: false });
});

test('an app that lies about its figures shows no wrong ones, and steers no terminal', async () => {
  const { master } = await startNumbered({
    config: { instances: 1 },
    app: `
      const LIES = [
        { connections: '\\x1b]0;mine\\x07', inFlight: {}, requests: [1], webSockets: null },
        { connections: 1e308, inFlight: -5, requests: 2.5, webSockets: 0 },
        {},
      ];
      process.prependListener('internalMessage', ({ cmd, act, seq }) => {
        if (cmd === 'NODE_ZDSUP' && act === 'stats') for (const lie of LIES) process.send({ cmd, act, seq, ...lie });
      });
      require('node:http').createServer(handle).listen(process.env.PORT);
      require('node:net').createServer().listen(process.cwd() + '/\\x1b[2J.sock');`,
  });
  const { code, stdout } = await master.run('status');
  expect(code).toBe(0);
  expect(stdout).toMatch(/tcp \S+\/\.sock$/m);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect((await master.status()).workers).toMatchObject([{ connections: 0, inFlight: 0, requests: 0 }]);
});
