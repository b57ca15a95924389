/** A HUP every 100 ms, for STORM_SECONDS (20, and 60 in `npm run test:nodes`): every one is heard, none piles up, nothing is lost. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = fileURLToPath(new URL('../fixtures/load-app/app.cjs', import.meta.url));
const STORM_MS = Number(process.env.STORM_SECONDS ?? 20) * 1_000;
const EVERY_MS = 100;
const MAX_DRAINING = 2;

const generationsThat = (app: AppSnapshot, state: string): number =>
  new Set(app.workers.filter((worker) => worker.state === state).map((worker) => worker.generation)).size;

test('a HUP every 100 ms under keep-alive and per-request load loses nothing', {
  timeout: 180_000,
}, async () => {
  const port = await freePort();
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({
      name: 'storm',
      script: APP,
      instances: 2,
      minReady: 20,
      maxDraining: MAX_DRAINING,
      env: { PORT: port },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const socketPath = `${master.world.home}/run/storm.sock`;
  const loads = [startLoad({ port }, 10, keepAlive()), startLoad({ port }, 10, perRequest())];
  await Promise.all(loads.map((load) => load.reached(10)));

  const most = { serving: 0, draining: 0 };
  const look = async (): Promise<void> => {
    const result = await ask(socketPath, { command: 'status' });
    if (!result.ok || result.command !== 'status') throw new Error(`status: ${JSON.stringify(result)}`);
    most.serving = Math.max(most.serving, generationsThat(result.app, 'active'));
    most.draining = Math.max(most.draining, generationsThat(result.app, 'draining'));
  };
  const looks: Promise<void>[] = [];
  const startedAt = performance.now();
  await new Promise<void>((over) => {
    const timer = setInterval(() => {
      master.signal('SIGHUP');
      looks.push(look());
      if (performance.now() - startedAt < STORM_MS) return;
      clearInterval(timer);
      over();
    }, EVERY_MS);
  });
  await Promise.all(looks);
  const after = await master.statusUntil(
    'all is quiet',
    (app) =>
      app.state === 'running' &&
      app.rollout?.outcome === 'succeeded' &&
      app.workers.every((worker) => worker.generation === app.generation),
    60_000,
  );

  for (const load of loads) {
    const tally = await expectNothingLost(load);
    expect(tally.answered).toBeGreaterThan(1_000);
  }
  expect(after.generation, 'HUPs were obeyed').toBeGreaterThan(10);
  expect(most.serving, 'generations that serve at once').toBe(2);
  expect(most.draining, 'generations that drain at once').toBeLessThanOrEqual(MAX_DRAINING);
  const current = new Set(after.workers.map((worker) => worker.pid));
  expect(
    master.liveWorkerPids.filter((pid) => !current.has(pid)),
    'no old worker is left',
  ).toEqual([]);
  expect(master.log.filter((line) => line.level === 'error')).toEqual([]);
});
