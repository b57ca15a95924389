/** `zdsup start app` in place of `node app`: the app finds what it finds under plain Node, whatever kind of script it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { freePort, freePorts } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Master, World } from '../helpers/zdsup.js';
import { makeWorld, startMaster } from '../helpers/zdsup.js';

interface Facts {
  argv: string[];
  execArgv: string[];
  cwd: string;
  title: string;
  env: Record<string, string>;
  stackTraceLimit: number;
  heapLimit: number;
  heard: unknown[];
  /** What the kind of module has to say about itself. */
  module: unknown;
}

/** The body of an app that answers with what it finds; `module` is an expression. */
const SERVES = (module: string): string => `
const heard = [];
if (process.send) { process.on('message', (message) => heard.push(message)); process.send({ of: 'the app' }); }
const found = { title: process.title, env: { ...process.env }, module: ${module}, stackTraceLimit: Error.stackTraceLimit, heapLimit: v8.getHeapStatistics().heap_size_limit, heard };
http.createServer((request, response) => {
  const { argv, execArgv } = process;
  response.end(JSON.stringify({ argv, execArgv, cwd: process.cwd(), ...found }));
}).listen(process.env.PORT);`;
const COMMONJS = `const http = require('node:http'), v8 = require('node:v8');${SERVES('[__filename, __dirname, require.main === module, module.id, require("./beside.cjs")]')}`;
const ESM = `import http from 'node:http'; import v8 from 'node:v8'; import beside from './beside.cjs';
const late = await new Promise((resolve) => setTimeout(resolve, 20, 'awaited'));
${SERVES('[import.meta.url, import.meta.filename, import.meta.main, late, beside]')}`;
const TYPESCRIPT = `import http from 'node:http'; import v8 from 'node:v8';
interface Typed { one: number }
const typed: Typed = { one: 1 };
${SERVES('[import.meta.url, typed satisfies Typed]').replace('heard = []', 'heard: unknown[] = []')}`;

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** What `npm install zdsup tsx` puts there. */
function install(project: Project, ...packages: ('zdsup' | 'tsx')[]): void {
  project.write({ 'node_modules/.package-lock.json': '{}' });
  for (const name of packages)
    project.link(`node_modules/${name}`, name === 'zdsup' ? REPOSITORY : `${REPOSITORY}node_modules/tsx`);
}

const ask = async (port: number): Promise<Facts> =>
  (await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).json()) as Facts;

interface Scene {
  master: Master;
  port: number;
  facts: Facts;
}

async function start(
  project: Project,
  args: string[],
  options: { cwd?: string; port?: number; world?: World } = {},
): Promise<Scene> {
  const port = options.port ?? (await freePort());
  const master = await startMaster({
    cwd: options.cwd ?? project.folder,
    args,
    env: { PORT: String(port) },
    ...(options.world ? { world: options.world } : {}),
    wait: false,
  });
  // On a busy host the tools that an entry needs may take longer than an app without a listener is waited for.
  await master.statusUntil('it listens', (app) => app.workers[0]?.state === 'active' && app.listeners.length > 0);
  return { master, port, facts: await ask(port) };
}

/** The same under plain Node. */
async function plainly(project: Project, args: string[], port: number, world: World): Promise<Facts> {
  const { folder } = project;
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...world.env, PWD: folder, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  onTestFinished(() => killOwn(child.exitCode === null && child.signalCode === null ? child.pid : undefined));
  const facts = await until('plain node serves', () => ask(port).catch(() => null));
  child.kill();
  await once(child, 'exit');
  return facts!;
}

/** Less what zdsup has to add: its variables, the preload, and what runs TypeScript. */
function comparable({ env, execArgv, heard: _, ...facts }: Facts): unknown {
  const own = (name: string): boolean => name.startsWith('ZDSUP') || name === 'NODE_APP_INSTANCE';
  return {
    ...facts,
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !own(name) || name === 'ZDSUP_HOME')),
    execArgv: execArgv.filter((_arg, index) => !isAdded(execArgv[index]!) && !isAdded(execArgv[index - 1] ?? '')),
  };
}
const isAdded = (arg: string): boolean => arg === '--require' || arg === '--import';

const MODULE_PACKAGE = { 'package.json': '{"name":"pack","type":"module"}' };

