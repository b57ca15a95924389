/** `check`: the new code is tried off the traffic; what runs is not touched, whatever comes of it. And `smoke`, which every rollout asks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { CheckReport } from '../../src/shared/check-report.js';
import { isAlive } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

interface Running {
  master: Master;
  project: Project;
  port: number;
}

async function start(more: Record<string, unknown> = {}): Promise<Running> {
  const port = await freePort();
  const config = { name: 'shop', script: 'app.js', instances: 2, minReady: 50, env: { PORT: port }, ...more };
  const project = makeProject({
    'app.js': answering('process.pid', 'process.env.PORT'),
    'zdsup.config.json': JSON.stringify(config),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), project, port };
}

const reported = async (master: Master, ...args: string[]): Promise<CheckReport> =>
  JSON.parse((await master.run('check', ...args, '--json')).stdout) as CheckReport;

describe('of an app that runs', () => {
  test('a check loses no request, no request reaches its worker, and the app goes on as it was', async () => {
    const { master, port } = await start();
    const before = (await master.status()).workers.map(({ pid }) => String(pid)).sort();
    const load = startLoad({ port }, 10, perRequest());
    await load.reached(20);
    const { code, stdout, stderr } = await master.run('check', 'shop');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('ok: zdsup reload shop would let it in');
    const tally = await expectNothingLost(load, 50);
    expect([...tally.answeredBy.keys()].map(String).sort()).toEqual(before);
    expect((await master.status()).workers.map(({ pid }) => String(pid)).sort()).toEqual(before);
  });

  test.concurrent('it says what would change: files, config, names of variables', async () => {
    const { master, project, port } = await startWithEnvFile();
    writeFileSync(project.path('lib.js'), '');
    writeFileSync(project.path('.env'), 'NEW=secret\n');
    const config = { name: 'shop', script: 'app.js', instances: 3, minReady: 50, envFile: '.env', env: { PORT: port } };
    writeFileSync(project.path('zdsup.config.json'), JSON.stringify(config));
    const { changes, state } = await reported(master);
    expect(state).toBe('running');
    expect(changes).toMatchObject({
      files: ['lib.js'],
      config: [{ key: 'instances', from: 2, to: 3 }],
      env: { added: ['NEW'], removed: ['OLD'] },
      listeners: { added: [], missing: [] },
    });
    const { stdout } = await master.run('check');
    expect(stdout).toContain('1 changed: lib.js');
    expect(stdout).toContain('+NEW -OLD');
    expect(stdout).not.toContain('secret');
  });

  test.concurrent('it says of what the app was not started from that a reload goes on without it', async () => {
    const { master, project, port } = await start();
    const config = { name: 'shop', script: 'app.js', minReady: 50, env: { PORT: port } };
    project.write({ 'other.config.json': JSON.stringify(config) });
    const { code, stdout } = await master.run('check', 'other.config.json');
    expect(code).toBe(0);
    expect(stdout).toContain(
      `ok: it would be let in, but zdsup reload shop goes on with ${project.path('zdsup.config.json')}, which shop was started from`,
    );
    expect(stdout).not.toContain('zdsup reload shop would let it in');
  });

  test.concurrent('it warns of a line of the env file that sets nothing, as a reload does, which logs it once', async () => {
    const { master, project } = await startWithEnvFile();
    writeFileSync(project.path('.env'), 'NEW=1\nhalf a secret\n');
    const warning = `${project.path('.env')}:2 is no NAME=value and sets nothing`;
    const checked = await master.run('check');
    expect(checked.code, checked.stderr).toBe(0);
    expect(checked.stderr).toContain(warning);
    expect((await master.run('reload')).stderr).toContain(warning);
    expect(master.log.filter(({ msg }) => msg === warning)).toMatchObject([{ level: 'warn', kind: 'warning' }]);
    expect(checked.stderr + JSON.stringify(master.log)).not.toContain('secret');
  });

  test.concurrent('a config that names it otherwise fails with the very error of the reload, by name, folder and config', async () => {
    const { master, project, port } = await start();
    project.write({
      'zdsup.config.json': JSON.stringify({ name: 'till', script: 'app.js', instances: 2, env: { PORT: port } }),
    });
    const [refused] = /^error: [\s\S]*/m.exec((await master.run('reload', 'shop')).stderr)!;
    expect(refused).toContain('the config names the app till, it runs as shop: a reload cannot rename it');
    for (const args of [['shop'], [], ['zdsup.config.json'], [project.folder]]) {
      const { code, stderr } = await master.run('check', ...args);
      expect({ code, stderr }, args.join()).toEqual({ code: 2, stderr: refused });
    }
  });

  test.concurrent('a name that package.json gave may change: it is checked as what it runs as, by name and by script', async () => {
    const port = await freePort();
    const project = makeProject({ 'app.js': answering('process.pid', port), 'package.json': '{"name": "shop"}' });
    const master = await startMaster({ cwd: project.folder, args: ['app.js'] });
    project.write({ 'package.json': '{"name": "till"}' });
    for (const target of ['shop', 'app.js'])
      expect(await reported(master, target), target).toMatchObject({
        app: 'shop',
        state: 'running',
        message: 'zdsup reload shop would let it in',
      });
    expect((await master.run('reload', 'shop')).code).toBe(0);
  });

  test.concurrent('a second app that was started from the same config under a name of its own is not taken for a renamed one', async () => {
    const port = await freePort();
    const project = makeProject({
      'app.js': answering('process.pid', 'process.env.PORT'),
      'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', minReady: 50, env: { PORT: port } }),
    });
    const master = await startMaster({ cwd: project.folder, args: ['--name', 'other'] });
    expect(await reported(master)).toMatchObject({ ok: true, app: 'shop', state: null, message: 'it starts' });
  });

  test.concurrent('a bad release fails with exit 1 and its reason', async () => {
    const { master, project, port } = await start();
    writeFileSync(project.path('app.js'), "throw new Error('not today')");
    const { code, stderr } = await master.run('check');
    expect(code).toBe(1);
    expect(stderr).toContain('exited with code 1 before it was ready');
    expect(stderr).toContain('not today');
    expect(stderr).toContain('what runs was not touched');
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).not.toBe('');
  });

  test.concurrent('a release that listens elsewhere fails, unless that is accepted', async () => {
    const { master, project } = await start();
    const other = await freePort();
    writeFileSync(project.path('app.js'), answering('process.pid', other));
    const report = await reported(master);
    expect(report).toMatchObject({ ok: false, exitStatus: 1 });
    expect(report.message).toContain(String(other));
    expect((await master.run('check', '--allow-listeners')).code).toBe(0);
  });

  test.concurrent('its unix socket stays where it is, though the new code removes it before it listens', async () => {
    const project = makeProject({
      'app.js': `const fs = require('node:fs');
if (fs.existsSync('app.sock')) fs.unlinkSync('app.sock');
require('node:http').createServer((request, response) => response.end(process.pid + '')).listen('app.sock');`,
    });
    const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'shop'] });
    expect((await master.run('check')).code).toBe(0);
    const status = await new Promise((resolve, reject) => {
      request({ socketPath: project.path('app.sock') }, (response) => resolve(response.statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });
});

