/** The control socket bears whatever is said to it, holds on to nobody, and leaves nothing behind. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listenForControl } from '../../src/master/control-server.js';
import type { ControlAnswer } from '../../src/shared/control-protocol.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster } from '../helpers/zdsup.js';

async function start(): Promise<{ master: Master; path: string; port: number }> {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering("'served'", port) });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'sock'] });
  return { master, path: join(master.world.home, 'run/sock.sock'), port };
}

/** A client that stays until the master ends the connection for good. */
class Client {
  heard = '';
  readonly socket: Socket;
  /** Settles when the master has said its last word. */
  readonly over: Promise<void>;

  constructor(path: string, allowHalfOpen = false) {
    this.socket = connect({ path, allowHalfOpen });
    this.socket.on('data', (chunk) => (this.heard += chunk)).on('error', () => {});
    this.over = new Promise((resolve) => this.socket.on('end', resolve).on('close', resolve));
    onTestFinished(() => void this.socket.destroy());
  }

  say(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** The one answer, after which the master ended the connection. */
  async answer(): Promise<ControlAnswer> {
    await this.over;
    return JSON.parse(this.heard) as ControlAnswer;
  }
}

async function serves({ master, port }: { master: Master; port: number }): Promise<void> {
  expect((await master.status()).state).toBe('running');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('served');
}

const refusal = (message: string | RegExp): object => ({
  type: 'result',
  ok: false,
  exitStatus: 2,
  error: {
    code: 'ZDSUP_CONTROL_PROTOCOL',
    message: expect.stringMatching(message),
    hint: 'use the zdsup command of the same version as the master',
    exitStatus: 2,
  },
});

test.concurrent('each thing that is no request gets its own refusal, and the master serves on', async () => {
  const scene = await start();
  const REFUSED: [said: string, why: string | RegExp][] = [
    ['\x00\xff\xfe garbage\n', /^the request is not JSON$/],
    ['\n', /^the request is not JSON$/],
    ['null\n', /^the request is no JSON object$/],
    ['42\n', /^the request is no JSON object$/],
    ['"stop"\n', /^the request is no JSON object$/],
    ['["stop"]\n', /^the request is no JSON object$/],
    ['{}\n', /^the request names no command$/],
    ['{"command": "explode"}\n', /^unknown command "explode"$/],
    ['{"command": ["stop"]}\n', /^unknown command \["stop"\]$/],
    ['{"command": "__proto__"}\n', /^unknown command "__proto__"$/],
    ['{"command": "canary"}\n', /^canary with weight undefined makes no sense$/],
    ['{"command": "canary", "weight": "5"}\n', /^canary with weight "5" makes no sense$/],
    ['{"command": "canary", "weight": -1}\n', /^canary with weight -1 makes no sense$/],
    ['{"command": "canary", "weight": 100.5}\n', /^canary with weight 100.5 makes no sense$/],
    ['{"command": "reload", "weight": 100}\n', /^reload with weight 100 makes no sense$/],
    ['{"command": "restart", "weight": 5}\n', /^restart with weight 5 makes no sense$/],
    [
      '{"command": "reload", "release": {"id": "a", "path": "b", "from": "/c"}}\n',
      /^reload with release \{.*\} makes no sense$/,
    ],
    ['{"command": "reload", "release": "abcd1234"}\n', /^reload with release "abcd1234" makes no sense$/],
    ['{"command": "stop", "release": null}\n', /^stop with release null makes no sense$/],
    [`{"command": "status", "x": "${'x'.repeat(64 * 1024)}"}\n`, /^the request is longer than 65536 bytes$/],
    ['x'.repeat(1024 * 1024), /^the request is longer than 65536 bytes$/],
  ];
  for (const [said, why] of REFUSED)
    expect(await new Client(scene.path).say(said).answer(), said.slice(0, 40)).toEqual(refusal(why));
  await serves(scene);
});

test.concurrent('a request that ends in the middle is refused at once, one that only stalls after 5 s', async () => {
  const scene = await start();
  const cut = new Client(scene.path, true).say('{"command": "sto');
  const stalled = new Client(scene.path).say('{"command": "sto');
  cut.socket.end();
  expect(await cut.answer()).toEqual(refusal(/^the request is no whole line$/));
  expect(stalled.heard, 'the other is still waited for').toBe('');
  expect(await stalled.answer()).toEqual(refusal(/^no whole request came within 5000 ms$/));
  await serves(scene);
});

test.concurrent('a request may come in pieces, and what follows its line is not read', async () => {
  const scene = await start();
  const client = new Client(scene.path);
  for (const piece of ['{"comm', 'and": "sta', 'tus"}\n{"command": "stop"}\n']) {
    client.say(piece);
    await new Promise(setImmediate);
  }
  expect(await client.answer()).toMatchObject({ type: 'result', ok: true, command: 'status', app: { name: 'sock' } });
  await serves(scene);
});

test.concurrent('200 idle connections keep nobody else from being answered, and are all ended', async () => {
  const scene = await start();
  const idle = Array.from({ length: 200 }, () => new Client(scene.path));
  await serves(scene);
  for (const client of idle) expect(await client.answer()).toEqual(refusal(/^no whole request came within 5000 ms$/));
  await serves(scene);
});

test.concurrent('a client that has its answer and never leaves is left, one that only looks in is not waited for', async () => {
  const path = join(temporaryFolder(), 'control.sock');
  const control = await listenForControl(path, () =>
    Promise.resolve({ type: 'result', ok: true, exitStatus: 0, command: 'stop', durationMs: 0, message: 'done' }),
  );
  const stays = new Client(path, true).say('{"command": "stop"}\n');
  expect(await stays.answer()).toMatchObject({ message: 'done' });
  const looked = new Client(path);
  looked.socket.end();
  await looked.over;
  expect(looked.heard).toBe('');
  // The kernel tells a writer that its peer has gone, and not that it has merely stopped to write.
  await new Promise<void>((gone) => {
    const timer = setInterval(() => stays.socket.write('x'), 50);
    stays.socket.on('error', () => {
      clearInterval(timer);
      gone();
    });
  });
  await control.close();
});

test.concurrent('the socket is for its owner alone, and nothing of it is left after a stop', async () => {
  const { master, path } = await start();
  const folder = join(path, '..');
  expect(readdirSync(folder)).toEqual(['sock.sock']);
  expect([statSync(path).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
  expect((await master.run('stop')).code).toBe(0);
  expect(readdirSync(folder), 'already when the command returns').toEqual([]);
  expect(await master.exited()).toEqual({ code: 0, signal: null });
});

const FAILURES: [what: string, files: Record<string, string>, args: string[]][] = [
  ['whose app fails', { 'app.js': 'process.exit(3);' }, ['app.js', '--name', 'sock']],
  ['whose config is refused', { 'app.js': '', 'zdsup.config.json': '{"script": 1}' }, []],
];

test.concurrent.each(FAILURES)('nothing of it is left after a start %s', async (_what, files, args) => {
  const world = makeWorld();
  const project = makeProject(files);
  const master = await startMaster({ world, cwd: project.folder, args, wait: false });
  expect((await master.exited()).code).toBeGreaterThan(0);
  expect(existsSync(join(world.home, 'run')) ? readdirSync(join(world.home, 'run')) : []).toEqual([]);
});

test.concurrent('a master that ends leaves what somebody else has put in the place of its socket', async () => {
  const { master, path } = await start();
  rmSync(path);
  writeFileSync(path, 'of another');
  master.signal('SIGTERM');
  expect(await master.exited()).toEqual({ code: 0, signal: null });
  expect(readFileSync(path, 'utf8')).toBe('of another');
});

test.concurrent('a start that is refused leaves the socket of the one that runs, and nothing of its own', async () => {
  const scene = await start();
  const refused = await scene.master.run('start', 'app.js', '--name', 'sock');
  expect(refused.code, refused.stderr).toBe(4);
  expect(readdirSync(join(scene.path, '..'))).toEqual(['sock.sock']);
  await serves(scene);
});

test.concurrent('of two starts over the stale socket of a killed master one wins, and the other is refused with 4', async () => {
  const { master: killed, path } = await start();
  await killed.killed();
  const options = { world: killed.world, cwd: killed.cwd, args: ['app.js', '--name', 'sock'], wait: false };
  const masters = await Promise.all([startMaster(options), startMaster(options)]);
  const [loser, winner] = await Promise.race(
    masters.map((master, index) => master.exited().then(() => [master, masters[1 - index]!] as const)),
  );
  expect((await loser.exited()).code, loser.transcript()).toBe(4);
  await winner.serving(1);
  expect((await winner.status()).masterPid).toBe(winner.pid);
  expect(readdirSync(join(path, '..'))).toEqual(['sock.sock']);
});

test.concurrent('what a killed process of the same id has left does not stand in the way', async () => {
  const path = join(temporaryFolder(), '.4711');
  const left = createServer().listen(path);
  await new Promise((resolve) => left.once('listening', resolve));
  const control = await listenForControl(path, () => Promise.reject(new Error('nobody asks')));
  await control.close();
  left.close();
});
