/**
 * A thousand reloads (or RELOADS of them, at least 300) under load: nothing lost, the master's memory flat, no descriptor
 * leaked, no socket in CLOSE-WAIT.
 */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { descriptorsOf, noneInCloseWait, rssMbOf } from '../helpers/kernel.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = fileURLToPath(new URL('../fixtures/load-app/app.cjs', import.meta.url));
const RELOADS = Math.max(300, Number(process.env.RELOADS ?? 1_000));
/** Heap and module caches have settled by then. */
const SETTLED = 100;

test(`${RELOADS} reloads under load`, async () => {
  const port = await freePort();
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({ name: 'soak', script: APP, instances: 2, minReady: 0, env: { PORT: port } }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const loads = [startLoad({ port }, 3, keepAlive()), startLoad({ port }, 3, perRequest())];
  const memory: number[] = [];
  let settledDescriptors = 0;
  for (let reload = 1; reload <= RELOADS; reload++) {
    const result = await ask(`${master.world.home}/run/soak.sock`, { command: 'reload' });
    expect(result.ok, JSON.stringify(result)).toBe(true);
    memory.push(rssMbOf(master.pid));
    if (reload === SETTLED) settledDescriptors = descriptorsOf(master.pid);
    if (reload % 100 === 0)
      console.log(
        `${reload} reloads: master ${memory.at(-1)!.toFixed(1)} MB, ${descriptorsOf(master.pid)} descriptors`,
      );
  }
  for (const load of loads) await expectNothingLost(load);
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const [early, late] = [median(memory.slice(SETTLED, SETTLED + 100)), median(memory.slice(-100))];
  expect(
    late / early,
    `${early.toFixed(1)} MB after ${SETTLED} reloads, ${late.toFixed(1)} MB after ${RELOADS}`,
  ).toBeLessThan(1.1);
  expect(descriptorsOf(master.pid)).toBeLessThanOrEqual(settledDescriptors + 2);
  await noneInCloseWait(port);
});
