/** What a script builds on: which app is meant, one JSON value whatever happens, and an exit status that no closed pipe changes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ControlResult } from '../../src/shared/control-protocol.js';
import { VERSION } from '../../src/shared/version.cjs';
import { killOwn } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Finished, Master, World } from '../helpers/zdsup.js';
import { BIN, makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

/** `/held` is answered at SIGUSR2. @param never only the first generation is ever ready */
const APP = (never = false): string => `
const held = [];
require('node:http').createServer((request, response) => {
  if (request.url === '/held') held.push(response);
  else response.end('served');
}).listen(process.env.PORT);
process.on('SIGUSR2', () => held.splice(0).forEach((response) => response.end('held')));
${never ? "if (process.env.ZDSUP_GENERATION === '1')" : ''} process.send('ready');`;

async function start(name: string, more: { world?: World; never?: boolean } = {}): Promise<Master> {
  const config = { name, script: 'app.js', minReady: 0, ready: 'message', env: { PORT: await freePort() } };
  const project = makeProject({ 'app.js': APP(more.never), 'zdsup.config.json': JSON.stringify(config) });
  return startMaster({ ...(more.world ? { world: more.world } : {}), cwd: project.folder, args: [] });
}

const portOf = async (master: Master): Promise<number> => (await master.status()).listeners[0]!.port!;

/** A command whose reader leaves after the first bytes it gets, as `| head -1` does. */
async function readerLeaves(master: Master, args: string[], leaves: 'stdout' | 'stderr'): Promise<Finished> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: master.cwd,
    env: { ...master.world.env, PWD: master.cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
  const read = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) child[stream].on('data', (chunk) => (read[stream] += chunk));
  if (leaves === 'stdout') child.stdout.destroy();
  else child.stderr.once('data', () => child.stderr.destroy());
  const [code] = (await once(child, 'exit')) as [number | null];
  return { code, ...read };
}

test.concurrent('a reader that leaves changes neither the work nor the exit status, and is told no stack trace', async () => {
  const master = await start('piped');
  for (const args of [['status'], ['status', '--json']])
    expect(await readerLeaves(master, args, 'stdout')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect((await readerLeaves(master, ['reload'], 'stderr')).code).toBe(0);
  expect((await master.status()).generation).toBe(2);
  expect((await readerLeaves(master, ['reload', 'nobody'], 'stdout')).code).toBe(3);
});

const MISUSES: [args: string[], message: RegExp, hint: RegExp][] = [
  [['relaod', '--json'], /^unknown command 'relaod'$/, /^Did you mean reload\? zdsup --help/],
  [['cancel', '--json'], /^unknown command 'cancel'$/, /^zdsup abort gives up the reload under way/],
  [['undo', '--json'], /^unknown command 'undo'$/, /^zdsup rollback goes back to what was good before/],
  [['reload', '--json', '--jsno'], /^unknown option '--jsno'$/, /^Did you mean --json\? zdsup reload --help$/],
  [['stop', 'a', 'b', '--json'], /^too many arguments for 'stop'/, /^zdsup stop --help$/],
  [['start', 'app.js', '-i', 'many', '--json'], /'many' is invalid\. Allowed are/, /^zdsup start --help$/],
];

test.concurrent.each(MISUSES)('wrong usage is one JSON value as well: %j', async (args, message, hint) => {
  const { code, stdout, stderr } = await zdsup(makeWorld(), args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    type: 'result',
    ok: false,
    exitStatus: 2,
    error: {
      code: 'ZDSUP_USAGE',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
      exitStatus: 2,
    },
  });
});

test.concurrent("a --json behind -- is the app's own", async () => {
  const { code, stdout, stderr } = await zdsup(makeWorld(), ['start', 'no.js', '--', '--json']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^error: no such script/);
});

test.concurrent('for `all`, --json prints a list with names, and what one app comes to does not keep the next from its turn', async () => {
  const world = makeWorld();
  const all = async (
    command: string,
  ): Promise<{ code: number | null; results: (ControlResult & { app: string })[] }> => {
    const { code, stdout } = await zdsup(world, [command, 'all', '--json']);
    return { code, results: JSON.parse(stdout) as (ControlResult & { app: string })[] };
  };
  const broken = await start('broken', { world, never: true });
  const fine = await start('fine', { world });
  const reload = all('reload');
  await broken.seen('its rollout is under way', (line) => line.kind === 'worker-started' && line.generation === 2);
  await broken.killed();
  expect(await reload).toMatchObject({
    code: 1,
    results: [
      { app: 'broken', ok: false, exitStatus: 1, error: { code: 'ZDSUP_CONTROL_PROTOCOL' } },
      { app: 'fine', ok: true, exitStatus: 0, command: 'reload', generation: 2 },
    ],
  });
  expect(await all('stop'), 'a list also where only one runs').toMatchObject({
    code: 0,
    results: [{ app: 'fine', ok: true, command: 'stop', message: 'stopped' }],
  });
  expect(await fine.exited()).toEqual({ code: 0, signal: null });
});

/** Runs where `PWD` may be another folder than the one the command is in. */
async function stopFrom(world: World, cwd: string, pwd: string): Promise<string> {
  const moved = { ...world, env: { ...world.env } };
  const { code, stdout, stderr } = await zdsup(moved, ['stop'], { cwd, node: ['--require', setPwd(pwd)] });
  return code === 0 ? stdout.split(':', 1)[0]! : stderr;
}

const setPwd = (pwd: string): string =>
  makeProject({ 'pwd.cjs': `process.env.PWD = ${JSON.stringify(pwd)};` }).path('pwd.cjs');

