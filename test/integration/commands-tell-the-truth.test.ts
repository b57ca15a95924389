/** Promise 7: a command returns when it is done or has failed, with the exit status to match; the control socket bears anything. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ControlRequest } from '../../src/shared/control-protocol.js';
import type { Snapshot } from '../../src/shared/snapshot.js';
import { killOwn } from '../helpers/cleanup.js';
import { interruptUntilEnded } from '../helpers/end-at-once.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { BIN, startMaster } from '../helpers/zdsup.js';

/** Becomes ready when it is told to, by SIGUSR2; `/held` is answered then as well. */
const ON_CUE = `
const held = [];
require('node:http').createServer((request, response) => {
  if (request.url === '/held') held.push(response);
  else response.end(process.env.ZDSUP_GENERATION);
}).listen(process.env.PORT);
if (process.env.ZDSUP_GENERATION === '1') process.send('ready');
process.on('SIGUSR2', () => { process.send('ready'); held.splice(0).forEach((response) => response.end('held')); });
console.log('waits for its cue', process.pid);`;

async function start(more: Record<string, unknown> = {}): Promise<{ master: Master; port: number }> {
  const port = await freePort();
  const config = { name: 'cue', script: 'app.js', minReady: 0, ready: 'message', env: { PORT: port }, ...more };
  const project = makeProject({ 'app.js': ON_CUE, 'zdsup.config.json': JSON.stringify(config) });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port };
}

const started = (master: Master, generation: number) =>
  master.seen(
    `a worker of generation ${generation} starts`,
    (line) => line.kind === 'worker-started' && line.generation === generation,
  );

const cue = async (master: Master, generation: number): Promise<void> => {
  const { pid } = await started(master, generation);
  await master.printed(`waits for its cue ${pid}`);
  await until('it takes the cue', () => {
    killOwn(pid, 'SIGUSR2');
    return master.log.some((line) => line.kind === 'worker-ready' && line.generation === generation);
  });
};

test.concurrent('a second reload is refused with 4 while the first goes on to its own end', async () => {
  const { master } = await start();
  const first = master.run('reload');
  await started(master, 2);
  const second = await master.run('reload');
  expect(second.code).toBe(4);
  expect(second.stderr).toMatch(
    /error: another rollout of cue is under way \(generation 2, booting\) \(ZDSUP_ROLLOUT_UNDER_WAY\)\nhint: .*zdsup status cue; or give it up: zdsup abort cue/,
  );
  await cue(master, 2);
  expect(await first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^cue: generation 2 serves, the old workers have gone \(\d+\.\d s\); on trial for 30 s\n$/,
    ),
  });
});

test.concurrent('two HUPs during a rollout count as one more after it', async () => {
  const { master } = await start();
  master.signal('SIGHUP');
  await started(master, 2);
  master.signal('SIGHUP');
  master.signal('SIGHUP');
  await master.status();
  await cue(master, 2);
  await cue(master, 3);
  await master.serving(3);
  const app = await master.statusUntil('all is done', ({ workers }) => workers.length === 1);
  expect(app).toMatchObject({ generation: 3, rollout: { id: 3, outcome: 'succeeded' } });
});

test.concurrent('progress goes to stderr, one line a step, and --no-wait returns while the rollout goes on', async () => {
  const { master } = await start();
  const { code, stdout } = await master.run('reload', '--no-wait');
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: 'cue: the reload was accepted and goes on; zdsup status shows it\n',
  });
  expect((await master.status()).rollout).toMatchObject({ outcome: null });
  await cue(master, 2);
  await master.serving(2);
  const reload = master.run('reload');
  await cue(master, 3);
  const { stderr } = await reload;
  expect(stderr).toMatch(/^cue: generation 3: starting 1 worker\n[\s\S]*is ready\n[\s\S]*takes traffic \(1 of 1\)\n/);
});

