/** HAProxy's measure: a reload every 100 ms until 200,000 requests are answered; 504 of them were lost with SO_REUSEPORT, here none is. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { lostCount } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = fileURLToPath(new URL('../fixtures/load-app/app.cjs', import.meta.url));
const REQUESTS = 200_000;
const EVERY_MS = 100;

test('a reload every 100 ms, 200,000 requests, none lost', async () => {
  const port = await freePort();
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({ name: 'often', script: APP, instances: 2, minReady: 0, env: { PORT: port } }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const loads = [startLoad({ port }, 10, keepAlive()), startLoad({ port }, 10, perRequest())];
  const startedAt = performance.now();
  const timer = setInterval(() => master.signal('SIGHUP'), EVERY_MS);
  await new Promise<void>((reached) => {
    const look = setInterval(() => {
      if (loads.reduce((sum, load) => sum + load.tally.answered, 0) < REQUESTS) return;
      clearInterval(look);
      reached();
    }, EVERY_MS);
  });
  clearInterval(timer);
  const tallies = await Promise.all(loads.map((load) => load.stop()));
  const { generation } = await master.status();
  const answered = tallies.reduce((sum, tally) => sum + tally.answered, 0);
  console.log(
    `${answered} answered in ${Math.round((performance.now() - startedAt) / 1000)} s, generation ${generation}`,
  );
  for (const tally of tallies) expect(lostCount(tally), JSON.stringify(tally.lost)).toBe(0);
  expect(generation).toBeGreaterThan(20);
});
