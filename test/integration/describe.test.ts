/** `zdsup describe` tells everything about one app, and gives no secret away. */
import { expect, test } from 'vitest';
import type { DescribedApp } from '../../src/shared/description.js';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Master, World } from '../helpers/zdsup.js';
import { startMaster, zdsup } from '../helpers/zdsup.js';

const APP = `
require('node:http').createServer((request, response) => {
  if (request.url === '/die') { console.error('cannot', 'go on'); process.exit(9); }
  response.end('served');
}).listen(process.env.PORT);`;

interface Scene {
  master: Master;
  port: number;
  project: ReturnType<typeof makeProject>;
  world: World;
}

async function start(more: object = {}): Promise<Scene> {
  const world = makeDaemonWorld({ INHERITED: 'inherited-secret' });
  const port = await freePort();
  const project = makeProject({
    'app.js': APP,
    '.env': 'FROM_FILE=file-secret',
    'zdsup.config.json': JSON.stringify({
      name: 'told',
      script: 'app.js',
      args: ['--verbose'],
      nodeArgs: ['--max-old-space-size=200'],
      minReady: 0,
      instances: 2,
      surge: '50%',
      drainTimeout: '12s',
      envFile: '.env',
      env: { PORT: port, TOKEN: 'config-secret' },
      ...more,
    }),
  });
  const master = await startMaster({ world, cwd: project.folder, args: [] });
  return { master, port, project, world };
}

async function describe(world: World, name = 'told', exitStatus = 0): Promise<DescribedApp> {
  const { code, stdout, stderr } = await zdsup(world, ['describe', name, '--json']);
  expect(code, stdout + stderr).toBe(exitStatus);
  return JSON.parse(stdout) as DescribedApp;
}

const die = (port: number): Promise<unknown> => fetch(`http://127.0.0.1:${port}/die`).catch(() => {});

test.concurrent('the snapshot, the config in force with its defaults, and what was started', async () => {
  const { world, master, project, port } = await start();
  const app = await describe(world);
  expect(app).toMatchObject({
    name: 'told',
    state: 'running',
    masterPid: master.pid,
    listeners: [{ port, protocol: 'http' }],
    workers: [{ slot: 0 }, { slot: 1 }],
    config: {
      entry: project.path('app.js'),
      cwd: project.folder,
      args: ['--verbose'],
      nodeArgs: ['--max-old-space-size=200'],
      execArgv: ['--max-old-space-size=200'],
      instances: 2,
      surge: 1,
      unavailable: 0,
      drainTimeoutMs: 12_000,
      killTimeoutMs: 5_000,
      ready: { check: 'listening', deadlineMs: 60_000 },
      envFile: ['.env'],
      envNames: ['PORT', 'TOKEN'],
      otherEnvNames: expect.arrayContaining(['FROM_FILE', 'INHERITED', 'PATH']),
    },
    exits: [],
    rollouts: [{ id: 1, from: null, to: 1, outcome: 'succeeded' }],
    record: { name: 'told', daemon: false, request: { configPath: project.path('zdsup.config.json') }, ended: null },
  });
});

test.concurrent('of the environment there are names, and no values', async () => {
  const { master } = await start();
  for (const args of [['describe'], ['describe', '--json'], ['describe', 'all', '--json']]) {
    const { stdout, code } = await master.run(...args);
    expect(code).toBe(0);
    expect(stdout).toContain('TOKEN');
    expect(stdout).not.toMatch(/secret/);
  }
});

test.concurrent('the last exits say how, when, and with which last words; what was told to end is told from a crash', async () => {
  const { master, port, world } = await start();
  const [first] = (await master.status()).workers;
  await die(port);
  await master.seen('it has crashed', (line) => line.kind === 'worker-exited');
  const crashed = (await describe(world)).exits;
  expect(crashed).toMatchObject([
    { generation: 1, code: 9, signal: null, error: null, expected: false, stderr: ['cannot go on'] },
  ]);
  expect(Date.parse(crashed[0]!.at)).toBeGreaterThan(Date.parse(first!.startedAt!));
  await master.statusUntil('both serve', ({ workers }) => workers.every(({ state }) => state === 'active'));
  expect((await master.run('reload')).code).toBe(0);
  const { exits, rollouts } = await describe(world);
  expect(exits.map(({ expected, code }) => [expected, code])).toEqual([
    [true, 0],
    [true, 0],
    [false, 9],
  ]);
  expect(rollouts.map(({ id, to }) => [id, to])).toEqual([
    [2, 2],
    [1, 1],
  ]);
});