const FOLDERS: [what: string, at: (one: Project, two: Project) => [cwd: string, pwd: string]][] = [
  ['its package.json', (one) => [one.folder, one.folder]],
  ['the package.json above', (one) => [one.path('lib/deep'), one.path('lib/deep')]],
  ['the folder it is in, whatever PWD another process has left', (one, two) => [one.folder, two.folder]],
  ['the folder it is in, where PWD names none', (one) => [one.folder, '/no/such/folder']],
];

test.concurrent.each(FOLDERS)('without a name the app is that of %s', async (_what, at) => {
  const world = makeWorld();
  const [one, two] = ['one', 'two'].map((name) =>
    makeProject({ 'package.json': JSON.stringify({ name }), 'lib/deep/x': '', 'app.js': answering("''", 0) }),
  ) as [Project, Project];
  for (const { folder } of [one, two]) await startMaster({ world, cwd: folder, args: ['app.js'] });
  expect(await stopFrom(world, ...at(one, two))).toBe('one');
});

test.concurrent('a folder without a package.json inside of another package is named as `start` names it there', async () => {
  const world = makeWorld();
  const project = makeProject({ 'package.json': '{"name": "around"}', 'inner/app.js': answering("''", 0) });
  const inner = await startMaster({ world, cwd: project.path('inner'), args: ['app.js'] });
  expect((await inner.status()).name).toBe('inner');
  await startMaster({ world, cwd: project.folder, args: ['inner/app.js', '--name', 'other'] });
  expect(await stopFrom(world, project.path('inner'), project.path('inner'))).toBe('inner');
});

/** Something else than zdsup at an app's socket. */
async function impostor(
  world: World,
  name: string,
  onConnection: (socket: Socket, server: Server) => void,
): Promise<Server> {
  mkdirSync(join(world.home, 'run'), { recursive: true, mode: 0o700 });
  const server = createServer((socket) =>
    onConnection(
      socket.on('error', () => {}),
      server,
    ),
  );
  server.listen(join(world.home, 'run', `${name}.sock`));
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

test.concurrent('a master that goes without a word counts as gone, one that stays and hangs up is unresponsive, one that talks nonsense is an error, and none hangs a command', async () => {
  const world = makeWorld();
  const leaves = (): Promise<Server> =>
    impostor(world, 'leaves', (socket, server) =>
      socket.once('data', () => {
        server.close(); // As a process that ends: its socket goes first.
        socket.destroy();
      }),
    );
  await leaves();
  expect(await zdsup(world, ['status'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('no app is running'),
  });
  for (const command of ['status', 'reload', 'stop']) {
    await leaves();
    expect(await zdsup(world, [command, 'leaves'])).toMatchObject({
      code: 3,
      stdout: '',
      // By which of its looks it finds out is up to the host: before it asks, or as it does.
      stderr: expect.stringMatching(/leaves is not running (any more|\(no app is\)) \(ZDSUP_APP_NOT_RUNNING\)\nhint: /),
    });
  }
  await impostor(world, 'drops', (socket) => void socket.once('data', () => socket.destroy()));
  for (const command of ['reload', 'stop'])
    expect(await zdsup(world, [command, 'drops'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /drops is unresponsive: it hangs up .*\(ZDSUP_APP_UNRESPONSIVE\)\nhint: .*ulimit -n/,
      ),
    });
  await impostor(world, 'babbles', (socket) => void socket.once('data', () => socket.end('hello\n')));
  for (const command of ['status', 'reload', 'stop'])
    expect(await zdsup(world, [command, 'babbles'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/babbles failed: the answer is not JSON \(ZDSUP_CONTROL_PROTOCOL\)\nhint: /),
    });
});

test.concurrent('a stopped master whose queue is full is unresponsive and no less running, and is fine once it goes on', async () => {
  const master = await start('stuck');
  const port = await portOf(master);
  master.signal('SIGSTOP');
  const queued: Socket[] = [];
  onTestFinished(() => queued.forEach((socket) => void socket.destroy()));
  for (let full = false; !full; )
    full = await new Promise((resolve) => {
      const socket = connect(join(master.world.home, 'run/stuck.sock'), () => resolve(false));
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
      queued.push(socket);
    });
  const { code, stdout } = await master.run('status', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    apps: [
      {
        name: 'stuck',
        state: 'unresponsive',
        masterPid: master.pid,
        version: VERSION,
        startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        release: null,
        generation: null,
        listeners: [],
        weights: {},
        rollout: null,
        workers: [],
      },
    ],
  });
  expect(await master.run('reload')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /the master of stuck is unresponsive: its queue of connections is full \(ZDSUP_APP_UNRESPONSIVE\)\nhint: /,
    ),
  });
  expect((await master.run('start')).code, 'a second start').toBe(4);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('served');
  for (const socket of queued) socket.destroy();
  master.signal('SIGCONT');
  await master.statusUntil('it is fine', (app) => app.state === 'running' && app.workers[0]?.restarts === 0);
});

test('USR1 and USR2 end nothing; two presses of Ctrl-C within a second are one: what is in flight is answered', async () => {
  const master = await start('pressed');
  const connection = (await Connection.open({ port: await portOf(master) })) as Connection;
  connection.socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  const { workers } = await master.statusUntil('it is in flight', (app) => app.workers[0]!.inFlight === 1);
  master.signal('SIGUSR1');
  master.signal('SIGUSR2');
  expect((await master.status()).workers).toMatchObject([{ pid: workers[0]!.pid, state: 'active', inFlight: 1 }]);
  master.signal('SIGINT');
  master.signal('SIGINT');
  await master.seen('it drains', (line) => line.kind === 'worker-retired');
  killOwn(workers[0]!.pid!, 'SIGUSR2');
  expect(await connection.response()).toMatchObject({ status: 200, body: 'held' });
  expect(await master.exited()).toEqual({ code: 0, signal: null });
});