test.concurrent('Ctrl-C only detaches the command, with 130, and the reload goes on', async () => {
  const { master } = await start();
  const child = spawn(process.execPath, [BIN, 'reload'], {
    cwd: master.cwd,
    env: { ...master.world.env, PWD: master.cwd },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  await until('it shows progress', () => stderr.includes('starting 1 worker'));
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([130, null]);
  expect(stderr).toContain('detached: the reload goes on; zdsup status cue shows it, zdsup abort cue gives it up');
  await cue(master, 2);
  await master.serving(2);
});

test.concurrent('with --json each result and each error is one JSON value on stdout, and nothing else', async () => {
  const { master, port } = await start();
  const json = async (...args: string[]): Promise<unknown> => JSON.parse((await master.run(...args, '--json')).stdout);
  expect(await json('reload', 'nobody')).toEqual({
    type: 'result',
    ok: false,
    exitStatus: 3,
    error: {
      code: 'ZDSUP_APP_NOT_RUNNING',
      message: 'nobody is not running (running: cue)',
      hint: expect.any(String),
      exitStatus: 3,
    },
  });
  const reload = json('reload');
  await cue(master, 2);
  expect(await reload).toEqual({
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'reload',
    generation: 2,
    trialMs: 30_000,
    durationMs: expect.any(Number),
    message: expect.any(String),
  });
  const { apps } = (await json('status')) as Snapshot;
  expect(apps).toEqual([
    {
      name: 'cue',
      state: 'running',
      masterPid: master.pid,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      release: { id: expect.stringMatching(/^[0-9a-f]{8}$/), path: master.cwd, modified: false },
      generation: 2,
      listeners: [{ address: '::', port, protocol: 'http' }],
      weights: { 2: 100 },
      rollout: {
        id: 2,
        from: 1,
        to: 2,
        step: 'done',
        startedAt: expect.any(String),
        outcome: 'succeeded',
        reason: null,
        weight: null,
        kind: 'reload',
        cause: null,
      },
      soak: { generation: 2, until: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), judged: false, goesBack: true },
      workers: [
        {
          slot: 0,
          pid: expect.any(Number),
          generation: 2,
          state: 'active',
          startedAt: expect.any(String),
          restarts: 0,
          connections: 0,
          inFlight: 0,
          requests: 0,
          cpuPercent: expect.any(Number),
          rssBytes: expect.any(Number),
        },
      ],
    },
  ]);
  expect(await json('stop')).toEqual({
    type: 'result',
    ok: true,
    exitStatus: 0,
    command: 'stop',
    durationMs: expect.any(Number),
    message: 'stopped',
  });
});

test.concurrent('a stop during a reload ends both generations: the reload fails with the reason, and nothing is left behind', async () => {
  const { master } = await start({ instances: 2 });
  const reload = master.run('reload');
  await started(master, 2);
  const [stop, again] = await Promise.all([master.run('stop'), master.run('stop')]);
  // Which one comes first is open; the other may find nobody there any more.
  expect([stop.code, again.code], stop.stderr + again.stderr).toContain(0);
  for (const { code } of [stop, again]) expect([0, 3]).toContain(code);
  expect(await reload).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the app was stopped (ZDSUP_STOPPING)'),
  });
  expect(await master.exited()).toEqual({ code: 0, signal: null });
  expect(master.liveWorkerPids).toEqual([]);
  expect(readdirSync(join(master.world.home, 'run'))).toEqual([]);
});

test.concurrent('a master that is killed in mid-reload: the command says so and exits 1', async () => {
  const { master } = await start();
  const reload = master.run('reload');
  await started(master, 2);
  await master.killed();
  const { code, stderr } = await reload;
  expect(code).toBe(1);
  expect(stderr).toMatch(/error: the connection to the master of cue failed: the master ended before it was done/);
});

