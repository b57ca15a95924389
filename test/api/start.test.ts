/** A start by the API leaves nothing behind: where it rejects, where it is given up, and where the program that it was for has ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StartOptions, ZdsupError } from '../../src/index.js';
import { killOwn } from '../helpers/cleanup.js';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { isLeft, isLeftOf } from '../helpers/kernel.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { World } from '../helpers/zdsup.js';
import { zdsup } from '../helpers/zdsup.js';

const DIST = new URL('../../dist/', import.meta.url);
// As it is published: what it starts lies beside it.
const { start } = (await import(new URL('index.js', DIST).href)) as typeof import('../../src/index.js');

interface Place {
  world: World;
  project: Project;
  options: StartOptions & { daemon?: false };
  /** Of this world. Zombies that are being collected and readers of a config that are being killed may be seen for a moment. */
  left(): number[];
}

async function makePlace(files: Record<string, string> = {}): Promise<Place> {
  const world = makeDaemonWorld();
  const project = makeProject({ 'app.js': answering('process.pid', await freePort()), ...files });
  const left = (): number[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && isLeftOf(pid, 0, `ZDSUP_HOME=${world.home}`));
  onTestFinished(() => {
    for (const pid of left()) killOwn(pid);
  });
  const overrides = { name: 'shop', minReady: 0 };
  return { world, project, left, options: { cwd: project.folder, env: world.env, output: 'ignore', overrides } };
}

const nothingLeft = (left: () => number[]): Promise<unknown> =>
  until('nothing is left', left, (pids) => pids.length === 0, 2_000);
const sockets = ({ home }: World): string[] => readdirSync(join(home, 'run')).filter((name) => name.endsWith('.sock'));

const failure = (promise: Promise<unknown>): Promise<ZdsupError> =>
  promise.then(
    () => Promise.reject(new Error('it did not reject')),
    (error: ZdsupError) => error,
  );

describe.concurrent.each([
  ['a child', {}],
  ['a daemon', { daemon: true }],
])('%s', (_, how) => {
  test('that never becomes ready: the code, the reason, its last words, and nothing is left', async () => {
    const { world, project, options, left } = await makePlace({ 'bad.js': "console.error('why'); process.exit(3);" });
    const error = await failure(start(project.path('bad.js'), { ...options, ...how } as typeof options));
    expect(error).toMatchObject({ name: 'ZdsupError', code: 'ZDSUP_ROLLOUT_FAILED', exitStatus: 1, stderr: ['why'] });
    expect(error.message).toContain('exited with code 3 before it was ready');
    await nothingLeft(left);
    expect(sockets(world)).toEqual([]);
  });

  test('that is given up while it boots: the reason of the signal, and nothing is left', async () => {
    const { world, options, left } = await makePlace();
    const giveUp = new AbortController();
    const slow = { ...options, ...how, overrides: { ...options.overrides, ready: 'message' as const } };
    let worker = 0;
    const onProgress: StartOptions['onProgress'] = ({ kind, pid }) => {
      if (kind !== 'worker-started') return;
      worker = pid!;
      giveUp.abort(new Error('no time'));
    };
    const started = start('app.js', { ...slow, onProgress, signal: giveUp.signal } as typeof options);
    expect(await failure(started)).toMatchObject({ message: 'no time' });
    expect(worker).toBeGreaterThan(0);
    expect(isLeft(worker)).toBe(false); // By then, and not a moment later.
    await nothingLeft(left);
    expect(sockets(world)).toEqual([]);
  });

  test('whose onProgress throws: what it has thrown, and nothing is left', async () => {
    const { options, left } = await makePlace();
    const onProgress = (): void => {
      throw new Error('mine');
    };
    const started = start('app.js', { ...options, ...how, onProgress } as typeof options);
    expect(await failure(started)).toMatchObject({ message: 'mine' });
    await nothingLeft(left);
  });
});