test.concurrent.each<[string, string, Record<string, string>]>([
  ['CommonJS', 'app.js', { 'app.js': COMMONJS }],
  ['CommonJS by its extension, in a package of modules', 'app.cjs', { 'app.cjs': COMMONJS, ...MODULE_PACKAGE }],
  ['an ES module by its extension', 'app.mjs', { 'app.mjs': ESM }],
  ['an ES module by its package', 'app.js', { 'app.js': ESM, ...MODULE_PACKAGE }],
  ['an ES module in a folder', 'src/app.mjs', { 'src/app.mjs': ESM, 'src/beside.cjs': '' }],
  ['a script without extension', 'serve', { serve: `#!/usr/bin/env node\n${COMMONJS}` }],
])('%s finds all that it finds under plain node', async (_, script, files) => {
  const project = makeProject({ 'beside.cjs': 'module.exports = "beside";', ...files });
  const [world, port] = [makeWorld(), await freePort()];
  const plain = await plainly(project, ['--stack-trace-limit=7', script, 'one', '--two=2', ''], port, world);
  const args = [script, '--node-args', '--stack-trace-limit=7', '--', 'one', '--two=2', ''];
  const { facts } = await start(project, args, { port, world });
  expect(comparable(facts)).toEqual(comparable(plain));
});

const nodeRunsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);

test.concurrent.each(['app.ts', 'app.mts'])(
  '%s runs by what Node has for TypeScript, else by the tsx of its project',
  async (script) => {
    const project = makeProject({ [script]: TYPESCRIPT, ...MODULE_PACKAGE });
    if (!nodeRunsTypeScript) install(project, 'tsx');
    const [world, port] = [makeWorld(), await freePort()];
    const loader = nodeRunsTypeScript ? [] : ['--import', 'tsx'];
    const plain = await plainly(project, [...loader, script, 'one'], port, world);
    const { facts } = await start(project, [script, '--', 'one'], { port, world });
    expect(comparable(facts)).toEqual(comparable(plain));
  },
);

test.skipIf(nodeRunsTypeScript)('a TypeScript script that nothing can run is refused, with what to do', async () => {
  const project = makeProject({ 'app.ts': TYPESCRIPT });
  const master = await startMaster({ cwd: project.folder, args: ['app.ts'], wait: false });
  expect((await master.exited()).code).toBe(2);
  expect(master.stderrLines.join('\n')).toMatch(/ZDSUP_ENTRY_TYPESCRIPT.*\nhint: npm install tsx/);
});

test.concurrent('a script may be named without its .js', async () => {
  const project = makeProject({ 'app.js': COMMONJS, 'beside.cjs': '' });
  expect((await start(project, ['app'])).facts.argv[1]).toBe(project.path('app.js'));
});

test.concurrent('--node-args are for Node, what comes after -- is for the app', async () => {
  const project = makeProject({ 'app.js': COMMONJS, 'beside.cjs': '' });
  const nodeArgs = '--max-old-space-size=64 --stack-trace-limit=3';
  const { facts } = await start(project, ['app.js', '--node-args', nodeArgs, '--', '--name', 'mine', '-i', '9']);
  expect(facts.argv.slice(2)).toEqual(['--name', 'mine', '-i', '9']);
  expect(facts.stackTraceLimit).toBe(3);
  expect(facts.heapLimit).toBeLessThan(2 ** 29);
});

test.concurrent.each([
  ["the shell's folder", 'apps/api/app.js', 'data'],
  ['--cwd', 'app.js', 'apps/api'],
])('with --cwd, the script is found from %s', async (_, script, cwd) => {
  const project = makeProject({ 'apps/api/app.js': COMMONJS, 'apps/api/beside.cjs': '', 'data/.keep': '' });
  const { facts } = await start(project, [script, '--cwd', cwd, '--name', 'cwd']);
  expect(facts).toMatchObject({ cwd: project.path(cwd), env: { PWD: project.path(cwd) } });
  expect(facts.argv[1]).toBe(project.path('apps/api/app.js'));
});

