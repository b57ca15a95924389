/** The master's HTTP by the real command: off until wanted, refused where it would be open to others, and its token told to whoever owns the app, alone. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { freePorts } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { Terminal } from '../helpers/pty.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import { get } from '../helpers/web.js';
import { makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const CONFIG = { name: 'shop', script: 'app.cjs', minReady: 0, soak: 0 };
const projectOf = (port: number, http: unknown) =>
  makeProject({
    'app.cjs': answering("'served'", port),
    'zdsup.config.json': JSON.stringify({ ...CONFIG, http }),
  });

/** Nothing was started: no worker, no socket, no record. */
const traces = (home: string): string[] =>
  ['run', 'apps', 'journal', 'tokens'].flatMap((name) =>
    existsSync(join(home, name)) ? readdirSync(join(home, name)) : [],
  );

test.concurrent('a start whose port is taken, or would be open to others, starts nothing', async () => {
  const [port, taken] = (await freePorts(2)) as [number, number];
  const other = createServer().listen(taken, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const world = makeWorld();
  const project = projectOf(port, { port: taken });
  const [inUse, open] = await Promise.all([
    zdsup(world, ['start'], { cwd: project.folder }),
    zdsup(world, ['start', '--daemon'], { cwd: projectOf(port, { port: taken, host: '0.0.0.0' }).folder }),
  ]);
  expect(inUse).toMatchObject({ code: 1, stdout: '' });
  expect(inUse.stderr).toBe(
    `error: the HTTP of the master cannot listen on http://127.0.0.1:${taken}: another process listens there (ZDSUP_HTTP_LISTEN)\nhint: name another one: http in the config, or --http <port>\n`,
  );
  expect(open).toMatchObject({ code: 2, stdout: '' });
  expect(open.stderr).toContain('http.host is "0.0.0.0"');
  expect(open.stderr).toContain('beyond it, set http.token');
  expect(traces(world.home)).toEqual([]);
});

test.concurrent('it lives while the app boots, is ready when it serves, and not any more when it is being stopped', async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.cjs': `
      const server = require('node:http').createServer((request, response) => request.url === '/slow' ? response.write('x') : response.end('served'));
      process.stdin.resume(); const look = setInterval(() => { if (require('node:fs').existsSync('go')) { clearInterval(look); server.listen(${port}); } }, 20);`,
  });
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.cjs', '--name', 'shop', '--http', String(http)],
    wait: false,
  });
  const at = (path: string) => get({ port: http }, path);
  await master.seen('the master listens', ({ msg }) => msg.includes(`are at http://127.0.0.1:${http}`));
  expect(await at('/livez')).toMatchObject({ status: 200 });
  expect(await at('/readyz')).toMatchObject({ status: 503, body: 'not ready: its first workers are starting\n' });
  project.write({ go: '' });
  await master.serving(1);
  expect(await at('/readyz')).toMatchObject({ status: 200, body: 'ok: 1 of 1 workers serve\n' });
  const slow = await fetch(`http://127.0.0.1:${port}/slow`);
  master.signal('SIGTERM');
  await master.seen('the stop', ({ kind }) => kind === 'stopping');
  expect(await at('/readyz')).toMatchObject({ status: 503, body: 'not ready: it is being stopped\n' });
  expect((await at('/livez')).status).toBe(200);
  await slow.body!.cancel();
  expect((await master.exited()).code).toBe(0);
  await expect(at('/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test.concurrent('the token is printed by zdsup dashboard, and is in no log, no other command and no other file', async () => {
  const [port, http, next] = (await freePorts(3)) as [number, number, number];
  const world = makeDaemonWorld();
  const project = projectOf(port, undefined);
  const said: string[] = [];
  const run = async (...args: string[]) => {
    const finished = await zdsup(world, args, { cwd: project.folder });
    said.push(`${finished.stdout}${finished.stderr}`);
    return finished;
  };
  const config = (given: unknown) => project.write({ 'zdsup.config.json': JSON.stringify({ ...CONFIG, http: given }) });
  expect((await run('start', '--daemon')).code).toBe(0);
  const off = await run('dashboard');
  expect(off).toMatchObject({ code: 1, stdout: '' });
  expect(off.stderr).toBe(
    'error: shop has no dashboard: its master has no HTTP (ZDSUP_HTTP_OFF)\nhint: put http: 9000 into zdsup.config.json, then zdsup reload shop; or zdsup stop shop, then zdsup start shop --http 9000\n',
  );
  config(http);
  expect((await run('reload')).code).toBe(0);
  const link = (await zdsup(world, ['dashboard'], { cwd: project.folder })).stdout.trim();
  const [, random] = /^http:\/\/127\.0\.0\.1:\d+\/\?token=([\w-]{43})$/.exec(link)!;
  expect(link).toContain(`:${http}/`);
  expect((await get({ port: http }, new URL(link).search && `/${new URL(link).search}`)).status).toBe(303);
  expect(statSync(join(world.home, 'tokens', 'shop')).mode & 0o777).toBe(0o600);

  const own = 'hunter2-of-the-config';
  config({ port: next, token: own });
  expect((await run('check', '--json')).code).toBe(0);
  expect((await run('reload')).code).toBe(0);
  const { url } = JSON.parse((await zdsup(world, ['dashboard', '--json'], { cwd: project.folder })).stdout);
  expect(url).toBe(`http://127.0.0.1:${next}/?token=${own}`);
  await expect(get({ port: http }, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  config({ port: next, token: `${own} with spaces` });
  expect((await run('reload')).stderr).toContain('http.token is a string');
  await Promise.all([run('describe'), run('status', '--json'), run('logs', '--events', '--json')]);
  const asked = await get({ port: next }, '/status', { authorization: `Bearer ${own}` });
  expect(asked.status).toBe(200);
  said.push(asked.body);
  expect((await run('stop')).code).toBe(0);

  expect(said.filter((text) => text.includes(own) || text.includes(random!))).toEqual([]);
  const files = readdirSync(world.home, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const having = files.filter((file) => {
    const text = readFileSync(join(file.parentPath, file.name), 'latin1');
    return text.includes(own) || text.includes(random!);
  });
  expect(having.map(({ name, parentPath }) => join(parentPath, name))).toEqual([join(world.home, 'tokens', 'shop')]);
  expect((await run('delete')).code).toBe(0);
  expect(readdirSync(join(world.home, 'tokens'))).toEqual([]);
});

test.concurrent('an app that was started from a script gets its page by what the hint says', async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const world = makeDaemonWorld();
  const { folder } = makeProject({ 'app.cjs': answering("'served'", port) });
  const run = (...args: string[]) => zdsup(world, args, { cwd: folder });
  expect((await run('start', 'app.cjs', '--name', 'plain', '--daemon')).code).toBe(0);
  const { stderr } = await run('dashboard');
  expect(stderr).toMatch(/\nhint: zdsup stop plain, then zdsup start plain --http 9000\n$/);
  expect((await run('stop', 'plain')).code).toBe(0);
  expect((await run('start', 'plain', '--http', String(http))).code).toBe(0);
  expect((await run('dashboard')).stdout).toContain(`http://127.0.0.1:${http}/?token=`);
  expect((await run('stop', 'plain')).code).toBe(0);
});

test.concurrent('a reload whose http cannot be had succeeds, and says so; the page stays where it was', async () => {
  const [port, http, taken] = (await freePorts(3)) as [number, number, number];
  const other = createServer().listen(taken, '127.0.0.1');
  onTestFinished(() => void other.close());
  await once(other, 'listening');
  const world = makeDaemonWorld();
  const project = projectOf(port, http);
  const run = (...args: string[]) => zdsup(world, args, { cwd: project.folder });
  expect((await run('start', '--daemon')).code).toBe(0);
  project.write({ 'zdsup.config.json': JSON.stringify({ ...CONFIG, http: taken }) });
  for (const command of ['reload', 'restart']) {
    const { code, stderr } = await run(command);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(
      `shop: the HTTP of the master cannot listen on http://127.0.0.1:${taken}: another process listens there; it goes on at http://127.0.0.1:${http}\n`,
    );
  }
  expect((await get({ port: http }, '/readyz')).status).toBe(200);
  expect((await run('stop')).code).toBe(0);
});

test.concurrent("an app whose port zdsup's own HTTP has is told why, at a start and at a reload", async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const world = makeDaemonWorld();
  const project = projectOf(port, port);
  const run = (...args: string[]) => zdsup(world, args, { cwd: project.folder });
  const told = `zdsup's own HTTP has port ${port}: give http, or the app, another one; `;
  for (const how of [[], ['--daemon']]) {
    const { code, stderr } = await run('start', ...how);
    expect(code).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
    expect(stderr).toContain(`hint: ${told}mend it and start again`);
    expect(stderr.split('the app cannot listen on').length).toBe(2); // Once.
  }
  project.write({ 'zdsup.config.json': JSON.stringify({ ...CONFIG, http }) });
  expect((await run('start', '--daemon')).code).toBe(0);
  project.write({ 'app.cjs': answering("'served'", http) });
  const { code, stderr } = await run('reload', '--allow-listeners');
  expect(code).toBe(1);
  expect(stderr).toContain(`hint: ${told.replace(String(port), String(http))}generation 1 goes on serving; `);
  // What fails otherwise has nothing to do with it.
  project.write({ 'app.cjs': 'process.exit(1);' });
  expect((await run('reload')).stderr).toContain('hint: generation 1 goes on serving; ');
  expect((await run('stop')).code).toBe(0);
});

test.concurrent('of a unix socket, dashboard says what opens it', async () => {
  const [port] = (await freePorts(1)) as [number];
  const world = makeDaemonWorld();
  const { folder } = projectOf(port, { socket: 'page.sock' });
  const run = (...args: string[]) => zdsup(world, args, { cwd: folder });
  expect((await run('start', '--daemon')).code).toBe(0);
  const { stdout } = await run('dashboard');
  const [, path] =
    /^the page is behind the unix socket \S+\/page\.sock: from your machine, ssh -L 9000:\S+\/page\.sock <this host>, then open http:\/\/127\.0\.0\.1:9000(\/\?token=\S+); or open \/\?token=\S+ of a proxy that stands before the socket\n$/.exec(
      stdout,
    )!;
  // As ssh passes it on.
  const asked = await get({ socketPath: join(folder, 'page.sock') }, path!, { host: '127.0.0.1:9000' });
  expect(asked.status).toBe(303);
  expect((await run('stop')).code).toBe(0);
});

test.concurrent('what a reload wants of it comes in once that has succeeded: one that fails leaves it as it is', async () => {
  const [port, http, next] = (await freePorts(3)) as [number, number, number];
  const project = projectOf(port, { port: http, token: 'hunter2-of-the-config' });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const status = (on: number, token: string) =>
    get({ port: on }, '/status', { authorization: `Bearer ${token}` }).then((answer) => answer.status);
  const config = (given: unknown) => project.write({ 'zdsup.config.json': JSON.stringify({ ...CONFIG, http: given }) });
  config({ port: next, token: 'another-one-of-the-config' });
  project.write({ 'app.cjs': 'process.exit(3);' });
  expect((await master.run('reload')).code).toBe(1);
  expect(await status(http, 'hunter2-of-the-config')).toBe(200);
  expect(await status(http, 'another-one-of-the-config')).toBe(401);
  await expect(status(next, 'another-one-of-the-config')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  project.write({ 'app.cjs': answering("'served'", port) });
  expect((await master.run('reload')).code).toBe(0);
  await until(
    'it has moved',
    () => status(next, 'another-one-of-the-config').catch(() => 0),
    (seen) => seen === 200,
  );
  await expect(status(http, 'hunter2-of-the-config')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test.concurrent('a start in a terminal shows the link once, of a daemon too', async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const project = projectOf(port, http);
  const world = makeDaemonWorld();
  const terminal = new Terminal(world, { cwd: project.folder, columns: 200 });
  const link = new RegExp(`dashboard: http://127\\.0\\.0\\.1:${http}/\\?token=[\\w-]{43}`, 'g');
  await terminal.zdsup('start');
  await terminal.seen(link);
  terminal.press('\x03');
  await terminal.prompt();
  const after = await terminal.zdsup('start --daemon');
  await terminal.prompt();
  expect(terminal.raw.slice(0, after).match(link)).toHaveLength(1);
  expect(terminal.raw.slice(after).match(link)).toHaveLength(1);
  await zdsup(world, ['stop'], { cwd: project.folder });
});

test.concurrent('the flag replaces the port and leaves the rest: a read-only page stays one', async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const master = await startMaster({
    cwd: projectOf(port, { socket: 'page.sock', readOnly: true, token: 'hunter2-of-the-config' }).folder,
    args: ['--http', String(http)],
  });
  const { stdout } = await master.run('describe');
  expect(stdout).toContain(`127.0.0.1:${http}, the token of the config, read-only`);
  await until('it answers', async () => (await get({ port: http }, '/livez')).status === 200);
});
