/** A canary by steps on real processes: what is worse is given up by itself, what is no worse goes on, and nobody guesses. */
import { expect, onTestFinished, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import type { Load } from '../helpers/load/load.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { lostCount } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** `fails`: every so many-th answer is a 500. `slow`: each waits so long, in ms. */
const app = ({ fails = 0, slow = 0 }: { fails?: number; slow?: number } = {}): string => `
  let count = 0;
  require('node:http').createServer((request, response) => setTimeout(() => {
    count += 1;
    response.writeHead(${fails} > 0 && count % ${fails || 1} === 0 ? 500 : 200).end(process.env.ZDSUP_GENERATION);
  }, 2 + ${slow})).listen(process.env.PORT);`;

const STEPS = [
  { weight: 10, pause: '1s' },
  { weight: 50, pause: true },
];

/** Time enough to find anything out, however busy the host is. */
const PATIENT = { steps: [{ weight: 10, pause: '5m' }] };

interface Trial {
  master: Master;
  project: Project;
  port: number;
}

async function start(canary: Record<string, unknown> = {}): Promise<Trial> {
  const port = await freePort();
  const project = makeProject({
    'app.js': app(),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'app.js', instances: 2, minReady: 50, env: { PORT: port } },
      canary: { steps: STEPS, ...canary },
    }),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), project, port };
}

async function load(port: number): Promise<Load[]> {
  const loads = [startLoad({ port }, 8, perRequest()), startLoad({ port }, 4, keepAlive())];
  onTestFinished(async () => void (await Promise.all(loads.map((one) => one.stop()))));
  await Promise.all(loads.map((one) => one.reached(20)));
  return loads;
}

test('a release that is no worse goes on to the step where a person decides, and from there to the end', async () => {
  const { master, project, port } = await start();
  const loads = await load(port);
  project.write({ 'app.js': `${app()}\n// The next release.` });
  const reload = await master.run('reload');
  expect(reload.code, reload.stderr).toBe(0);
  expect(reload.stderr).toMatch(/generation 2: on to 50 % of the traffic \(.*\d+ requests/);
  expect(reload.stdout).toContain(
    'generation 2 gets 50 % of the traffic, generation 1 the rest; paused at step 2 of 2',
  );
  expect(await master.status()).toMatchObject({
    weights: { 1: 50, 2: 50 },
    rollout: { step: 'canary', canary: { step: 2, steps: 2, until: null } },
  });
  const promote = await master.run('promote');
  expect(promote.code, promote.stderr).toBe(0);
  expect((await master.status()).generation).toBe(2);
  for (const one of loads) await expectNothingLost(one);
});

test.for([
  ['every tenth answer is a 500', { fails: 10 }, /of \d[\d,]* requests failed/],
  ['every answer takes 20 ms longer', { slow: 20 }, /ms/],
] as const)('a release that is worse is given up by itself: %s', async ([, worse, words]) => {
  const { master, project, port } = await start(PATIENT);
  await load(port);
  project.write({ 'app.js': app(worse) });
  const reload = await master.run('reload');
  expect(reload.code, reload.stdout).toBe(1);
  expect(reload.stderr).toMatch(/generation 2 is worse: /);
  expect(reload.stderr).toMatch(words);
  expect(reload.stderr).toContain('generation 1 goes on serving');
  const after = await master.status();
  expect(after).toMatchObject({ generation: 1, rollout: { outcome: 'failed' } });
  expect(after.workers.filter(({ generation }) => generation === 2).every(({ state }) => state === 'draining')).toBe(
    true,
  );
});

test('a release that answers wrongly costs no request that the old one would have answered', async () => {
  const { master, project, port } = await start(PATIENT);
  const loads = await load(port);
  project.write({ 'app.js': app({ fails: 3 }) });
  expect((await master.run('reload')).code).toBe(1);
  const tallies = await Promise.all(loads.map((one) => one.stop()));
  let failedCount = 0;
  for (const tally of tallies) {
    const { 'status 500': failed = 0, ...others } = tally.lost;
    expect(lostCount({ ...tally, lost: others }), JSON.stringify(tally.lost)).toBe(0);
    failedCount += failed;
  }
  // A third of what a tenth of all connections asks: whose connection that is, kept or short, is chance.
  expect(failedCount).toBeLessThan(tallies.reduce((sum, { answered }) => sum + answered, 0) / 10);
});

test('without traffic nothing is decided: it waits, or pauses where the config has it so', async () => {
  const { master, project } = await start({ analysis: { inconclusive: 'pause' } });
  project.write({ 'app.js': `${app()}\n// The next release.` });
  const reload = await master.run('reload');
  expect(reload.code, reload.stderr).toBe(0);
  expect(reload.stderr).toMatch(/paused at 10 % of the traffic \(.*/);
  expect(reload.stdout).toContain('paused at step 1 of 2');
  expect((await master.run('pause')).stderr).toContain('waits at 10 % already');
  expect((await master.run('promote', '--full')).code).toBe(0);
  expect((await master.status()).generation).toBe(2);
});

test('--no-canary takes all at once, and pause and promote with no canary are refused with a reason', async () => {
  const { master } = await start();
  expect((await master.run('reload', '--no-canary')).code).toBe(0);
  expect((await master.status()).generation).toBe(2);
  for (const command of ['pause', 'promote']) {
    const { code, stderr } = await master.run(command);
    expect(code).toBe(1);
    expect(stderr).toContain('no rollout of shop is under way');
  }
});

test('maxRestarts is for the soak after a canary: in the canary itself one crash is the end of it', async () => {
  const { master } = await start({ steps: [{ weight: 50, pause: true }], analysis: { maxRestarts: 0 } });
  const crash = async (generation: number): Promise<void> => {
    const { workers } = await master.status();
    killOwn(workers.find((worker) => worker.generation === generation && worker.state === 'active')!.pid!);
  };
  expect((await master.run('reload')).code).toBe(0);
  await crash(2);
  const given = await master.statusUntil('it is given up', ({ rollout }) => rollout?.outcome === 'failed');
  expect(given.rollout?.reason).toBe('worker 0 of generation 2 was killed by SIGKILL');

  expect((await master.run('reload')).code).toBe(0);
  expect((await master.run('promote')).code).toBe(0);
  expect((await master.status()).soak).toMatchObject({ generation: 3, judged: true, goesBack: true });
  await crash(3);
  const back = await master.statusUntil(
    'it is rolled back',
    ({ rollout }) => rollout?.kind === 'rollback' && rollout.outcome === 'succeeded',
  );
  expect(back.rollout?.cause).toBe('1 worker has crashed, more than maxRestarts (0)');
});