test('ten exits and five rollouts are kept, the failed ones with their reasons', async () => {
  const { master, project, port, world } = await start({ instances: 1, backoff: { initial: 1, cap: 1 } });
  for (let count = 1; count <= 11; count++) {
    await die(port);
    await master.statusUntil(
      `restart ${count}`,
      ({ workers }) => workers[0]?.state === 'active' && workers[0].restarts === count,
    );
  }
  expect((await describe(world)).exits).toHaveLength(10);
  project.write({ 'app.js': "throw new Error('half an edit');" });
  for (let count = 0; count < 5; count++) expect((await master.run('reload')).code).toBe(1);
  const { rollouts, exits } = await describe(world);
  expect(rollouts.map(({ id, outcome }) => [id, outcome])).toEqual([6, 5, 4, 3, 2].map((id) => [id, 'failed']));
  expect(rollouts[0]!.reason).toContain('exited with code 1 before it was ready');
  expect(exits[0]!.stderr.join('\n')).toContain('half an edit');
});

test.concurrent('for people it is sections of lines', async () => {
  const { master, port, project } = await start();
  await die(port);
  await master.seen('it has crashed', (line) => line.kind === 'worker-exited');
  const { stdout } = await master.run('describe');
  expect(stdout).toMatch(/^told {2}running/);
  for (const line of [
    /^started\n {2}from {3}\S+zdsup\.config\.json$/m,
    /^ {2}log +where it was started from$/m,
    /^config in force$/m,
    new RegExp(`^  entry +${project.path('app.js')}$`, 'm'),
    /^ {2}drainTimeout +12 s$/m,
    /^ {2}env +PORT TOKEN; \d+ more from env files and the master$/m,
    /^last exits\n {2}.* ago {2}worker \d of generation 1 \(pid \d+\): crashed, exit code 9\n {4}cannot go on$/m,
    /^last rollouts\n {2}.* ago {2}start of generation 1: succeeded$/m,
  ])
    expect(stdout).toMatch(line);
});

test.concurrent('one that does not run is what is remembered of it, exit 3; one that nobody knows is an error', async () => {
  const { world, master } = await start();
  expect((await master.run('stop')).code).toBe(0);
  expect(await describe(world, 'told', 3)).toMatchObject({
    state: 'stopped',
    config: null,
    exits: [],
    record: { name: 'told', ended: { how: 'stopped' } },
  });
  expect(await zdsup(world, ['describe', 'told'])).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/^told {2}stopped[\s\S]*\nstarted\n/),
  });
  expect(await zdsup(world, ['describe', 'nobody'])).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringContaining('ZDSUP_APP_NOT_RUNNING'),
  });
});

test.concurrent('a slot that waits out its pause is a row of its own, which says until when', async () => {
  const world = makeDaemonWorld();
  const project = makeProject({
    'app.js': `if (process.env.ZDSUP_SLOT === '1' && require('node:fs').existsSync('fall')) process.exit(1); ${answering("''", 0)}
      if (process.env.ZDSUP_SLOT === '1') process.on('SIGUSR2', () => process.exit(1));`,
    'zdsup.config.json': JSON.stringify({ name: 'waits', script: 'app.js', minReady: 0, instances: 2, backoff: '30s' }),
  });
  const master = await startMaster({ world, cwd: project.folder, args: [] });
  process.kill((await master.status()).workers[1]!.pid!, 'SIGUSR2');
  const { workers } = await master.statusUntil('it waits', (app) =>
    app.workers.some(({ state }) => state === 'waiting'),
  );
  expect(workers).toMatchObject([
    { slot: 0, state: 'active' },
    {
      slot: 1,
      state: 'waiting',
      pid: null,
      startedAt: null,
      restarts: 1,
      generation: 1,
      respawnAt: expect.stringMatching(/Z$/),
    },
  ]);
  expect((await master.run('status')).stdout).toMatch(/waiting, again in \d+ s/);
});