test.concurrent('variables: an env file wins over the environment, a later one over it, the config over all', async () => {
  const project = makeProject({
    'app.js': COMMONJS,
    'beside.cjs': '',
    'one.env': 'A=one\nB=one\nC=one\nTZ=UTC\nQUOTED="two words" # comment\n',
    'two.env': 'B=two\nC=two\n',
    'zdsup.config.json': JSON.stringify({ name: 'vars', script: 'app.js', env: { C: 'config', D: 4, E: true } }),
  });
  const world = makeWorld({ TZ: 'Asia/Tokyo', KEPT: 'yes' });
  const { facts } = await start(project, ['--env-file', 'one.env', '--env-file', 'two.env'], { world });
  const wanted = { A: 'one', B: 'two', C: 'config', D: '4', E: 'true', TZ: 'UTC', QUOTED: 'two words', KEPT: 'yes' };
  expect(facts.env).toMatchObject(wanted);
});

test.concurrent.each([
  ['2', 2],
  ['max', availableParallelism()],
])('-i %s: as many workers, each with its slot', async (instances, count) => {
  const project = makeProject({ 'app.js': COMMONJS, 'beside.cjs': '' });
  const { master } = await start(project, ['app.js', '-i', instances]);
  expect((await master.status()).workers.map((worker) => worker.slot)).toEqual(
    Array.from({ length: count }, (_, slot) => slot),
  );
});

test.concurrent.each<[string, string, string[], Record<string, string>]>([
  ['given', 'shop-2', ['--name', 'shop-2'], { 'package.json': '{"name":"other"}' }],
  ["its package's", 'other', [], { 'package.json': '{"name":"other"}' }],
  ["its package's, with a scope", 'acme-web', [], { 'package.json': '{"name":"@acme/web"}' }],
  ["its folder's", 'my-shop', [], {}],
  ["its folder's, where the package has none", 'my-shop', [], { 'package.json': '{"private":true}' }],
])('the name of an app: %s', async (_, name, args, files) => {
  const project = makeProject();
  for (const [file, text] of Object.entries({ ...files, 'app.js': COMMONJS, 'beside.cjs': '' }))
    project.write({ [`My Shop/${file}`]: text });
  const { master, facts } = await start(project, ['app.js', ...args], { cwd: project.path('My Shop') });
  expect((await master.status()).name).toBe(name);
  expect(facts.env.ZDSUP_APP).toBe(name);
});

const DEFINES = `defineConfig({ script: 'app.js', env: { FROM: 'the config' } });`;
test.concurrent.each<[string, string]>([
  ['zdsup.config.json', `{ "script": "app.js", "env": { "FROM": "the config" } }`],
  ['zdsup.config.mjs', `import { defineConfig } from 'zdsup';\nexport default ${DEFINES}`],
  ['zdsup.config.cjs', `const { defineConfig } = require('zdsup');\nmodule.exports = ${DEFINES}`],
  ['zdsup.config.js', `module.exports = { script: 'app.js', env: { FROM: 'the config' } };`],
  [
    'zdsup.config.ts',
    `import { defineConfig } from 'zdsup';\nconst name: string = 'typed';\nexport default ${DEFINES}`,
  ],
  [
    'zdsup.config.mts',
    `import { defineConfig } from 'zdsup';\nconst name: string = 'typed';\nexport default ${DEFINES}`,
  ],
])('%s in the folder says what to start', async (file, text) => {
  const project = makeProject({ 'app.js': COMMONJS, 'beside.cjs': '', [file]: text });
  install(project, 'zdsup', 'tsx');
  const { facts, master } = await start(project, []);
  expect(facts.env.FROM).toBe('the config');
  expect(master.stderrLines).toEqual([]);
});

test.concurrent('a config may be named by its path; its cwd is relative to its folder, its script to its cwd, and flags win over it', async () => {
  const project = makeProject({
    'deploy/zdsup.config.mjs': `export default { name: 'prod', script: 'app.js', cwd: '..', args: ['from', 'config'] };`,
    'app.js': COMMONJS,
    'beside.cjs': '',
  });
  const { facts, master } = await start(project, ['deploy/zdsup.config.mjs', '-i', '2', '--', 'from flags']);
  expect(facts).toMatchObject({ cwd: project.folder, argv: [process.execPath, project.path('app.js'), 'from flags'] });
  expect(await master.status()).toMatchObject({ name: 'prod', workers: [{}, {}] });
});