test.concurrent('a master that is stopped by SIGSTOP is unresponsive, its workers serve, and it goes on where it was', async () => {
  const { master, port } = await start();
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('1');
  master.signal('SIGSTOP');
  const status = await master.run('status');
  expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('cue  unresponsive') });
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('1');
  master.signal('SIGCONT');
  await master.statusUntil('it answers again', (app) => app.state === 'running' && app.workers[0]?.restarts === 0);
});

/** All that the master answers to it. */
async function saidTo(master: Master, request: ControlRequest): Promise<string> {
  const socket = connect(join(master.world.home, 'run/cue.sock'));
  socket.end(`${JSON.stringify(request)}\n`);
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

test('the second Ctrl-C, a second after the first, ends everything at once; TERM may be repeated', async () => {
  const { master, port } = await start();
  const connection = (await Connection.open({ port })) as Connection;
  connection.socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  await master.statusUntil('it is in flight', (app) => app.workers[0]!.inFlight === 1);
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT', 'SIGINT', 'SIGUSR1', 'SIGUSR2'] as const) master.signal(signal);
  await master.seen('it drains', (line) => line.kind === 'worker-retired');
  expect((await master.status()).state).toBe('stopping');
  expect(connection.isOpen).toBe(true);
  const stopping = saidTo(master, { command: 'stop' });
  expect(await saidTo(master, { command: 'status' })).toContain('"stopping"'); // Behind it in the master's queue.
  await interruptUntilEnded(master);
  // A stop that an end at once has overtaken is no graceful one.
  expect(await stopping).toContain('was ended at once');
  connection.end();
});

test.concurrent('without a name it is the app of the current folder, else the only one, else exit 2 with the list; `all` is explicit', async () => {
  const [one, two] = [
    makeProject({ 'package.json': '{"name": "@corp/one"}', 'lib/x': '', 'app.js': answering("''", 0) }),
    makeProject({ 'app.js': answering("''", 0) }),
  ];
  const first = await startMaster({ cwd: one.folder, args: ['app.js'] });
  const { world } = first;
  expect((await first.status()).name).toBe('corp-one');
  const second = await startMaster({ cwd: two.folder, args: ['app.js', '--name', 'two'], world });
  const elsewhere = await second.run('reload');
  expect(elsewhere).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /which app\? corp-one, two are running \(ZDSUP_APP_AMBIGUOUS\)\nhint: name one, or 'all'/,
    ),
  });
  expect((await first.run('reload')).stdout).toMatch(/^corp-one: generation 2 serves/);
  expect((await first.run('stop', 'all')).code).toBe(0);
  await Promise.all([first.exited(), second.exited()]);
});

test.concurrent('garbage, half requests, long ones and 200 idle connections on the control socket change nothing', async () => {
  const { master, port } = await start();
  const path = join(master.world.home, 'run/cue.sock');
  expect([statSync(path).mode & 0o777, statSync(join(path, '..')).mode & 0o777]).toEqual([0o600, 0o700]);
  const say = (text: string): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(path, () => socket.write(text));
      socket
        .on('data', (chunk) => (answer += chunk))
        .on('error', () => {})
        .on('close', () => resolve(answer));
    });
  const idle = Array.from({ length: 200 }, () => connect(path).on('error', () => {}));
  const half = say('{"command": "sto');
  for (const text of [
    '\x00\xff\n',
    'null\n',
    '42\n',
    '"stop"\n',
    '[]\n',
    '{"command": "explode"}\n',
    `${'x'.repeat(70_000)}\n`,
  ])
    expect(await say(text), text.slice(0, 30)).toMatch(
      /"ok":false,"exitStatus":2,"error":\{"code":"ZDSUP_CONTROL_PROTOCOL"/,
    );
  expect(await half).toMatch(/no whole request came within 5000 ms/);
  for (const socket of idle) socket.destroy();
  expect((await master.status()).state).toBe('running');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('1');
  expect((await master.run('stop')).code).toBe(0);
  expect(existsSync(path)).toBe(false);
});
