/** Promise 2: with no worker alive, connections wait in the kernel's queue and are then answered. */
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { perRequest } from '../helpers/load/exchanges.js';
import { lostCount } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const CLIENTS = 20;

test('kill -9 of the only worker refuses no connection, and loses at most the requests in flight', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering('process.pid', port) });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'solo'] });
  const load = startLoad({ port }, CLIENTS, perRequest());
  await load.reached(200);

  const [first] = (await master.status()).workers;
  killOwn(first!.pid!);
  await master.seen(
    'a second worker takes traffic',
    (line) => line.kind === 'worker-active' && line.pid !== first!.pid,
  );
  await load.reached(load.tally.answered + 200);
  const tally = await load.stop();

  expect(tally.lost['connect: ECONNREFUSED'] ?? 0, JSON.stringify(tally.lost)).toBe(0);
  expect(lostCount(tally), JSON.stringify(tally.lost)).toBeLessThanOrEqual(CLIENTS);
  expect(tally.lost.hung ?? 0).toBe(0);
  expect(tally.answeredBy.size).toBe(2);
});

test('a worker killed again and again is replaced in its slot with growing pauses, and its clients wait', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify({
      name: 'solo',
      script: 'app.js',
      minReady: 50,
      backoff: { initial: 100, jitter: 0 },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  for (let round = 1; round <= 3; round++) {
    const before = await master.statusUntil('one active worker', (app) => app.workers[0]?.state === 'active');
    expect(before.workers[0]!.restarts).toBe(round - 1);
    killOwn(before.workers[0]!.pid!);
    const from = master.log.length;
    const line = await master.seen('the exit', (l) => l.kind === 'worker-exited' && l.pid === before.workers[0]!.pid);
    expect(line.msg).toContain(`was killed by SIGKILL; it is started again in ${100 * 2 ** (round - 1)} ms`);
    // Asked while nobody serves: answered all the same.
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).not.toBe(String(before.workers[0]!.pid));
    await master.seen('its successor', (l) => l.kind === 'worker-active', 15_000, from);
  }
  expect((await master.status()).workers[0]).toMatchObject({ slot: 0, generation: 1, restarts: 3 });
});