test.concurrent('of a config with several apps --only picks one; without it they are listed, and the status is 2', async () => {
  const apps = ['api', 'web'].map((name) => ({ name, script: 'app.js', args: [name] }));
  const project = makeProject({ 'app.js': COMMONJS, 'beside.cjs': '', 'zdsup.config.json': JSON.stringify({ apps }) });
  expect((await start(project, ['--only', 'web'])).facts.argv[2]).toBe('web');
  const master = await startMaster({ cwd: project.folder, args: [], wait: false });
  expect((await master.exited()).code).toBe(2);
  expect(master.stderrLines.join('\n')).toMatch(/has 2 apps: api, web.*\nhint: .*--only/);
});

test.concurrent('a worker is told who it is, in variables, and hears nothing of zdsup as messages', async () => {
  const project = makeProject({ 'app.js': COMMONJS, 'beside.cjs': '' });
  const { master, port, facts } = await start(project, ['app.js', '--name', 'self']);
  await master.serving(1);
  const { release } = await master.status();
  const told = { ZDSUP: '1', ZDSUP_APP: 'self', ZDSUP_SLOT: '0', ZDSUP_GENERATION: '1', NODE_APP_INSTANCE: '0' };
  expect(facts.env).toMatchObject({ ...told, ZDSUP_RELEASE: release!.id });
  expect(Object.keys(facts.env).filter((name) => /HANDSHAKE|NODE_UNIQUE_ID|NODE_CHANNEL/.test(name))).toEqual([]);
  expect((await ask(port)).heard, 'after a status').toEqual([]);
});

test.concurrent('a forked child and a worker thread of the app know nothing of zdsup, and listen on ports of their own', async () => {
  const [forked, threaded] = (await freePorts(2)) as [number, number];
  const child = (send: string, port: number): string => `
require('node:http').createServer((request, response) => response.end('own')).listen(${port}, () => ${send}({
  env: Object.keys(process.env).filter((name) => /HANDSHAKE|NODE_UNIQUE_ID/.test(name)),
  cluster: require('node:cluster').isWorker, signals: process.listenerCount('SIGTERM'), argv: process.argv.slice(2),
}));`;
  const project = makeProject({
    'child.cjs': child('process.send', forked),
    'thread.cjs': child("require('node:worker_threads').parentPort.postMessage", threaded),
    'app.cjs': `
const told = (from) => new Promise((resolve) => from.once('message', resolve));
const child = require('node:child_process').fork('child.cjs', ['one']);
const thread = new (require('node:worker_threads').Worker)('./thread.cjs', { argv: ['one'] });
Promise.all([told(child), told(thread)]).then((all) =>
  require('node:http').createServer((request, response) => response.end(JSON.stringify([child.pid, ...all]))).listen(process.env.PORT));`,
  });
  const { master, facts } = await start(project, ['app.cjs', '--name', 'nested']);
  const [pid, ...tell] = facts as unknown as [number, ...unknown[]];
  onTestFinished(() => killOwn(pid));
  const plain = { env: [], cluster: false, signals: 0, argv: ['one'] };
  expect(tell).toEqual([plain, plain]);
  for (const port of [forked, threaded]) expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('own');
  expect((await master.status()).listeners).toHaveLength(1);
  expect((await master.run('stop')).code).toBe(0);
});

test.concurrent('an app that brings its own node:cluster serves from each worker, without a second layer of processes', async () => {
  const project = makeProject({
    'app.cjs': `
const cluster = require('node:cluster');
if (cluster.isPrimary) for (let n = 0; n < 8; n++) cluster.fork();
else require('node:http').createServer((request, response) => response.end(JSON.stringify(process.pid))).listen(process.env.PORT);`,
  });
  const { master, facts } = await start(project, ['app.cjs', '-i', '2', '--name', 'own']);
  expect((await master.status()).workers.map((worker) => worker.pid)).toContain(facts);
  await master.serving(1);
  expect((await master.run('reload')).code).toBe(0);
});

test.concurrent('a script that ends at once, with nothing to serve, is a start that failed', async () => {
  const project = makeProject({ 'app.js': "console.log('done');" });
  const master = await startMaster({ cwd: project.folder, args: ['app.js'], wait: false });
  expect(await master.exited()).toEqual({ code: 1, signal: null });
  expect(master.stdoutLines).toEqual(['done']);
  expect(master.stderrLines.join('\n')).toContain('worker 0 of generation 1 exited with code 0 before it was ready');
});