async function startWithEnvFile(): Promise<Running> {
  const port = await freePort();
  const config = { name: 'shop', script: 'app.js', instances: 2, minReady: 50, envFile: '.env', env: { PORT: port } };
  const project = makeProject({
    '.env': 'OLD=1\n',
    'app.js': answering('process.pid', 'process.env.PORT'),
    'zdsup.config.json': JSON.stringify(config),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), project, port };
}

test.concurrent('of an app that does not run, it says whether it starts', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering('process.pid', port) });
  const { code, stdout, stderr } = await zdsup(makeWorld(), ['check', 'app.js'], { cwd: project.folder });
  expect(code, stderr).toBe(0);
  expect(stdout).toContain(`http://[::]:${port}`);
  expect(stdout).toContain('ok: it starts');
});

test.concurrent('of a config with several apps it tries the one that --only picks, and asks for that where it is left out', async () => {
  const port = await freePort();
  const app = (name: string, env = {}): object => ({ name, script: 'app.js', minReady: 50, env });
  const project = makeProject({
    'app.js': answering('process.pid', 'process.env.PORT'),
    'zdsup.config.json': JSON.stringify({ apps: [app('web', { PORT: port }), app('api', { PORT: 1e6 })] }),
  });
  const check = (...args: string[]): ReturnType<typeof zdsup> =>
    zdsup(world, ['check', ...args], { cwd: project.folder });
  const world = makeWorld();
  const picked = await check('--only', 'web');
  expect(picked.code, picked.stderr).toBe(0);
  expect(picked.stdout).toContain(`http://[::]:${port}`);
  expect(await check('zdsup.config.json', '--only', 'api'), 'a port that is none').toMatchObject({ code: 1 });
  expect(await check()).toMatchObject({
    code: 2,
    stderr: `error: zdsup.config.json has 2 apps: web, api; a check tries one (ZDSUP_USAGE)
hint: pick one of them with --only <name>
`,
  });
  expect(await check('--only', 'wbe')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('has no app wbe; it has web, api (ZDSUP_USAGE)'),
  });
  const master = await startMaster({ world, cwd: project.folder, args: ['--only', 'web'] });
  expect(await reported(master, '--only', 'web')).toMatchObject({ app: 'web', state: 'running' });
  expect(await check('web', '--only', 'api'), 'a name is a choice already').toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/ZDSUP_USAGE\)\nhint: zdsup check api, or zdsup check <config> --only api/),
  });
});

