/** `kill -9` of the master at every step of a rollout: the next start runs the release that was good, never one that was on its way in. */
import { expect, test } from 'vitest';
import { verifyRelease } from '../../src/releases/verify.js';
import { releasesDir } from '../../src/shared/paths.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import { startMaster } from '../helpers/zdsup.js';

const STEPS = ['prepared', 'worker-started', 'worker-ready', 'worker-active', 'held', 'promoting', 'serving'];

test('whatever it was at, the release that was good serves again, and every manifest is whole', {
  timeout: 180_000,
}, async () => {
  const port = await freePort();
  const source = (version: string): string =>
    answering(`${JSON.stringify(version)} + ' ' + process.env.ZDSUP_RELEASE`, port);
  const project = makeProject({
    'app.js': source('good'),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'app.js', instances: 2, minReady: 50, soak: '10m' },
      canary: { steps: [{ weight: 50, pause: '300ms' }], analysis: { minRequests: 1 } },
    }),
  });
  const answer = (): Promise<string | null> =>
    fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then(
      (response) => response.text(),
      () => null,
    );
  let master = await startMaster({ cwd: project.folder, args: [] });
  const { world } = master;
  const store = releasesDir(world.home, 'shop');
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  const first = await master.run('deploy', '--json', 'shop');
  expect(first.code, first.stderr).toBe(0);
  const { release } = JSON.parse(first.stdout) as { release: { id: string } };
  master = await startMaster({ cwd: project.folder, args: ['shop'], world });

  for (const step of STEPS) {
    project.write({ 'app.js': source(`on its way at ${step}`) });
    const from = master.log.length;
    const deploying = master.run('deploy', 'shop');
    // So that there is something to judge the canary by.
    const asking = setInterval(() => void answer(), 5);
    await master.seen(step, ({ kind }) => kind === step, 30_000, from).finally(() => clearInterval(asking));
    await master.killed();
    await deploying;
    // Its orphans drain by themselves: who answers next is of the next master.
    await until('nobody is left', answer, (text) => text === null, 30_000);
    master = await startMaster({ cwd: project.folder, args: ['shop'], world });
    expect(await answer(), step).toBe(`good ${release.id}`);
    expect((await master.status()).release, step).toMatchObject({ id: release.id, modified: false });
    const { stdout } = await master.run('releases', 'shop', '--json');
    const { releases } = JSON.parse(stdout) as { releases: { id: string }[] };
    for (const { id } of releases) expect(verifyRelease(store, 'shop', id), `${step}: release ${id}`).toEqual([]);
  }
});
