/** The journal: each rollout with its steps and its end, also of an app that is stopped or was killed; nothing about it harms the app. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { PastRollout } from '../../src/shared/rollout-history.js';
import { killOwn } from '../helpers/cleanup.js';
import { journalPath } from '../helpers/daemons.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Finished, Master, World } from '../helpers/zdsup.js';
import { BIN, makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

async function makeShop(): Promise<{ project: Project; good: string; world: World }> {
  const good = answering('process.env.ZDSUP_GENERATION', await freePort());
  const project = makeProject({
    'app.js': good,
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', instances: 1, minReady: 50 }),
  });
  return { project, good, world: makeWorld() };
}

const start = (world: World, project: Project): Promise<Master> =>
  startMaster({ world, cwd: project.folder, args: [] });

interface HistoryJson {
  app: string;
  rollouts: PastRollout[];
  unreadableLines: number;
}

async function historyOf(world: World, ...args: string[]): Promise<HistoryJson> {
  const { code, stdout, stderr } = await zdsup(world, ['history', 'shop', '--json', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as HistoryJson;
}

const endsOf = ({ rollouts }: HistoryJson): unknown[] => rollouts.map(({ id, outcome }) => [id, outcome]);

test.concurrent('rollouts are told with releases, duration, memory and reason; also when the app is stopped; ids go on', async () => {
  const { project, good, world } = await makeShop();
  const master = await start(world, project);
  project.write({ 'app.js': "throw new Error('no such table');" });
  expect((await master.run('reload')).code).toBe(1);
  project.write({ 'app.js': good });
  master.signal('SIGHUP');
  await master.serving(3);
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();

  const { rollouts } = await historyOf(world);
  expect(rollouts).toMatchObject([
    { id: 3, kind: 'reload', source: 'signal', outcome: 'succeeded', from: 1, to: 3, reason: null },
    { id: 2, kind: 'reload', source: 'command', outcome: 'failed', from: 1, to: 2 },
    { id: 1, kind: 'start', outcome: 'succeeded', from: null, to: 1, fromRelease: null },
  ]);
  const [last, bad, first] = rollouts as [PastRollout, PastRollout, PastRollout];
  expect(bad.reason).toContain('worker 0 of generation 2 exited with code 1');
  expect(bad.stderr.join('\n')).toContain('no such table');
  expect(bad.fromRelease).toEqual(first.toRelease);
  expect(bad.toRelease?.id).not.toBe(first.toRelease?.id);
  expect(last.peakRssBytes).toBeGreaterThan(30 * 2 ** 20);
  expect(last.durationMs).toBeGreaterThan(50);

  const table = await zdsup(world, ['history']);
  expect(table.stdout.split('\n').map((line) => line.trim().split(/\s+/)[0])).toEqual([
    'shop',
    'id',
    '3',
    '2',
    '1',
    '',
  ]);
  expect(table.stdout).toMatch(/^ 2 .* reload .* → .* failed .*exited with code 1 before it was ready$/m);
  expect((await zdsup(world, ['history', '-n', '1'])).stdout.split('\n')).toHaveLength(4);
  const one = await zdsup(world, ['history', 'shop', '2']);
  expect(one.stdout).toContain('shop, rollout 2');
  expect(one.stdout).toMatch(
    /steps\n {7}\+0 ms {2}begun: reload from generation 1 .*\n.*generation 2: starting 1 worker/,
  );

  const again = await start(world, project);
  expect(endsOf(await historyOf(world, '-n', '2'))).toEqual([
    [4, 'succeeded'],
    [3, 'succeeded'],
  ]);
  expect((await again.status()).rollout?.id).toBe(4);
});

test.concurrent.for([
  ['while it is prepared', 'prepared'],
  ['when its first worker starts', 'worker-started'],
  ['when that is ready', 'worker-ready'],
  ['when it takes traffic', 'worker-active'],
  ['when it is held', 'held'],
] as const)(
  'a master that is killed in mid-rollout, %s, leaves an interrupted one, and the next goes on behind it',
  async ([, kind]) => {
    const { project, world } = await makeShop();
    const master = await start(world, project);
    const from = master.log.length;
    const reload = master.run('reload', '--weight', '50');
    await master.seen(kind, (line) => line.kind === kind, 15_000, from);
    await master.killed();
    await reload; // Of one that was held already, the command had ended well.
    const { rollouts } = await historyOf(world);
    expect(rollouts.map(({ id, outcome, reason }) => [id, outcome, reason])).toEqual([
      [2, 'interrupted', 'its master was killed, or the host went down'],
      [1, 'succeeded', null],
    ]);
    for (const pid of master.liveWorkerPids) killOwn(pid);
    await start(world, project);
    const ended = await until(
      'its start is noted, which comes after it has been told',
      () => historyOf(world),
      ({ rollouts: [last] }) => last?.outcome !== null,
    );
    expect(endsOf(ended)).toEqual([
      [3, 'succeeded'],
      [2, 'interrupted'],
      [1, 'succeeded'],
    ]);
    const { stdout } = await zdsup(world, ['logs', 'shop', '--events']);
    expect(stdout).toContain(`; master ${master.pid} before it was killed, or its host went down`);
  },
);

test.concurrent('one under way is shown as that, with the steps so far', async () => {
  const { project, world } = await makeShop();
  const master = await start(world, project);
  expect((await master.run('reload', '--weight', '50')).code).toBe(0);
  expect((await master.run('history')).stdout).toMatch(/^ 2 .* under way/m);
  expect((await master.run('history', '2')).stdout).toContain(
    'generation 2 gets 50 % of the traffic with 1 worker; held there',
  );
});

test.concurrent('a corrupt journal: what can be read is shown, with one warning', async () => {
  const { project, world } = await makeShop();
  const master = await start(world, project);
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  const path = journalPath(world, 'shop');
  const lines = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, [...lines.slice(0, 2), '{"at": garbage', '\u0000\u0000\u0000', ...lines.slice(2)].join('\n'));
  const warning = `warning: ${path}: 2 lines cannot be read and are left out\n`;
  for (const args of [['history'], ['history', '1'], ['logs', '--events']]) {
    const { code, stdout, stderr } = await zdsup(world, args);
    expect({ code, stderr }, args.join(' ')).toEqual({ code: 0, stderr: warning });
    expect(stdout).toContain('succeeded');
  }
  const again = await start(world, project);
  expect((await again.status()).rollout?.id).toBe(2);
});

test.concurrent('a journal that cannot be written is told once and harms nothing', async () => {
  const { project, world } = await makeShop();
  const folder = dirname(journalPath(world, 'shop'));
  writeFileSync(folder, 'no folder');
  const master = await start(world, project);
  for (const _ of [1, 2]) expect((await master.run('reload')).code).toBe(0);
  expect((await master.run('stop')).code).toBe(0);
  expect(await master.exited()).toEqual({ code: 0, signal: null });
  expect(master.log.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toEqual([
    expect.stringMatching(/^the journal cannot be written: ENOTDIR/),
  ]);
});

test.concurrent('logs --events shows crashes, scales and stops of an app in the foreground as well, and -f goes on over its restart', async () => {
  const { project, world } = await makeShop();
  const master = await start(world, project);
  const child = spawn(process.execPath, [BIN, 'logs', 'shop', '--events', '-f', '--json'], {
    env: world.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => killOwn(child.exitCode === null && child.signalCode === null ? child.pid : undefined));
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  const shows = (wanted: RegExp): Promise<string> =>
    until(
      `it shows ${wanted}`,
      () => text,
      (seen) => wanted.test(seen),
    );
  await shows(/"rollout-ended","rolloutId":1,/);
  killOwn(master.workerPids[0]);
  await shows(/"kind":"worker-exited","message":"worker 0 of generation 1 was killed by SIGKILL/);
  await master.statusUntil('it is replaced', ({ workers }) => workers[0]?.state === 'active');
  expect((await master.run('scale', '2')).code).toBe(0);
  await shows(/"kind":"scaling","message":"from 1 to 2 workers"[^\n]*\n[^\n]*"kind":"scaled","message":"2 workers"/);
  expect((await master.run('stop')).code).toBe(0);
  await shows(/"type":"master-ended","masterPid":\d+,"how":"stopped","reason":null}\n/);
  await master.exited();
  await start(world, project);
  await shows(/"rollout-ended","rolloutId":2,/);
  for (const line of text.trim().split('\n')) expect(JSON.parse(line)).toMatchObject({ app: 'shop' });

  const { stdout } = await zdsup(world, ['logs', '--events', '-n', '100']);
  expect(stdout).toMatch(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] shop: master \d+ started \(zdsup [\d.]+\)\n/);
  expect(stdout).toContain('shop: scale: from 1 to 2 workers\n');
  expect(stdout).toMatch(/shop: rollout 1 succeeded after [\d.]+ m?s( \(up to \d+ MB\))?\n/); // A start may be over before anybody has looked.
});

test.concurrent('no such app, no such rollout, and no sense: one clear error each', async () => {
  const { project, world } = await makeShop();
  const master = await start(world, project);
  const errorOf = async (...args: string[]): Promise<[number | null, string]> => {
    const { code, stderr }: Finished = await master.run(...args);
    return [code, stderr];
  };
  expect(await errorOf('history', 'nobody')).toEqual([3, expect.stringContaining('ZDSUP_APP_NOT_RUNNING')]);
  expect(await errorOf('history', '9')).toEqual([
    2,
    'error: the journal of shop has no rollout 9: it has 1 to 1 (ZDSUP_ROLLOUT_UNKNOWN)\nhint: zdsup history shop\n',
  ]);
  for (const words of [
    ['shop', 'two', '3'],
    ['1', '2'],
    ['all', '1'],
  ])
    expect(await errorOf('history', ...words)).toEqual([2, expect.stringContaining('ZDSUP_USAGE')]);
  expect(JSON.parse((await master.run('history', 'all', '--json')).stdout)).toMatchObject({ apps: [{ app: 'shop' }] });
});
