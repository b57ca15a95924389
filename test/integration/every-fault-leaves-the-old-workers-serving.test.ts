/**
 * Whatever the master runs out of, the workers that serve go on; each fault is told once and clearly, and is over when its cause
 * is. What commands are refused for is in bad-input-is-refused, scale, signals-to-workers and restart-never-overlaps; what the
 * control socket bears in control-socket; smoke tests that fail, hang or fork in check-tries-without-traffic.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { MAX_OPEN } from '../../src/master/control-server.js';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { logPath, makeDaemonWorld } from '../helpers/daemons.js';
import { descriptorsOf } from '../helpers/kernel.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import type { Load } from '../helpers/load/load.js';
import { lostCount } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { World } from '../helpers/zdsup.js';
import { BIN, Master, makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups'];

const CONFIG = {
  name: 'shop',
  script: 'app.js',
  instances: 2,
  minReady: 100,
  backoff: { initial: 200, cap: 500 },
  crashLoop: '5 in 5s',
};

async function makeShop(): Promise<{ folder: string; port: number }> {
  const port = await freePort();
  const config = { ...CONFIG, env: { PORT: port } };
  const { folder } = makeProject({
    'app.js': answering('process.pid', 'process.env.PORT'),
    'zdsup.config.json': JSON.stringify(config),
  });
  return { folder, port };
}

/** Keep-alive and per-request load, and what must have become of it. */
async function underLoad(
  port: number,
): Promise<{ lostNothing(): Promise<void>; lostAtMost(count: number): Promise<void> }> {
  const loads: Load[] = [startLoad({ port }, 3, keepAlive()), startLoad({ port }, 3, perRequest())];
  await Promise.all(loads.map((load) => load.reached(10)));
  const lostAtMost = async (count: number): Promise<void> => {
    await Promise.all(loads.map((load) => load.reached(load.tally.answered + 10)));
    const tallies = await Promise.all(loads.map((load) => load.stop()));
    const lost = tallies.reduce((sum, tally) => sum + lostCount(tally), 0);
    expect(lost, JSON.stringify(tallies.map((tally) => tally.lost))).toBeLessThanOrEqual(count);
    for (const tally of tallies) {
      expect(tally.lost.hung).toBeUndefined();
      expect(tally.lost['connect: ECONNREFUSED']).toBeUndefined();
    }
  };
  return { lostNothing: () => lostAtMost(0), lostAtMost };
}

