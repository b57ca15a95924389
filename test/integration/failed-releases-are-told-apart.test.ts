/** A release that failed is marked as such, goes first, and takes no good one along; what a rollback goes back to is marked while the app runs. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { failedPath } from '../../src/releases/layout.js';
import { releasesDir } from '../../src/shared/paths.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Finished, Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = 'shop';
const BAD = "throw new Error('bad');\n";
/** Ends once the flag is there. */
const TURNS_BAD = `setInterval(() => require('node:fs').existsSync(process.env.FLAG) && process.exit(7), 20).unref();\n`;
/** Fails until it is there. */
const TURNS_GOOD = `if (!require('node:fs').existsSync(process.env.FLAG)) throw new Error('not yet');\n`;

interface Shop {
  master: Master;
  port: number;
  store: string;
  /** What the app looks for. */
  raiseFlag(): void;
  /** @returns the id of the release */
  deploy(app: string, ...flags: string[]): Promise<string>;
  /** By their ids. */
  states(): Promise<Record<string, string>>;
  run(...args: string[]): Promise<Finished>;
}

async function openShop(config: object = {}): Promise<Shop> {
  const port = await freePort();
  const flag = join(temporaryFolder(), 'flag');
  const project = makeProject({
    'app.js': answering("'0'", port),
    'package.json': '{}',
    'zdsup.config.json': JSON.stringify({ name: APP, script: 'app.js', minReady: 50, env: { FLAG: flag }, ...config }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const run = (...args: string[]): Promise<Finished> => master.run(...args);
  return {
    ...{ master, port, store: releasesDir(master.world.home, APP), run, raiseFlag: () => writeFileSync(flag, '') },
    async deploy(app, ...flags) {
      project.write({ 'app.js': app });
      const { stdout } = await run('deploy', '--json', ...flags);
      return (JSON.parse(stdout) as { release: { id: string } }).release.id;
    },
    async states() {
      const { stdout } = await run('releases', APP, '--json');
      const { releases } = JSON.parse(stdout) as { releases: { id: string; state: string }[] };
      return Object.fromEntries(releases.map(({ id, state }) => [id, state]));
    },
  };
}

test('with as many good ones as are kept, none goes for those that fail', { timeout: 120_000 }, async () => {
  const { deploy, states, run, port } = await openShop({ keep: 3, soak: 0 });
  const good: string[] = [];
  for (const n of [1, 2, 3]) good.push(await deploy(answering(String(n), port)));
  expect((await run('rollback')).code).toBe(0);
  let bad = '';
  for (const n of [1, 2, 3]) bad = await deploy(`${BAD}${n}`);
  expect(await states()).toEqual({
    [bad]: 'failed',
    [good[2]!]: 'last good',
    [good[1]!]: 'serves',
    [good[0]!]: 'stored',
  });
});

test('one that failed before, and proves itself now, is failed no longer; one that a person gives up never was', async () => {
  const { deploy, states, run, raiseFlag, port, store } = await openShop({ soak: 0 });
  const app = TURNS_GOOD + answering('2', port);
  const id = await deploy(app);
  expect((await states())[id]).toBe('failed');
  raiseFlag();
  expect(await deploy(app)).toBe(id);
  expect(existsSync(failedPath(store, id))).toBe(false);
  const held = await deploy(answering('3', port), '--weight', '5');
  expect((await run('abort')).code).toBe(0);
  expect(await states()).toEqual({ [held]: 'stored', [id]: 'serves' });
});

test('one that is rolled back out of its soak by itself has failed', { timeout: 60_000 }, async () => {
  const { deploy, states, master, raiseFlag, port } = await openShop({
    ...{ keepWarm: '10m', crashLoop: '2 in 60s', soak: '10m', backoff: { initial: 20, factor: 1, jitter: 0 } },
  });
  await deploy(answering('1', port));
  const second = await deploy(`${TURNS_BAD}${answering('2', port)}`);
  expect(await states()).toMatchObject({ [second]: 'serves' });
  raiseFlag();
  await master.statusUntil(
    'it is rolled back',
    ({ rollout }) => rollout?.kind === 'rollback' && rollout.outcome !== null,
  );
  expect((await states())[second]).toBe('failed');
});

test('one that is parked is shown as such, and without it what was good before', async () => {
  const { deploy, states, port } = await openShop({ soak: 0, keepWarm: '10m' });
  const first = await deploy(answering('1', port));
  const second = await deploy(answering('2', port));
  expect(await states()).toEqual({ [second]: 'serves', [first]: 'parked' });
});