describe('the smoke test', () => {
  test.concurrent('reaches that worker alone', async () => {
    const { master } = await start();
    const pids = (await master.status()).workers.map(({ pid }) => String(pid));
    const script =
      'node -e "fetch(process.env.ZDSUP_CHECK_URL).then((r) => r.text()).then((t) => console.error(\'pid\', t))"';
    const { code, stderr } = await master.run('check', '--run', script);
    expect(code, stderr).toBe(0);
    const [, tried] = /^pid (\d+)$/m.exec(stderr) ?? [];
    expect(Number(tried)).toBeGreaterThan(0);
    expect(pids).not.toContain(tried);
  });

  test.concurrent('that fails is told with its exit code and its last lines', async () => {
    const { master } = await start();
    const { code, stderr } = await master.run('check', '--run', 'echo the till is empty; exit 7');
    expect(code).toBe(1);
    expect(stderr).toContain('failed the smoke test: echo the till is empty; exit 7 exited with code 7');
    expect(stderr).toContain('the till is empty');
  });

  test.concurrent('that hangs is given up at its time-out, and what it has forked ends with it', async () => {
    const { master, project } = await startSmoked('sleep 300 & echo $! > child; sleep 300');
    const { code, stderr } = await master.run('check');
    expect(code).toBe(1);
    expect(stderr).toContain('did not end within 1');
    const child = Number(readFileSync(project.path('child'), 'utf8'));
    await until('its child has ended', () => !isAlive(child));
  });

  test.concurrent('a check that is left with Ctrl-C leaves no process behind', async () => {
    const { master, project } = await start();
    const command = spawn(process.execPath, [master.world.bin, 'check', '--run', 'echo $$ > child; exec sleep 300'], {
      cwd: project.folder,
      env: { ...master.world.env, PWD: project.folder },
      stdio: 'ignore',
    });
    await until(
      'the script runs',
      () => existsSync(project.path('child')) && readFileSync(project.path('child'), 'utf8') !== '',
    );
    command.kill('SIGINT');
    expect(await once(command, 'exit')).toEqual([130, null]);
    const child = Number(readFileSync(project.path('child'), 'utf8'));
    await until('the script has ended', () => !isAlive(child));
  });
});

async function startSmoked(run: string): Promise<Running> {
  const port = await freePort();
  const config = { name: 'shop', script: 'app.js', minReady: 50, env: { PORT: port } };
  const project = makeProject({
    'app.js': answering('process.pid', 'process.env.PORT'),
    'zdsup.config.json': JSON.stringify(config),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  writeFileSync(project.path('zdsup.config.json'), JSON.stringify({ ...config, smoke: { run, timeout: '1s' } }));
  return { master, project, port };
}

test('with smoke in the config, a reload whose first worker fails it is given up, and nothing is lost', async () => {
  const { master, port } = await startSmoked('exit 9');
  const load = startLoad({ port }, 10, perRequest());
  await load.reached(20);
  const { code, stderr } = await master.run('reload');
  expect(code).toBe(1);
  expect(stderr).toContain('worker 0 of generation 2 failed the smoke test');
  expect(stderr).toContain('exited with code 9');
  const tally = await expectNothingLost(load, 20);
  expect(tally.answeredBy.size, 'the worker that was tried had no traffic').toBe(1);
  expect((await master.status()).generation).toBe(1);
});

test.concurrent('a smoke test that no process can be given fails its rollout; the master goes on', async () => {
  const { master } = await startSmoked(`true ${'x'.repeat(200_000)}`);
  const { code, stderr } = await master.run('reload');
  expect(code).toBe(1);
  expect(stderr).toMatch(/failed the smoke test: true x+ could not be started: /);
  expect((await master.status()).generation).toBe(1);
});

test('what a smoke test has connected to a worker that hangs does not stay with the master', async () => {
  const script = `const net = require('node:net'); const { port } = new URL(process.env.ZDSUP_CHECK_URL);
for (let i = 0; i < 40; i++) net.connect(port, '127.0.0.1').on('error', () => {});`;
  const { master, project } = await startSmoked('node smoke.js');
  project.write({
    'smoke.js': script,
    'app.js': `require('node:http').createServer().listen(process.env.PORT, () => setTimeout(() => { for (;;); }, 20));`,
  });
  const before = socketsOf(master.pid);
  expect((await master.run('reload')).code).toBe(1);
  await until(
    'the master has about as many sockets as before',
    () => socketsOf(master.pid),
    (count) => count < before + 20,
  );
});

const socketsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false; // Closed meanwhile.
    }
  }).length;
