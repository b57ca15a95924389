/** Promise 4, after the promotion: what turns bad on trial is rolled back by itself, and a rollback by hand loses nothing. */
import { describe, expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import type { Load } from '../helpers/load/load.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import type { LogLine, Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

interface Shop {
  master: Master;
  project: Project;
  port: number;
  /** What a new connection is answered with. */
  version(): Promise<string>;
  /** Moves the link to that release, and reloads. */
  bringIn(release: string, ...flags: string[]): ReturnType<Master['run']>;
}

/** Ends once the file `bad` is there. */
const TURNS_BAD = `setInterval(() => require('node:fs').existsSync(__dirname + '/bad') && process.exit(7), 20).unref();\n`;

async function openShop(config: Record<string, unknown> = {}, second = ''): Promise<Shop> {
  const port = await freePort();
  const project = makeProject({
    'releases/1/app.js': answering('"1"', port),
    'releases/2/app.js': second + answering('"2"', port),
    'releases/3/app.js': answering('"3"', port),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'current/app.js', instances: 2, minReady: 50 },
      backoff: { initial: 20, factor: 1, jitter: 0 },
      ...config,
    }),
  });
  project.link('current', 'releases/1');
  const master = await startMaster({ cwd: project.folder, args: [] });
  return {
    master,
    project,
    port,
    version: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      return answer.text();
    },
    bringIn(release, ...flags) {
      project.link('current', `releases/${release}`);
      return master.run('reload', ...flags);
    },
  };
}

async function underLoad(port: number): Promise<Load[]> {
  const loads = [startLoad({ port }, 8, keepAlive()), startLoad({ port }, 4, perRequest())];
  await Promise.all(loads.map((load) => load.reached(20)));
  return loads;
}

const expectNoneLost = async (loads: Load[]): Promise<void> => {
  for (const load of loads) await expectNothingLost(load);
};

describe('a rollback by hand', () => {
  test('to a parked generation needs no boot, and loses nothing', async () => {
    const { master, port, bringIn, version } = await openShop({ keepWarm: '10m', soak: 0 });
    const old = (await master.status()).workers.map(({ pid }) => pid).sort();
    const loads = await underLoad(port);
    const reload = await bringIn('2');
    expect(reload.code, reload.stderr).toBe(0);
    expect(reload.stdout).toContain('generation 2 serves, generation 1 is parked: zdsup rollback shop is instant');
    const parked = await master.status();
    expect(
      parked.workers
        .filter(({ state }) => state === 'parked')
        .map(({ pid }) => pid)
        .sort(),
    ).toEqual(old);
    expect(parked.parked).toMatchObject({ generation: 1 });
    expect(await version()).toBe('2');

    const from = master.log.length;
    const rollback = await master.run('rollback');
    expect(rollback.code, rollback.stderr).toBe(0);
    expect(rollback.stdout).toMatch(/generation 1 serves release [0-9a-f]{8}, the old workers have gone/);
    expect(await version()).toBe('1');
    await expectNoneLost(loads);
    expect(master.log.slice(from).filter(({ kind }) => kind === 'worker-started')).toEqual([]);
    const after = await master.status();
    expect(after.workers.map(({ pid }) => pid).sort()).toEqual(old);
    expect(after).toMatchObject({ generation: 1, rollout: { kind: 'rollback', outcome: 'succeeded' } });
  });

  test('without a parked one boots what was good before, and a second one goes forward again', async () => {
    const { master, port, bringIn, version } = await openShop({ soak: 0 });
    const loads = await underLoad(port);
    expect((await bringIn('2')).code).toBe(0);
    for (const expected of ['1', '2']) {
      expect(await master.status()).not.toHaveProperty('noWayBack');
      const rollback = await master.run('rollback');
      expect(rollback.code, rollback.stderr).toBe(0);
      expect(await version()).toBe(expected);
    }
    await expectNoneLost(loads);
  });

  test('gives up a canary in flight', async () => {
    const { master, bringIn, version } = await openShop();
    expect((await bringIn('2', '--weight', '50')).code).toBe(0);
    const rollback = await master.run('rollback');
    expect(rollback.code, rollback.stderr).toBe(0);
    expect(rollback.stdout).toMatch(/generation 2 was given up, generation 1 serves release [0-9a-f]{8} as before/);
    expect(await version()).toBe('1');
  });

  test('is refused with only one release, and to a folder that was edited in place', async () => {
    const { master, project, port, version } = await openShop({ script: 'releases/1/app.js', soak: 0 });
    expect(await master.status(), 'it is known beforehand').toMatchObject({ noWayBack: true });
    const none = await master.run('rollback');
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('no release of shop is known that was good before generation 1');
    project.write({ 'releases/1/app.js': answering('"edited"', port) });
    expect((await master.run('reload')).code).toBe(0);
    const { code, stderr } = await master.run('rollback');
    expect(code).toBe(1);
    expect(stderr.split('was edited in place'), 'it is told once').toHaveLength(2);
    expect(stderr).toContain('zdsup deploy shop');
    expect(await version()).toBe('edited');
  });
});