/** `start` behind a command that takes over its process with other limits, or as another user. */
async function startBehind(prefix: string[], world: World, cwd: string): Promise<Master> {
  const [command, ...args] = [...prefix, process.execPath, BIN, 'start'];
  const child = spawn(command!, args, {
    cwd,
    env: { ...world.env, PWD: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const master = new Master(world, child, cwd);
  await master.serving(1);
  return master;
}

const pidsOf = async (master: Master): Promise<(number | null)[]> =>
  (await master.status()).workers.map(({ pid }) => pid);

const errorsOf = (master: Master): string[] =>
  master.log.filter(({ level }) => level === 'error').map(({ msg }) => msg);

const TOLD = new RegExp(`more than ${MAX_OPEN} connections are open|no whole request came within`);

/** Silent clients of the control socket, and what each one was told. */
async function silentClients(path: string, count: number): Promise<{ heard: string[]; open(): number }> {
  const heard: string[] = [];
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  while (sockets.length < count) {
    const index = sockets.length;
    heard[index] = '';
    const socket = connect(path).on('data', (chunk) => (heard[index] += String(chunk)));
    const isConnected = await new Promise<boolean>((met) =>
      socket.on('connect', () => met(true)).on('error', () => met(false)),
    );
    if (isConnected) sockets.push(socket);
    else await new Promise((again) => setTimeout(again, 20)); // The kernel's queue is full: the master has not come round to it.
  }
  return { heard, open: () => sockets.filter((socket) => !socket.closed).length };
}

test('1,000 silent connections to the control socket change nothing: 256 stay, for 5 s; commands are answered meanwhile', async () => {
  const { folder, port } = await makeShop();
  const master = await startMaster({ cwd: folder, args: [] });
  const load = await underLoad(port);
  const path = join(master.world.home, 'run/shop.sock');
  const before = descriptorsOf(master.pid);
  // One that was there first, and has asked, is not sent away for them.
  const early = ask(path, { command: 'reload' });
  early.catch(() => {}); // Awaited below.
  await master.seen('it has begun', ({ kind, generation }) => kind === 'worker-started' && generation === 2);

  const silent = await silentClients(path, 1_000);
  await until('those beyond 256 are told and closed', () => silent.open() <= MAX_OPEN);
  expect(descriptorsOf(master.pid)).toBeLessThan(before + MAX_OPEN + 30);
  expect(
    silent.heard.filter((text) => TOLD.test(text)).length,
    'who is sent away is told, for their number or for their time',
  ).toBeGreaterThanOrEqual(1_000 - MAX_OPEN);
  await master.statusUntil('status is answered', ({ state }) => state === 'running');
  expect(await early).toMatchObject({ ok: true, generation: 2 });
  const again = await silentClients(path, 1_000);
  expect(await ask(path, { command: 'reload' })).toMatchObject({ ok: true, generation: 3 });
  await until('all are closed at the time limit', () => silent.open() + again.open() === 0);
  await until('no descriptor is left over', () => descriptorsOf(master.pid) <= before + 5);
  expect((await master.status()).generation).toBe(3);
  await load.lostNothing();
});

test('file descriptors used up: the workers serve on, commands say what it is, and it is over by itself', {
  timeout: 120_000,
}, async () => {
  const { folder, port } = await makeShop();
  const master = await startBehind(['bash', '-c', 'ulimit -n 64; exec "$@"', '-'], makeWorld(), folder);
  const [first] = await pidsOf(master);
  const load = await underLoad(port);
  await silentClients(join(master.world.home, 'run/shop.sock'), 64);
  await until('it has all it may have', () => descriptorsOf(master.pid) >= 64);

  const status = await master.run('status');
  expect(status.stdout, 'it is no crash').toMatch(/^shop +unresponsive/m);
  expect(await master.run('reload')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /error: the master of shop is unresponsive: it hangs up .* out of file descriptors \(ZDSUP_APP_UNRESPONSIVE\)\nhint: .*ulimit -n/,
    ),
  });
  master.signal('SIGHUP');
  await master.seen('it says why', ({ kind }) => kind === 'failed');
  expect(errorsOf(master)).toEqual(['no process could be started to read the release: EMFILE']);
  killOwn(first!);
  const { msg } = await master.seen('one of its workers cannot be replaced', (line) =>
    line.msg.includes('could not be forked'),
  );
  expect(msg).toMatch(/^worker \d of generation 1 could not be forked: .*EMFILE; it is started again in \d+ ms$/);

  // The silent ones are ended at their time limit.
  const after = await master.statusUntil(
    'both serve',
    ({ workers, state }) => state === 'running' && workers.filter((worker) => worker.state === 'active').length === 2,
    90_000,
  );
  expect(after.release?.modified, 'a folder that could not be read is none that was edited').toBe(false);
  expect(await master.run('reload')).toMatchObject({ code: 0 });
  await load.lostAtMost(6);
});

const nobodyReadsThis = isRoot && spawnSync(AS_NOBODY[0]!, [...AS_NOBODY.slice(1), 'test', '-r', BIN]).status === 0;

test.runIf(!isRoot || nobodyReadsThis)(
  'no process to be had: the workers serve on, a reload says so, and it is over with the limit',
  async () => {
    const { folder, port } = await makeShop();
    const world = makeWorld();
    if (isRoot) for (const path of [folder, world.home]) chownSync(path, NOBODY, NOBODY); // The limit is nothing to root.
    const master = await startBehind(isRoot ? AS_NOBODY : [], world, folder);
    const before = await pidsOf(master);
    const load = await underLoad(port);
    const [prlimit, ...args] = [...(isRoot ? AS_NOBODY : []), 'prlimit'];
    const limit = (processes: string): void => {
      const { status, stderr } = spawnSync(prlimit!, [...args, '--pid', `${master.pid}`, `--nproc=${processes}`]);
      expect(status, String(stderr)).toBe(0);
    };
    const [, , hard] = /Max processes +(\S+) +(\S+)/.exec(readFileSync(`/proc/${master.pid}/limits`, 'utf8'))!;

    limit('1:');
    expect(await master.run('reload')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /error: no process could be started to read the release: EAGAIN \(ZDSUP_FORK_FAILED\)\nhint: .*ulimit -a/,
      ),
    });
    expect(errorsOf(master)).toEqual(['no process could be started to read the release: EAGAIN']);
    expect(await pidsOf(master), 'the very same workers').toEqual(before);
    expect(await master.run('scale', '3')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /error: worker 2 of generation 1 could not be forked: .*EAGAIN \(ZDSUP_SCALE_FAILED\)/,
      ),
    });
    killOwn(before[0]!);
    await master.seen('it cannot be replaced', ({ msg }) =>
      /^worker 0 of generation 1 could not be forked: .*EAGAIN; it is/.test(msg),
    );
    limit(`${hard}:`);
    await master.statusUntil(
      'both serve',
      ({ workers }) => workers.filter((worker) => worker.state === 'active').length === 2,
    );
    expect(await master.run('reload')).toMatchObject({ code: 0 });
    await load.lostAtMost(6);
  },
);

