/** The master holds every socket an unmodified app listens on, whatever its kind, from the first `listen` to the stop. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { freePort, freePorts } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = (listen: string): string =>
  `const server = require('node:http').createServer((request, response) => response.end(JSON.stringify(server.address())));\nserver.listen(${listen});`;

async function start(listen: string, more: Record<string, unknown> = {}): Promise<Master> {
  const project = makeProject({
    'app.js': APP(listen),
    'zdsup.config.json': JSON.stringify({ name: 'net', script: 'app.js', instances: 2, minReady: 50, ...more }),
  });
  return startMaster({ cwd: project.folder, args: [] });
}

async function get(where: { port?: number; host?: string; path?: string }): Promise<string> {
  const connection = await Connection.open(where);
  if (typeof connection === 'string') return connection;
  connection.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const response = await connection.response();
  connection.end();
  return typeof response === 'string' ? response : response.body;
}

test.concurrent('IPv4 alone', async () => {
  const port = await freePort();
  const master = await start(`${port}, '127.0.0.1'`);
  expect(JSON.parse(await get({ port }))).toEqual({ address: '127.0.0.1', family: 'IPv4', port });
  expect(await get({ port, host: '::1' })).toBe('connect: ECONNREFUSED');
  expect((await master.status()).listeners).toEqual([{ address: '127.0.0.1', port, protocol: 'http' }]);
});

test.concurrent('IPv6 alone, and `ipv6Only`', async () => {
  const [port, only] = (await freePorts(2)) as [number, number];
  await start(`${port}, '::1'`);
  expect(JSON.parse(await get({ port, host: '::1' }))).toEqual({ address: '::1', family: 'IPv6', port });
  await start(`{ port: ${only}, host: '::', ipv6Only: true }`);
  expect(await get({ port: only })).toBe('connect: ECONNREFUSED');
  expect(JSON.parse(await get({ port: only, host: '::1' }))).toMatchObject({ port: only });
});

test.concurrent('dual stack, as `listen(port)` has it', async () => {
  const port = await freePort();
  await start(`${port}`);
  for (const host of ['127.0.0.1', '::1'])
    expect(JSON.parse(await get({ port, host }))).toEqual({ address: '::', family: 'IPv6', port });
});

test.concurrent('port 0: one free port for all workers of the generation, kept across a reload', async () => {
  const master = await start('0');
  const [listener] = (await master.status()).listeners;
  const before = await get({ port: listener!.port! });
  expect(JSON.parse(before).port).toBe(listener!.port);
  expect((await master.run('reload')).code).toBe(0);
  expect(await get({ port: listener!.port! })).toBe(before);
});

test.concurrent('a unix socket: the file survives workers and reloads though the app unlinks it first, and goes at the stop', async () => {
  const project = makeProject();
  const path = project.path('app.sock');
  project.write({
    'app.js': `require('node:fs').rmSync('${path}', { force: true });\n${APP(`'${path}'`)}`,
    'zdsup.config.json': JSON.stringify({ name: 'unix', script: 'app.js', instances: 2, minReady: 50 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  expect(await get({ path })).toBe(JSON.stringify(path));
  expect((await master.run('reload')).code).toBe(0);
  expect(await get({ path })).toBe(JSON.stringify(path));
  expect((await master.status()).listeners).toEqual([{ address: null, path, protocol: 'http' }]);
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  expect(existsSync(path)).toBe(false);
});

test.concurrent('a unix socket left by a killed master does not stand in the way of the next one', async () => {
  const project = makeProject();
  const path = project.path('app.sock');
  project.write({ 'app.js': APP(`'${path}'`) });
  const first = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'unix'] });
  await first.killed();
  const second = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'unix'], world: first.world });
  expect(await get({ path })).toBe(JSON.stringify(path));
  expect((await second.run('stop')).code).toBe(0);
});

test.concurrent('of several workers that ask for such a socket at once, none takes the path from the others', async () => {
  const project = makeProject();
  const path = project.path('app.sock');
  project.write({
    'app.js': `${APP(`'${path}'`)}\nrequire('node:fs').writeFileSync('asking-' + process.pid, '');`,
    'zdsup.config.json': JSON.stringify({ name: 'unix', script: 'app.js', instances: 4, minReady: 50 }),
  });
  const first = await startMaster({ cwd: project.folder, args: [] });
  await first.killed();
  const asking = (): number => readdirSync(project.folder).filter((name) => name.startsWith('asking-')).length;
  expect(asking()).toBe(4);
  const second = await startMaster({ cwd: project.folder, args: [], world: first.world, wait: false });
  await until('all are forked', () => second.workerPids.length === 4);
  second.signal('SIGSTOP'); // What all of them ask, it then reads in one turn.
  await until('all have asked', asking, (count) => count === 8);
  second.signal('SIGCONT');
  await second.serving(1);
  expect(await get({ path })).toBe(JSON.stringify(path));
});

test.concurrent('several ports in one app', async () => {
  const [one, two] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.js': answering("'public'", one) + answering("'admin'", `${two}, '127.0.0.1'`),
    'zdsup.config.json': JSON.stringify({ name: 'two', script: 'app.js', instances: 2, minReady: 50 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  expect((await master.run('reload')).code).toBe(0);
  expect([await get({ port: one }), await get({ port: two })]).toEqual(['public', 'admin']);
  expect((await master.status()).listeners).toHaveLength(2);
});

test.concurrent('a port that only slot 0 opens is expected of slot 0 alone', async () => {
  const [one, two] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.js': `${answering("'public'", one)}if (process.env.NODE_APP_INSTANCE === '0') ${answering("'slot 0'", two)}`,
    'zdsup.config.json': JSON.stringify({ name: 'odd', script: 'app.js', instances: 2, minReady: 50 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  expect(await get({ port: two })).toBe('slot 0');
});

test.concurrent('a port in use gives the app its normal EADDRINUSE', async () => {
  const port = await freePort();
  const other = createServer().listen(port);
  const project = makeProject({
    'app.js': `require('node:net').createServer().on('error', (error) => { console.log(error.code, error.syscall, error.port); process.exit(9); }).listen(${port});`,
  });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'taken'], wait: false });
  await master.printed(`EADDRINUSE listen ${port}`);
  expect(await master.exited()).toEqual({ code: 1, signal: null });
  expect(master.stderrLines.join('\n')).toMatch(/exited with code 9 before it was ready/);
  other.close();
});

test.concurrent('`exclusive` and `reusePort` are held as well', async () => {
  for (const option of ['exclusive', 'reusePort']) {
    const port = await freePort();
    const master = await start(`{ port: ${port}, ${option}: true }`);
    const before = await get({ port });
    expect((await master.run('reload')).code).toBe(0);
    expect(await get({ port })).toBe(before);
    expect((await master.status()).listeners).toMatchObject([{ port }]);
  }
});

test.concurrent('`listen(0)` on loopback is private to its worker, and so is a port that the config names', async () => {
  const [port, inspector] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.js': `
const http = require('node:http');
if (process.env.NODE_APP_INSTANCE === '0') http.createServer((request, response) => response.end('private')).listen(${inspector});
const own = http.createServer((request, response) => response.end('own ' + process.pid)).listen(0, '127.0.0.1', () => {
  http.createServer((request, response) => http.get(own.address(), (answer) => answer.pipe(response))).listen(${port});
});`,
    'zdsup.config.json': JSON.stringify({ name: 'private', script: 'app.js', minReady: 50, private: [inspector] }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const [worker] = (await master.status()).workers;
  expect(await get({ port })).toBe(`own ${worker!.pid}`);
  expect(await get({ port: inspector })).toBe('private');
  expect((await master.status()).listeners).toMatchObject([{ port }]);
});

test.concurrent('a release that opens another port needs --allow-listeners, and ports that nobody has any more are closed', async () => {
  const [before, after] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.js': answering("'old'", before),
    'zdsup.config.json': JSON.stringify({ name: 'moves', script: 'app.js', minReady: 50 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  project.write({ 'app.js': answering("'new'", after) });
  const refused = await master.run('reload');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`listens on port ${after}, the serving release on port ${before}`);
  expect(await get({ port: after })).toBe('connect: ECONNREFUSED');
  expect((await master.run('reload', '--allow-listeners')).code).toBe(0);
  expect(await get({ port: after })).toBe('new');
  expect(await get({ port: before })).toBe('connect: ECONNREFUSED');
});

test.concurrent('an app that only looks whether another port is free can be reloaded and restarted', async () => {
  const [port, looked] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.js': `
const look = require('node:net').createServer().listen(${looked}, () => look.close(() => {
  ${answering('process.env.ZDSUP_GENERATION', port)}
}));`,
    'zdsup.config.json': JSON.stringify({ name: 'looks', script: 'app.js', minReady: 50 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  await master.statusUntil('the port that it looked at is given up', (app) => app.listeners.length === 1);
  for (const [command, generation] of [
    ['reload', '2'],
    ['restart', '3'],
  ] as const) {
    const { code, stderr } = await master.run(command);
    expect(code, stderr).toBe(0);
    expect(await get({ port })).toBe(generation);
  }
  await master.statusUntil(
    'it is given up again',
    ({ listeners }) => listeners.length === 1 && listeners[0]!.port === port,
  );
});

test.concurrent.each(['tcp', 'unix'])(
  'an app that listens after its stop has come takes no client along: %s',
  async (kind) => {
    const project = makeProject();
    const port = await freePort();
    const place = kind === 'unix' ? { path: project.path('late.sock') } : { port };
    project.write({
      'app.js': `
process.on('SIGTERM', () => {
  require('node:net').createServer().listen(${JSON.stringify(place)}, () => console.log('listens'));
  process.on('SIGUSR2', () => process.exit());
});
setInterval(() => {}, 1000);
console.log('waits');`,
    });
    const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'late'], wait: false });
    await master.printed('waits');
    master.signal('SIGTERM');
    await master.printed('listens');
    expect(await get(place)).toBe(kind === 'unix' ? 'connect: ENOENT' : 'connect: ECONNREFUSED');
    expect((await master.status()).listeners).toEqual([]);
    for (const pid of master.workerPids) killOwn(pid, 'SIGUSR2');
    expect((await master.exited()).code).toBe(0);
  },
);

test.concurrent('a unix socket by a relative path lies where the app asked, with the mode it asked for', async () => {
  const project = makeProject();
  project.write({ 'app.js': APP("{ path: 'own.sock', readableAll: true, writableAll: true }") });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'relative'] });
  expect(await get({ path: project.path('own.sock') })).toBe(JSON.stringify('own.sock'));
  // The x bits are Node's own affair: 20 leaves them, 22 and later take them away.
  expect(statSync(project.path('own.sock')).mode & 0o666).toBe(0o666);
  expect((await master.run('reload')).code).toBe(0);
  expect(await get({ path: project.path('own.sock') })).toBe(JSON.stringify('own.sock'));
});

test.concurrent('an abstract unix socket is held as any other', async () => {
  const name = `zdsup-test-${process.pid}`;
  const master = await start(`'\\0${name}'`);
  expect((await master.run('reload')).code).toBe(0);
  expect(await get({ path: `\0${name}` })).toContain(name);
});
