/** A daemon outlives whoever started it, and what was started is remembered: how it ended, and how to bring it back. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import type { StartResult } from '../../src/shared/daemon.js';
import type { AppSnapshot, Snapshot } from '../../src/shared/snapshot.js';
import { VERSION } from '../../src/shared/version.cjs';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { goneFrom, journalPath, logPath, makeDaemonWorld, recordOf, recordPath } from '../helpers/daemons.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { Terminal } from '../helpers/pty.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { World } from '../helpers/zdsup.js';
import { BIN, makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const CONFIG = { script: 'app.js', minReady: 0 };
const config = (more: object): string => JSON.stringify({ ...CONFIG, ...more });

/** Listens at a port of its own, and answers with what `text` says. */
const serving = (name: string, text = 'process.pid'): Project =>
  makeProject({ 'app.js': answering(text, 'process.env.PORT ?? 0'), 'zdsup.config.json': config({ name }) });

async function startDaemon(world: World, project: Project, args: string[] = []): Promise<StartResult & { ok: true }> {
  const { code, stdout, stderr } = await zdsup(world, ['start', '--daemon', '--json', ...args], {
    cwd: project.folder,
  });
  expect(code, stdout + stderr).toBe(0);
  return JSON.parse(stdout) as StartResult & { ok: true };
}

const snapshots = async (world: World, ...args: string[]): Promise<AppSnapshot[]> =>
  (JSON.parse((await zdsup(world, ['status', '--json', ...args])).stdout) as Snapshot).apps;