/** A state folder on a disk of 64 KB. */
function smallDisk(): { world: World; fill(): void; free(): void } {
  const world = makeDaemonWorld({ ZDSUP_HOME: temporaryFolder() });
  const home = world.env.ZDSUP_HOME!;
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', home]);
  expect(status, String(stderr)).toBe(0);
  onTestFinished(() => void spawnSync('umount', ['--lazy', home]));
  const filler = join(home, 'filler');
  return {
    world: { ...world, home },
    fill() {
      const { bavail, bsize } = statfsSync(home);
      if (bavail > 0) writeFileSync(filler, Buffer.alloc(bavail * bsize), { flag: 'a' });
    },
    free: () => rmSync(filler),
  };
}

const canMount = isRoot && canMountHere();

function canMountHere(): boolean {
  const folder = `/tmp/zdsup-mount-${process.pid}`;
  mkdirSync(folder);
  const can = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status === 0;
  if (can) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return can;
}

test.runIf(canMount)(
  'a full disk: the app runs and is reloaded, and one warning each says what could not be noted',
  async () => {
    const { world, fill } = smallDisk();
    fill();
    const { folder, port } = await makeShop();
    const master = await startMaster({ world, cwd: folder, args: [] });
    const load = await underLoad(port);
    expect(await master.run('reload')).toMatchObject({ code: 0 });
    await load.lostNothing();
    expect(await master.run('stop')).toMatchObject({ code: 0 });
    expect(await master.exited()).toEqual({ code: 0, signal: null });
    const warnings = master.log.filter(({ level }) => level !== 'info').map(({ msg }) => msg);
    expect(warnings, 'the record at the start and at the end, the journal once').toEqual([
      expect.stringMatching(/^the app cannot be remembered: ENOSPC/),
      expect.stringMatching(/^the journal cannot be written: ENOSPC/),
      expect.stringMatching(/^the app cannot be remembered: ENOSPC/),
    ]);
    expect(readdirSync(join(world.home, 'apps')), 'no half-written record').toEqual([]);
  },
);

test.runIf(canMount)(
  'a full disk under a daemon: its start says that it cannot be remembered; it serves without a log, and goes on with it once there is room',
  async () => {
    const { world, fill, free } = smallDisk();
    fill();
    const { folder, port } = await makeShop();
    const start = await zdsup(world, ['start', '--daemon'], { cwd: folder });
    expect(start).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^shop: the app cannot be remembered: ENOSPC/m),
    });
    onTestFinished(() => killOwn(Number(/master (\d+)/.exec(start.stdout)?.[1])));
    const socket = join(world.home, 'run/shop.sock');
    const load = await underLoad(port);
    const status = await ask(socket, { command: 'status' });
    if (!status.ok || status.command !== 'status') throw new Error(JSON.stringify(status));
    killOwn(status.app.workers[0]!.pid!);
    await until(
      'it is replaced',
      () => ask(socket, { command: 'status' }),
      (result) =>
        result.ok &&
        result.command === 'status' &&
        result.app.workers[0]?.restarts === 1 &&
        result.app.workers[0].state === 'active',
    );
    expect(await zdsup(world, ['reload'])).toMatchObject({ code: 0 });
    expect(readFileSync(logPath(world, 'shop'), 'utf8')).toBe('');
    free();
    expect(await zdsup(world, ['reload'])).toMatchObject({ code: 0 });
    expect(readFileSync(logPath(world, 'shop'), 'utf8')).toContain('generation 3 serves');
    const history = await zdsup(world, ['history', '--json']);
    expect(JSON.parse(history.stdout), 'the journal has kept what it could not write').toMatchObject({
      rollouts: [{ id: 3 }, { id: 2, outcome: 'succeeded' }, { id: 1, kind: 'start' }],
      unreadableLines: 0,
    });
    await load.lostAtMost(6);
    expect(await zdsup(world, ['stop'])).toMatchObject({ code: 0 });
  },
);