test.for([
  ['by hand', ({ master }) => master.run('rollback')],
  ['out of its soak', ({ project }) => project.write({ 'releases/2/bad': '' })],
] as [how: string, goBack: (shop: Shop) => unknown][])(
  'a parked worker that dies as it wakes: what it ran is booted (%s)',
  async ([how, goBack]) => {
    const shop = await openShop({ keepWarm: '10m', crashLoop: '1 in 60s' }, TURNS_BAD);
    const { master, bringIn, version } = shop;
    expect((await bringIn('2')).code).toBe(0);
    const { slot, pid } = (await master.status()).workers.find(({ state }) => state === 'parked')!;
    const from = master.log.length;
    killOwn(pid!, 'SIGSTOP'); // So that it does not take traffic before it dies.
    const asked = goBack(shop);
    const isTold = (line: LogLine): boolean =>
      line.kind === 'worker-active' && line.generation === 1 && line.slot === slot && line.msg.includes('was parked');
    await master.seen('it is woken', isTold, 15_000, from);
    killOwn(pid!);
    await master.serving(3);
    const finished = await asked;
    if (how === 'by hand') expect(finished).toMatchObject({ code: 0 });
    const { rollout } = await master.statusUntil(
      'it is over',
      (app) => app.generation === 3 && app.rollout?.outcome !== null,
    );
    expect(rollout).toMatchObject({ kind: 'rollback', outcome: 'succeeded', from: 2, to: 3 });
    expect(rollout?.cause).toContain(
      `generation 1 could not be woken: worker ${slot} of generation 1 was killed by SIGKILL`,
    );
    expect(await version()).toBe('1');
  },
);

describe('on trial', () => {
  test.for([
    ['warm', { keepWarm: '10m' }],
    ['cold', {}],
  ] as const)(
    'a release that crash-loops after its promotion is back on the old one by itself, nobody refused (%s)',
    async ([, config]) => {
      const { master, project, port, bringIn, version } = await openShop(
        { crashLoop: '2 in 60s', ...config },
        TURNS_BAD,
      );
      expect((await bringIn('2')).code).toBe(0);
      expect((await master.status()).soak).toMatchObject({ generation: 2, judged: false, goesBack: true });
      const loads = await underLoad(port);
      const from = master.log.length;
      project.write({ 'releases/2/bad': '' });
      await master.seen('it is rolled back', ({ kind }) => kind === 'rolling-back', 15_000, from);
      const after = await master.statusUntil(
        'the old one serves',
        ({ rollout, workers }) =>
          rollout?.kind === 'rollback' &&
          rollout.outcome === 'succeeded' &&
          workers.every(({ state }) => state === 'active'),
      );
      expect(after.rollout?.cause).toMatch(/crash-loops|2 crashes within 60 s of its soak/); // Of one worker, or of both.
      expect(await version()).toBe('1');
      for (const load of loads) {
        const { lost } = await load.stop();
        expect(lost.ECONNREFUSED ?? 0, JSON.stringify(lost)).toBe(0);
      }
      const again = await bringIn('3');
      expect(again.code, again.stderr).toBe(0);
      expect(await version()).toBe('3');
    },
  );

  test('whoever asks for the rollback that has begun by itself waits for it, and later is told that it is back', async () => {
    const { master, project, bringIn, version } = await openShop({ crashLoop: '2 in 60s', minReady: '1s' }, TURNS_BAD);
    expect((await bringIn('2')).code).toBe(0);
    const from = master.log.length;
    project.write({ 'releases/2/bad': '' });
    await master.seen('it is rolled back', ({ kind }) => kind === 'rolling-back', 15_000, from);
    const rollback = await master.run('rollback');
    expect(rollback.code, rollback.stderr).toBe(0);
    expect(await version()).toBe('1');
    expect(await master.status()).toMatchObject({ noWayBack: true });
    const again = await master.run('rollback');
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/is what was gone back to already, from generation 2 \((worker|2 crashes)/);
    expect(await version()).toBe('1');
  });

  test('where the folder was edited in place no way back is promised, and the one that fails says that it was automatic', async () => {
    const { master, project, port, version } = await openShop({ script: 'releases/1/app.js', crashLoop: '1 in 60s' });
    project.write({ 'releases/1/app.js': answering('"edited"', port) });
    expect((await master.run('reload')).code).toBe(0);
    expect((await master.status()).soak).toMatchObject({ generation: 2, judged: false, goesBack: false });
    expect((await master.run('status')).stdout).toContain('no way back, the old files were edited');
    const [worker] = (await master.status()).workers;
    killOwn(worker!.pid!);
    const { rollout } = await master.statusUntil('it is over', (app) => app.rollout?.outcome === 'failed');
    expect(rollout?.reason).toMatch(/^the automatic rollback of generation 2 has failed: .* was edited in place/);
    expect(await version()).toBe('edited');
  });

  test('one that comes through is what a later rollback goes back to', async () => {
    const { master, bringIn, version } = await openShop({ soak: '200ms' });
    for (const release of ['2', '3']) {
      const from = master.log.length;
      expect((await bringIn(release)).code).toBe(0);
      await master.seen('it is good', ({ kind }) => kind === 'soaked', 15_000, from);
    }
    expect((await master.run('rollback')).code).toBe(0);
    expect(await version()).toBe('2');
  });
});