const body = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test.concurrent('start --daemon returns when the app serves; the daemon has no terminal, no folder, a log for all it writes, and the caller`s environment', async () => {
  const port = await freePort();
  const world = makeDaemonWorld({ PORT: String(port), COLOUR: 'blue' });
  const project = makeProject({
    'app.js': `console.log('said on stdout'); console.error('said on stderr');
      ${answering("process.env.COLOUR + ' ' + process.cwd() + ' ' + process.umask().toString(8)", port)}`,
    'zdsup.config.json': config({ name: 'quiet' }),
  });
  const result = await startDaemon(world, project);
  expect(result).toEqual({
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'start',
    app: 'quiet',
    masterPid: expect.any(Number),
    generation: 1,
    logFile: logPath(world, 'quiet'),
    durationMs: expect.any(Number),
    message: `runs as a daemon (master ${result.masterPid})`,
  });
  const [colour, cwd, umask] = (await body(port)).split(' ');
  expect({ colour, cwd }).toEqual({ colour: 'blue', cwd: project.folder });
  expect(Number.parseInt(umask!, 8) & 0o022, 'nothing is made that others may write to').toBe(0o022);
  const stat = readFileSync(`/proc/${result.masterPid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  expect({ session: Number(stat[3]), terminal: stat[4] }).toEqual({ session: result.masterPid, terminal: '0' });
  const log = await until(
    'the log has it all',
    () => readFileSync(result.logFile, 'utf8'),
    (text) => /said on stdout/.test(text) && /said on stderr/.test(text) && /generation 1 serves/.test(text),
  );
  expect(log).not.toContain('\x1b');
  for (const path of [result.logFile, recordPath(world, 'quiet')]) expect(modeOf(path), path).toBe('600');
  for (const folder of ['apps', 'logs', 'run']) expect(modeOf(join(world.home, folder)), folder).toBe('700');
  expect(recordOf(world, 'quiet')).toEqual({
    name: 'quiet',
    request: { overrides: {}, baseDir: project.folder, configPath: project.path('zdsup.config.json') },
    startedAt: expect.stringMatching(/Z$/),
    masterPid: result.masterPid,
    version: VERSION,
    daemon: true,
    logFile: result.logFile,
    logFormat: null,
    ended: null,
  });
});

test.concurrent('a daemon whose first start fails says why, with the last words of its worker, exits 1 and leaves nothing behind', async () => {
  const world = makeDaemonWorld();
  const project = makeProject({
    'app.js': "console.error('no database'); process.exit(7);",
    'zdsup.config.json': config({ name: 'broken' }),
  });
  const { code, stdout, stderr } = await zdsup(world, ['start', '-d'], { cwd: project.folder });
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(
    /error: worker 0 of generation 1 exited with code 7 before it was ready \(ZDSUP_ROLLOUT_FAILED\)\n.*\n {2}no database\nhint: /,
  );
  expect(isAlive(recordOf(world, 'broken').masterPid)).toBe(false);
  expect(await snapshots(world)).toMatchObject([
    {
      name: 'broken',
      state: 'crashed',
      masterPid: 0,
      ended: { reason: expect.stringContaining('exited with code 7') },
    },
  ]);
  project.write({ 'app.js': answering("''", 0) });
  expect((await zdsup(world, ['start', 'broken'])).code, 'mended, it comes back at once').toBe(0);
});

test.concurrent('bad config is refused before a daemon is made', async () => {
  const world = makeDaemonWorld();
  const project = makeProject({ 'zdsup.config.json': config({ name: 'x', instances: 0 }) });
  expect(await zdsup(world, ['start', '-d'], { cwd: project.folder })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ZDSUP_CONFIG_INVALID'),
  });
  expect(readdirSync(world.home)).toEqual([]);
});

test.concurrent('a master that is killed before its app serves is an error that names the log', async () => {
  const world = makeDaemonWorld();
  const project = makeProject({
    'app.js': 'setInterval(() => {}, 1e6);',
    'zdsup.config.json': config({ name: 'slain', ready: 'message' }),
  });
  const starting = zdsup(world, ['start', '-d', '--json'], { cwd: project.folder });
  await until('it is recorded', () => existsSync(recordPath(world, 'slain')));
  killOwn(recordOf(world, 'slain').masterPid);
  const { code, stdout } = await starting;
  expect({ code, ...(JSON.parse(stdout) as StartResult) }).toMatchObject({
    code: 1,
    ok: false,
    error: {
      code: 'ZDSUP_START_DIED',
      message: expect.stringContaining('SIGKILL'),
      hint: expect.stringContaining('zdsup logs slain'),
    },
  });
});

test.concurrent('status shows what was stopped and what crashed, and with a name exits 3 for it', async () => {
  const world = makeDaemonWorld();
  const [calm, killed, alive] = [serving('calm'), serving('killed'), serving('alive')];
  await startDaemon(world, calm);
  const { masterPid } = await startDaemon(world, killed);
  await startDaemon(world, alive);
  expect((await zdsup(world, ['stop', 'calm'])).code).toBe(0);
  killOwn(masterPid);
  await goneFrom(masterPid);
  expect(await snapshots(world)).toMatchObject([
    { name: 'alive', state: 'running' },
    { name: 'calm', state: 'stopped', masterPid: 0, version: VERSION, workers: [], ended: { reason: null } },
    {
      name: 'killed',
      state: 'crashed',
      masterPid: 0,
      ended: { at: null, reason: expect.stringContaining(`(pid ${masterPid})`) },
    },
  ]);
  const named = async (name: string): Promise<[number | null, string]> => {
    const { code, stdout } = await zdsup(world, ['status', name]);
    return [code, stdout];
  };
  expect(await named('alive')).toEqual([0, expect.stringMatching(/^alive {2}running/)]);
  expect(await named('calm')).toEqual([
    3,
    expect.stringMatching(/^calm {2}stopped {2}.* ago {2}zdsup start calm brings it back\n$/),
  ]);
  expect(await named('killed')).toEqual([3, expect.stringMatching(/^killed {2}crashed: its master/)]);
  expect(await zdsup(world, ['reload', 'calm'])).toMatchObject({
    code: 3,
    stderr:
      'error: calm is not running: it was stopped (ZDSUP_APP_NOT_RUNNING)\nhint: bring it back with zdsup start calm\n',
  });
});

test.concurrent('where no app runs, a command without a name tells of the app of the folder, else of the only one', async () => {
  const world = makeDaemonWorld();
  const [here, other] = [serving('here'), serving('other')];
  await startDaemon(world, here);
  await zdsup(world, ['stop', 'here']);
  const elsewhere = makeProject();
  const told = async (command: string, cwd: string): Promise<[number | null, string]> => {
    const { code, stderr } = await zdsup(world, [command], { cwd });
    return [code, stderr];
  };
  const stopped = [
    3,
    'error: here is not running: it was stopped (ZDSUP_APP_NOT_RUNNING)\nhint: bring it back with zdsup start here\n',
  ];
  for (const command of ['reload', 'rollback']) expect(await told(command, elsewhere.folder)).toEqual(stopped);
  await startDaemon(world, other);
  await zdsup(world, ['stop', 'other']);
  expect(await told('reload', here.folder)).toEqual(stopped);
  expect(await told('reload', elsewhere.folder)).toEqual([3, expect.stringContaining('error: no app is running (')]);
});

test.concurrent('start <name> brings an app back as it was started, from any folder', async () => {
  const port = await freePort();
  const world = makeDaemonWorld();
  const project = makeProject({
    'server.js': answering('process.argv.slice(2) + process.env.MODE', port),
    '.env': 'MODE=one',
  });
  await startDaemon(world, project, ['server.js', '--name', 'back', '-i', '2', '--env-file', '.env', '--', 'a', 'b']);
  expect(await body(port)).toBe('a,bone');
  await zdsup(world, ['stop', 'back']);
  expect((await zdsup(world, ['start', 'back'], { cwd: '/' })).code).toBe(0);
  expect(await body(port)).toBe('a,bone');
  expect((await snapshots(world))[0]!.workers).toHaveLength(2);
  await zdsup(world, ['stop', 'back']);
  expect((await zdsup(world, ['start', 'back', '-i', '1'])).code).toBe(0);
  expect((await snapshots(world))[0]!.workers, 'flags win').toHaveLength(1);
  expect(await body(port)).toBe('a,bone');
});

test.concurrent('an app that is named keeps its name, running or not: the hint of the refusal starts a second one', async () => {
  const world = makeDaemonWorld();
  const app = (name: string): object => ({ ...CONFIG, name });
  const several = makeProject({
    'app.js': answering("''", 0),
    'zdsup.config.json': JSON.stringify({ apps: [app('web'), app('sock')] }),
  });
  const single = makeProject({ 'app.js': answering("''", 0) });
  await startDaemon(world, several, ['--only', 'sock']);
  await startDaemon(world, single, ['app.js', '--name', 'api']);
  await zdsup(world, ['stop', 'sock']);
  for (const [name, hint] of [
    ['sock', `${several.path('zdsup.config.json')} --only sock`],
    ['api', single.path('app.js')],
  ] as const) {
    const second = ['--name', `${name}-2`];
    expect(await zdsup(world, ['start', name, ...second])).toMatchObject({
      code: 2,
      stderr: `error: ${name} is brought back by its name, and keeps it: --name ${name}-2 is for a second app (ZDSUP_USAGE)
hint: zdsup start ${hint} --name ${name}-2
`,
    });
    expect(await zdsup(world, ['start', '-d', ...hint.split(' '), ...second])).toMatchObject({ code: 0 });
    expect((await zdsup(world, ['reload', `${name}-2`])).code).toBe(0);
  }
  expect((await zdsup(world, ['start', 'sock', '--name', 'sock'])).code, 'its own name').toBe(0);
  expect((await snapshots(world)).map(({ name, state }) => `${name} ${state}`)).toEqual(
    ['api', 'api-2', 'sock', 'sock-2'].map((name) => `${name} running`),
  );
});

test.concurrent('a name that is spelt wrong is answered with the app that is remembered', async () => {
  const world = makeDaemonWorld();
  const project = serving('shop');
  await startDaemon(world, project);
  await zdsup(world, ['stop', 'shop']);
  for (const command of ['start', 'check'])
    expect(await zdsup(world, [command, 'shpo'], { cwd: project.folder })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no such script: \S+shpo \(ZDSUP_SCRIPT_MISSING\)\nhint: did you mean shop\?\n$/),
    });
});

test.concurrent('what ran in the foreground comes back in the foreground; --no-daemon brings a daemon there', async () => {
  const world = makeDaemonWorld();
  const project = serving('front');
  const first = await startMaster({ world, cwd: project.folder, args: [] });
  expect(recordOf(world, 'front')).toMatchObject({ daemon: false, logFile: null, ended: null });
  first.signal('SIGTERM');
  expect((await first.exited()).code).toBe(0);
  expect(recordOf(world, 'front').ended).toEqual({ at: expect.any(String), how: 'stopped', reason: null });
  const second = await startMaster({ world, cwd: world.home, args: ['front'] });
  expect((await second.run('stop', 'front')).code).toBe(0);
  expect((await zdsup(world, ['start', 'front', '--daemon'])).code).toBe(0);
  await zdsup(world, ['stop', 'front']);
  const third = await startMaster({ world, cwd: world.home, args: ['front', '--no-daemon'] });
  expect((await third.status()).masterPid).toBe(third.pid);
});

test.concurrent('a script of that name wins over the app, and start says so', async () => {
  const world = makeDaemonWorld();
  await startDaemon(world, serving('twofold'));
  await zdsup(world, ['stop', 'twofold']);
  const project = makeProject({ twofold: answering("''", 0), 'package.json': '{"name": "script-app"}' });
  const { code, stderr } = await zdsup(world, ['start', 'twofold', '-d'], { cwd: project.folder });
  expect(code).toBe(0);
  expect(stderr).toMatch(/^note: twofold is taken for the script in this folder/);
  expect((await snapshots(world)).map(({ name, state }) => [name, state])).toEqual([
    ['script-app', 'running'],
    ['twofold', 'stopped'],
  ]);
  const folder = makeProject({ 'twofold/index.js': '', 'twofold.js': '' });
  const named = await zdsup(world, ['start', 'twofold'], { cwd: folder.folder });
  expect(named.code, 'neither a folder nor a script of another spelling').toBe(0);
});

test.concurrent('Ctrl-C right after the start only ends the waiting: the daemon has its order already', async () => {
  const world = makeDaemonWorld();
  const project = serving('hasty');
  for (const name of ['hasty-1', 'hasty-2', 'hasty-3']) {
    const command = spawn(process.execPath, [world.bin, 'start', '-d', '--name', name], {
      cwd: project.folder,
      env: { ...world.env, PWD: project.folder, PORT: String(await freePort()) },
      stdio: 'ignore',
    });
    await until('the daemon has been started', () => existsSync(join(world.home, 'logs', `${name}.log`)));
    command.kill('SIGINT');
    expect((await once(command, 'exit'))[0]).toBe(130);
    await until(
      `${name} runs`,
      async () => (await snapshots(world)).find((app) => app.name === name)?.state === 'running',
    );
  }
});

test.concurrent('a state folder that is named relatively is that of the shell, for the daemon as well', async () => {
  const world = makeDaemonWorld();
  const project = serving('near');
  const there = { ...world, env: { ...world.env, ZDSUP_HOME: relative(project.folder, world.home) } };
  const started = await zdsup(there, ['start', '-d'], { cwd: project.folder });
  expect(started.code, started.stderr).toBe(0);
  expect((await zdsup(world, ['status'])).stdout).toMatch(/^near {2}running/);
  expect((await zdsup(there, ['stop'], { cwd: project.folder })).code).toBe(0);
});

test.concurrent('start of what runs exits 4, by name, script or config; --or-reload reloads it, with the exit status of the reload', async () => {
  const port = await freePort();
  const world = makeDaemonWorld({ PORT: String(port) });
  const project = serving('again', "'old'");
  await startDaemon(world, project);
  for (const args of [['again'], ['-d'], [], ['app.js', '--name', 'again', '-d']])
    expect(await zdsup(world, ['start', ...args], { cwd: project.folder }), args.join(' ')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('error: again is running already (ZDSUP_APP_RUNNING)'),
    });
  expect(readFileSync(logPath(world, 'again'), 'utf8'), 'its log is its own').not.toContain('ZDSUP_APP_RUNNING');
  project.write({ 'app.js': answering("'new'", port) });
  for (const [generation, args] of [
    [2, ['again']],
    [3, ['-d']],
    [4, []],
  ] as const)
    expect(await zdsup(world, ['start', ...args, '--or-reload'], { cwd: project.folder })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`again: generation ${generation} serves`),
      stderr: expect.not.stringContaining('note: '),
    });
  const other = ['start', 'app.js', '--name', 'again', '-i', '3', '-d', '--or-reload'];
  expect(await zdsup(world, other, { cwd: project.folder }), 'a reload goes on as it was started').toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /^note: again is reloaded as it was started, from \S+zdsup\.config\S*; what is asked for now \(\S+app\.js, instances\) takes zdsup stop again, then a start$/m,
    ),
  });
  expect(await body(port)).toBe('new');
  project.write({ 'app.js': 'process.exit(3);' });
  expect((await zdsup(world, ['start', '-d', '--or-reload'], { cwd: project.folder })).code).toBe(1);
  expect(await body(port)).toBe('new');
  await zdsup(world, ['stop', 'again']);
  project.write({ 'app.js': answering("'third'", port) });
  expect((await zdsup(world, ['start', '-d', '--or-reload'], { cwd: project.folder })).code, 'it did not run').toBe(0);
  expect(await body(port)).toBe('third');
});

test.concurrent('--daemon starts each app of a config with several; the foreground refuses and names --only', async () => {
  const world = makeDaemonWorld();
  const app = (name: string, script: string): object => ({ ...CONFIG, name, script });
  const project = makeProject({
    'good.js': answering("''", 0),
    'bad.js': 'process.exit(1);',
    'zdsup.config.json': JSON.stringify({
      apps: [app('one', 'good.js'), app('two', 'bad.js'), app('three', 'good.js')],
    }),
  });
  const foreground = await zdsup(world, ['start'], { cwd: project.folder });
  expect(foreground).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/has 3 apps: one, two, three[\s\S]*--only <name>.*--daemon/),
  });
  const { code, stdout } = await zdsup(world, ['start', '-d', '--json'], { cwd: project.folder });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject([
    { app: 'one', ok: true },
    { app: 'two', ok: false, error: { code: 'ZDSUP_ROLLOUT_FAILED' } },
    { app: 'three', ok: true },
  ]);
  expect(await zdsup(world, ['reload', 'one']), 'each goes on as its own').toMatchObject({ code: 0 });
  const { stderr } = await zdsup(world, ['start', '-d'], { cwd: project.folder });
  expect(stderr.match(/^error: .*/gm), 'each error names its app, once').toMatchObject([
    expect.stringMatching(/^error: one is running already /),
    expect.stringMatching(/^error: two: worker 0 of generation 1 /),
    expect.stringMatching(/^error: three is running already /),
  ]);
  await zdsup(world, ['stop', 'all']);
  expect((await zdsup(world, ['start', 'three'])).code).toBe(0);
  expect((await snapshots(world)).filter(({ state }) => state === 'running').map(({ name }) => name)).toEqual([
    'three',
  ]);
  project.write({
    'zdsup.config.json': JSON.stringify({ apps: [{ ...CONFIG, script: 'good.js' }, app('x', 'good.js')] }),
  });
  expect(await zdsup(world, ['start', '-d'], { cwd: project.folder })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('apps[0].name is missing'),
  });
});

test.concurrent('Ctrl-C during a daemon start only stops the waiting: it says so, exits 130, and the app comes up', async () => {
  const world = makeDaemonWorld();
  const project = makeProject({
    'app.js': `process.on('SIGUSR2', () => process.send('ready')); ${answering("''", 0)} console.log('waits');`,
    'zdsup.config.json': config({ name: 'slow', ready: 'message' }),
  });
  const terminal = new Terminal(world, { cwd: project.folder });
  const from = await terminal.zdsup('start --daemon');
  await until(
    'it waits',
    () => existsSync(logPath(world, 'slow')) && readFileSync(logPath(world, 'slow'), 'utf8').includes('waits'),
  );
  terminal.press('\x03');
  expect(await terminal.prompt(from)).toBe(130);
  expect(terminal.lines(from).join('\n')).toContain('detached: the start goes on; zdsup status slow shows it');
  const [starting] = await snapshots(world);
  expect(starting).toMatchObject({ name: 'slow', state: 'starting' });
  killOwn(starting!.workers[0]!.pid!, 'SIGUSR2');
  await until(
    'it serves',
    () => snapshots(world),
    ([app]) => app?.state === 'running',
  );
});

test.concurrent('a daemon outlives the terminal it was started in', async () => {
  const port = await freePort();
  const world = makeDaemonWorld({ PORT: String(port) });
  const project = serving('survivor', "'here'");
  const terminal = new Terminal(world, { cwd: project.folder });
  const from = await terminal.zdsup('start --daemon');
  expect(await terminal.prompt(from)).toBe(0);
  expect(terminal.processes(), 'nothing of it is in the session').toEqual([]);
  const { masterPid } = recordOf(world, 'survivor');
  terminal.close();
  await goneFrom(terminal.shellPid);
  expect(await body(port)).toBe('here');
  expect((await zdsup(world, ['reload', 'survivor'])).code).toBe(0);
  expect(await body(port)).toBe('here');
  expect(isAlive(masterPid)).toBe(true);
});

test.concurrent('delete forgets what does not run, with its log and its journal, and refuses what does', async () => {
  const world = makeDaemonWorld();
  await startDaemon(world, serving('gone'));
  await startDaemon(world, serving('stays'));
  expect(await zdsup(world, ['delete', 'gone'])).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/gone is running.*\(ZDSUP_APP_RUNNING\)\nhint: zdsup stop gone/),
  });
  await zdsup(world, ['stop', 'gone']);
  mkdirSync(join(world.home, 'releases', 'gone'), { recursive: true });
  expect(await zdsup(world, ['delete', 'gone'])).toEqual({
    code: 0,
    stdout: 'gone: forgotten, with its log and its journal\n', // And not with 0 releases, of a store that a deploy has left empty.
    stderr: '',
  });
  const left = [recordPath(world, 'gone'), logPath(world, 'gone'), journalPath(world, 'gone')].filter(existsSync);
  expect(left).toEqual([]);
  expect(await zdsup(world, ['delete', 'gone'])).toMatchObject({ code: 3 });
  expect(await zdsup(world, ['start', 'gone'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ZDSUP_SCRIPT_MISSING'),
  });
  const all = await zdsup(world, ['delete', 'all', '--json']);
  expect({ code: all.code, apps: JSON.parse(all.stdout) as unknown }).toMatchObject({
    code: 4,
    apps: [{ app: 'stays', ok: false, exitStatus: 4 }],
  });
  await zdsup(world, ['stop', 'stays']);
  expect((await zdsup(world, ['delete', 'all'])).code).toBe(0);
  expect(await zdsup(world, ['status'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('no app is running'),
  });
});

test.concurrent('a broken record is one clear line and hides no other app', async () => {
  const world = makeDaemonWorld();
  await startDaemon(world, serving('fine'));
  writeFileSync(recordPath(world, 'torn'), '{"name": "torn", "requ');
  const { code, stdout, stderr } = await zdsup(world, ['status']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^fine {2}running/) });
  expect(stderr).toMatch(
    /^warning: what is remembered of torn cannot be read: \S+torn\.json: it is not JSON \(ZDSUP_RECORD_BROKEN\); .*zdsup delete torn\n$/,
  );
  for (const command of ['status', 'start', 'logs', 'describe'])
    expect(await zdsup(world, [command, 'torn']), command).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^error: what is remembered of torn cannot be read: .*\(ZDSUP_RECORD_BROKEN\)\nhint: .*\n$/,
      ),
    });
  expect((await zdsup(world, ['delete', 'torn'])).code).toBe(0);
  expect((await zdsup(world, ['status'])).stderr).toBe('');
  // What nobody writes to would be read for ever.
  execFileSync('mkfifo', [recordPath(world, 'pipe')]);
  expect(await zdsup(world, ['status'])).toMatchObject({
    stdout: expect.stringMatching(/^fine {2}running/),
    stderr: expect.stringContaining('pipe.json: it is empty'),
  });
  rmSync(recordPath(world, 'pipe')); // The cleaning up reads all records.
});

test.concurrent('an app that cannot be remembered runs all the same, and its log says why', async () => {
  const world = makeWorld();
  writeFileSync(join(world.home, 'apps'), 'a file where the folder should be');
  const master = await startMaster({ world, cwd: serving('unnoted').folder, args: [] });
  await master.seen(
    'the reason',
    (line) => line.level === 'warn' && line.msg.startsWith('the app cannot be remembered: '),
  );
  expect((await master.status()).state).toBe('running');
});

test("root does not start what another user's record says, and takes no log from elsewhere away", async () => {
  if (process.geteuid?.() !== 0) return; // Only root can give a file away.
  const world = makeDaemonWorld();
  await startDaemon(world, serving('theirs'));
  await zdsup(world, ['stop', 'theirs']);
  const elsewhere = join(world.home, 'precious');
  writeFileSync(elsewhere, '');
  writeFileSync(recordPath(world, 'theirs'), JSON.stringify({ ...recordOf(world, 'theirs'), logFile: elsewhere }));
  chownSync(recordPath(world, 'theirs'), 65_534, 65_534);
  expect(await zdsup(world, ['start', 'theirs'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ZDSUP_STATE_FOREIGN'),
  });
  expect((await zdsup(world, ['delete', 'theirs'])).code).toBe(0);
  expect(existsSync(elsewhere)).toBe(true);
});

test.concurrent('a log folder that cannot be written refuses the daemon, and the others have their turn', async () => {
  const world = makeDaemonWorld();
  mkdirSync(join(world.home, 'logs'));
  chmodSync(join(world.home, 'logs'), 0o500);
  expect(await zdsup(world, ['start', '-d'], { cwd: serving('mute').folder })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cannot use the state folder \S+logs: EACCES \(ZDSUP_STATE_UNWRITABLE\)/),
  });
});

test.concurrent('start --daemon makes the folder of the log that the config names, and says which one cannot be written', async () => {
  const world = makeDaemonWorld();
  const named = (out: string): string => {
    const project = makeProject({ 'app.js': answering("''", 0), 'zdsup.config.json': '' });
    project.write({
      'zdsup.config.json': config({ name: 'logged', script: 'app.js', log: { out: project.path(out) } }),
    });
    return project.folder;
  };
  const started = named('not/yet/there/out.log');
  expect(await zdsup(world, ['start', '-d'], { cwd: started })).toMatchObject({ code: 0 });
  expect(modeOf(join(started, 'not/yet/there/out.log'))).toBe('600');
  expect(await zdsup(world, ['stop', 'logged'])).toMatchObject({ code: 0 });
  expect(await zdsup(world, ['start', '-d'], { cwd: named('app.js/out.log') })).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cannot write the log \S+app\.js\/out\.log: \w+ \(ZDSUP_LOG_UNWRITABLE\)/),
  });
});

test.concurrent('a reader of the start that leaves ends neither the waiting nor the daemon', async () => {
  const world = makeDaemonWorld();
  const child = spawn(process.execPath, [BIN, 'start', '--daemon'], {
    cwd: serving('piped').folder,
    env: world.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
  child.stdout.destroy();
  child.stderr.destroy();
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(await snapshots(world)).toMatchObject([{ name: 'piped', state: 'running' }]);
});

test.concurrent.each([
  [['start', ''], /the script to start is an empty word \(ZDSUP_USAGE\)/],
  [['help', 'foo'], /unknown command 'foo' \(ZDSUP_USAGE\)/],
  [['help', 'relaod'], /unknown command 'relaod'[\s\S]*Did you mean reload\?/],
  [['logs', 'all'], /\(ZDSUP_USAGE\)/],
  [['logs', '-n', 'x'], /'x' is invalid/],
])('zdsup %j is wrong usage and exits 2', async (args, says) => {
  const { code, stdout, stderr } = await zdsup(makeWorld(), args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(says);
});

test.concurrent('help shows the commands, or the options of one', async () => {
  expect(await zdsup(makeWorld(), ['help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Commands:') });
  expect(await zdsup(makeWorld(), ['help', 'ls'])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Usage: zdsup status/),
  });
});
