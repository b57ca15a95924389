/** Promise 4, where the way back cannot be gone: the next one is, and the history has both with their reasons. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { PastRollout } from '../../src/shared/rollout-history.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** Ends once the flag is there. */
const TURNS_BAD = `setInterval(() => require('node:fs').existsSync(process.env.FLAG) && process.exit(7), 20).unref();\n`;

interface Shop {
  master: Master;
  /** Of the release that has it in it. */
  turnBad(): void;
  /** What a new connection is answered with. */
  version(): Promise<string>;
  /** @returns the id of the release */
  deploy(version: string, before?: string): Promise<string>;
  /** The latest first. */
  rollouts(): Promise<PastRollout[]>;
}

async function openShop(config: object): Promise<Shop> {
  const port = await freePort();
  const flag = join(temporaryFolder(), 'flag');
  const project = makeProject({
    'app.js': answering('"1"', port),
    'package.json': '{}',
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'app.js', instances: 2, minReady: 50, env: { FLAG: flag } },
      ...{ crashLoop: '1 in 60s', backoff: { initial: 20, factor: 1, jitter: 0 } },
      ...config,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  return {
    master,
    turnBad: () => writeFileSync(flag, ''),
    async version() {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      return answer.text();
    },
    async deploy(version, before = '') {
      project.write({ 'app.js': before + answering(JSON.stringify(version), port) });
      const { stdout, stderr, code } = await master.run('deploy', 'shop', '--json');
      expect(code, stderr + stdout).toBe(0);
      return (JSON.parse(stdout) as { release: { id: string } }).release.id;
    },
    async rollouts() {
      const { stdout } = await master.run('history', 'shop', '--json');
      return (JSON.parse(stdout) as { rollouts: PastRollout[] }).rollouts;
    },
  };
}

test('two deploys on trial over a folder that was edited since: out of the bad one it goes to the one between', async () => {
  const { master, turnBad, version, deploy, rollouts } = await openShop({});
  const between = await deploy('2');
  const bad = await deploy('3', TURNS_BAD);

  const byHand = await master.run('rollback');
  expect(byHand.code).toBe(1);
  expect(byHand.stderr).toContain('was edited in place');
  expect(byHand.stderr, 'the person may decide for it').toContain(`zdsup rollback shop --to ${between}`);
  expect(await version()).toBe('3');
  expect((await master.status()).soak, 'there is a way').toMatchObject({ generation: 3, goesBack: true });

  turnBad();
  const after = await master.statusUntil(
    'the one between serves',
    ({ release, workers }) => release?.id === between && workers.every(({ state }) => state === 'active'),
  );
  expect(await version()).toBe('2');
  expect(after.soak, 'it has yet to prove itself').toMatchObject({ generation: after.generation });
  expect(after.rollout?.cause).toMatch(
    /^worker . of generation 3 crash-loops; generation 1 could not be gone back to: /,
  );
  const [second, first] = await rollouts();
  expect(first).toMatchObject({ kind: 'rollback', source: 'soak', outcome: 'failed' });
  expect(first!.reason).toMatch(/^generation 1 could not be gone back to: .* was edited in place/);
  expect(second).toMatchObject({ kind: 'rollback', source: 'soak', outcome: 'succeeded', toRelease: { id: between } });
  const { releases } = JSON.parse((await master.run('releases', 'shop', '--json')).stdout) as {
    releases: { id: string; state: string }[];
  };
  expect(Object.fromEntries(releases.map(({ id, state }) => [id, state]))).toMatchObject({
    [between]: 'serves',
    [bad]: 'failed',
  });
});