test.concurrent('a child stops when the program has been killed, and answers what is in flight', async () => {
  const port = await freePort();
  const slow = `require('node:http').createServer((request, response) => {
    console.log('asked');
    setTimeout(() => response.end('whole'), 500);
  }).listen(${port});`;
  const { world, project, left } = await makePlace({ 'slow.js': slow });
  project.write({
    'program.mjs': `import { start } from ${JSON.stringify(new URL('index.js', DIST).href)};
      const app = await start('slow.js', { overrides: { name: 'shop', minReady: 0 } });
      console.log('serves');`,
  });
  const program = spawn(process.execPath, ['program.mjs'], {
    cwd: project.folder,
    env: world.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => killOwn(program.exitCode === null ? program.pid : undefined));
  let said = '';
  program.stdout.on('data', (chunk) => (said += chunk));
  await until('it serves', () => said.includes('serves'));
  const answer = fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then((one) => one.text());
  await until('it is asked', () => said.includes('asked'));
  const gone = once(program, 'exit');
  killOwn(program.pid);
  await gone;
  expect(await answer).toBe('whole');
  await until('nothing is left', left, (pids) => pids.length === 0);
  expect(sockets(world)).toEqual([]);
});

test.concurrent('the stop of a child resolves when its master has ended as well', async () => {
  const { options } = await makePlace();
  const child = await start('app.js', options);
  let ended: number | null | undefined;
  void child.exited.then((code) => {
    ended = code;
  });
  expect(await child.stop()).toMatchObject({ message: expect.any(String) });
  expect(ended).toBe(0);
  expect(isLeft(child.masterPid)).toBe(false);
});

test.concurrent('a daemon outlives the program; a second start of the name is refused', async () => {
  const { world, project, options } = await makePlace();
  project.write({
    'program.mjs': `import { start } from ${JSON.stringify(new URL('index.js', DIST).href)};
      await start({ name: 'shop', script: 'app.js', minReady: 0 }, { daemon: true });`,
  });
  const program = spawn(process.execPath, ['program.mjs'], { cwd: project.folder, env: world.env, stdio: 'ignore' });
  expect(await once(program, 'exit')).toEqual([0, null]);
  expect(await failure(start('app.js', options))).toMatchObject({ code: 'ZDSUP_APP_RUNNING', exitStatus: 4 });
  expect((await zdsup(world, ['stop', 'shop'])).code).toBe(0);
  // By its name it comes back, as by the command: the config was remembered.
  const again = await start('shop', options);
  expect((await again.status()).workers).toHaveLength(1);
  await again.stop();
  expect(await again.exited).toBe(0);
  expect(await failure(again.status())).toMatchObject({ code: 'ZDSUP_APP_NOT_RUNNING', exitStatus: 3 });
});

test.concurrent('what cannot be started is refused before anything is', async () => {
  const { options, left } = await makePlace();
  const refused = (target: unknown, more: object = {}): Promise<ZdsupError> =>
    failure(start(target as string, { ...options, ...more }));
  expect(await refused({ script: 'app.js', args: [() => 1] })).toMatchObject({
    code: 'ZDSUP_CONFIG_INVALID',
    message: 'start: 0 is a function: a config is plain data',
  });
  expect(await refused({ apps: [{ script: 'app.js' }] })).toMatchObject({ code: 'ZDSUP_USAGE' });
  expect(await refused({ script: 'app.js', instance: 4 })).toMatchObject({
    code: 'ZDSUP_CONFIG_INVALID',
    exitStatus: 2,
    message: expect.stringContaining('instance') as string,
  });
  expect(await refused('app.js', { signal: AbortSignal.abort(new Error('never')) })).toMatchObject({
    message: 'never',
  });
  await nothingLeft(left);
});

test.concurrent('a mistyped option, or one of another type, is refused before anything is touched', async () => {
  const { options, left } = await makePlace();
  const usage = (message: string, hint: string) => ({ code: 'ZDSUP_USAGE', exitStatus: 2, message, hint });
  const refused = (target: unknown, more: unknown): Promise<ZdsupError> =>
    failure(start(target as string, more as typeof options));
  expect(await refused('app.js', { ...options, deamon: true })).toMatchObject(
    usage('start: unknown option deamon', 'did you mean daemon?'),
  );
  expect(await refused('app.js', { ...options, output: 'none' })).toMatchObject(
    usage("start: output is 'none'", "allowed: 'inherit' or 'ignore'"),
  );
  expect(await refused('app.js', null)).toMatchObject({ code: 'ZDSUP_USAGE', message: 'start: the options are null' });
  for (const target of [null, 5, [], () => 1, new Map(), new URL('https://example.com/app.js')])
    expect(await refused(target, options)).toMatchObject({
      ...{ code: 'ZDSUP_USAGE', exitStatus: 2 },
      message: expect.stringMatching(/^start: .* is nothing to start$/) as string,
    });
  const itself: Record<string, unknown> = { script: 'app.js' };
  itself.env = itself;
  expect(await refused(itself, options)).toMatchObject({ code: 'ZDSUP_CONFIG_INVALID' });
  expect(left()).toEqual([]);

  const shop = await start('app.js', options);
  const call = (name: 'reload' | 'scale' | 'watch', ...args: unknown[]) =>
    failure((shop[name] as (...given: unknown[]) => Promise<unknown>)(...args));
  expect(await call('reload', { wieght: 5 })).toMatchObject(
    usage('reload: unknown option wieght', 'did you mean weight?'),
  );
  expect(await call('reload', { weight: 'x' })).toMatchObject(
    usage("reload: weight is 'x'", 'allowed: a whole number of percent from 1 to 99'),
  );
  expect(await call('reload', { timeout: 5_000 })).toMatchObject(
    usage('reload: unknown option timeout', 'signal: AbortSignal.timeout(ms) bounds the waiting'),
  );
  expect(await call('scale', 2, { signal: new AbortController() })).toMatchObject(
    usage('scale: signal is an object', 'allowed: an AbortSignal'),
  );
  const watched = async () => {
    for await (const _ of shop.watch({ onProgres() {} } as object)) break;
  };
  expect(await failure(watched())).toMatchObject(usage('watch: unknown option onProgres', 'did you mean onProgress?'));
  expect(await shop.status()).toMatchObject({ generation: 1, rollout: { id: 1 }, workers: [{ slot: 0 }] });
  await shop.stop();
});

test.concurrent.each([
  ['a child', {}],
  ['a daemon', { daemon: true }],
])('%s that is refused: the words are those of a program, and of no command line', async (_, how) => {
  const { world, project, options } = await makePlace();
  const said = async (target: unknown, more: object = {}): Promise<string> => {
    const { code, message, hint } = await failure(
      start(target as string, { cwd: options.cwd, env: world.env, output: 'ignore', ...how, ...more } as never),
    );
    return `${code} ${message}; ${hint}`;
  };
  const apps = ['one', 'two'].map((name) => ({ name, script: 'app.js' }));
  project.write({ 'two.config.json': JSON.stringify({ apps }) });
  const messages = [
    await said({ scrpt: 'app.js' }),
    await said('app.js', { overrides: { instances: 0 } }),
    await said('app.js', { only: 'one' }),
    await said('two.config.json'),
    await said('two.config.json', { only: 'three' }),
    await said('two.config.json', { only: 'one', overrides: { instnces: 2 } }),
    await said(''),
    await said(undefined),
  ];
  const shop = await start('app.js', options);
  messages.push(await said('app.js', { overrides: { name: 'shop' } }), await said('shop'), await said(undefined));
  messages.push(await said('shop', { overrides: { name: 'other' } }));
  await shop.stop();
  messages.push(await said(undefined));
  const { folder } = project;
  expect(messages).toEqual([
    'ZDSUP_CONFIG_INVALID start: unknown key scrpt; did you mean script?',
    "ZDSUP_CONFIG_INVALID start: instances is 0; allowed: a whole number from 1, or 'max' (one for each CPU)",
    'ZDSUP_USAGE start: only: one picks an app of a config file, and none was given; leave only out; overrides: { name } names the app',
    "ZDSUP_USAGE two.config.json has 2 apps: one, two; a start takes one; pick one of them: only: '<name>'",
    "ZDSUP_USAGE two.config.json has no app three; it has one, two; pick one of them: only: '<name>'",
    'ZDSUP_CONFIG_INVALID start: unknown key overrides.instnces; did you mean instances?',
    "ZDSUP_USAGE the script to start is an empty word; start('app.js')",
    `ZDSUP_USAGE nothing to start: no script was given, and ${folder} has no zdsup.config file; start('app.js')`,
    ...Array(2).fill(
      'ZDSUP_APP_RUNNING shop is running already; connect() finds it, and its reload() brings in new code; another name, in the config or in overrides, starts a second app',
    ),
    `ZDSUP_USAGE nothing to start: no script was given, and ${folder} has no zdsup.config file; shop of this folder runs: connect('shop') finds it, and its reload() brings in new code`,
    `ZDSUP_USAGE shop is brought back by its name, and keeps it: name: other is for a second app; start('${join(folder, 'app.js')}', { overrides: { name: 'other' } })`,
    `ZDSUP_USAGE nothing to start: no script was given, and ${folder} has no zdsup.config file; start('shop') brings back the one of this folder`,
  ]);
});

test.concurrent('connect says what the command says where nothing runs', async () => {
  const { world } = await makePlace();
  const program = `import { connect } from ${JSON.stringify(new URL('index.js', DIST).href)};
    await connect('shop').catch(({ code, exitStatus }) => console.log(code, exitStatus));
    await connect('all').catch(({ code, exitStatus }) => console.log(code, exitStatus));
    await connect(5).catch(({ code, message }) => console.log(code, message));
    await connect('shop', { timeout: 5 }).catch(({ code, message }) => console.log(code, message));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env: world.env });
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  await once(child, 'close');
  expect(said).toBe(
    'ZDSUP_APP_NOT_RUNNING 3\nZDSUP_USAGE 2\nZDSUP_USAGE connect: 5 is no name of an app\nZDSUP_USAGE connect: unknown option timeout\n',
  );
});
