/**
 * Ten thousand connections dispatched, and ten thousand handed over (or CONNECTIONS of each): the master's memory flat, no descriptor leaked,
 * no socket in CLOSE-WAIT. Half of them settle heaps and caches, the other half must not add to it.
 */
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { descriptorsOf, noneInCloseWait, rssMbOf } from '../helpers/kernel.js';
import type { Crowd } from '../helpers/load/crowd.js';
import { gather } from '../helpers/load/crowd.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const CONNECTIONS = Number(process.env.CONNECTIONS ?? 10_000);
/** Looks at the master's memory in each half. */
const LOOKS = 10;

async function start(sticky: 'ip' | false): Promise<{ master: Master; port: number }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify({ name: 'flow', script: 'app.js', instances: 2, minReady: 0, sticky }),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port };
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** `step` brings a twentieth of the connections through the master. */
async function expectFlat(
  what: string,
  { master, port }: { master: Master; port: number },
  step: () => Promise<void>,
): Promise<void> {
  const memory: number[] = [];
  const descriptors: number[] = [];
  for (let look = 0; look < 2 * LOOKS; look++) {
    await step();
    memory.push(rssMbOf(master.pid));
    descriptors.push(descriptorsOf(master.pid));
  }
  const [early, late] = [median(memory.slice(LOOKS / 2, LOOKS)), median(memory.slice(-LOOKS / 2))];
  console.log(
    `${what}: master ${early.toFixed(1)} MB, then ${late.toFixed(1)} MB; descriptors ${descriptors.join(' ')}`,
  );
  expect(late / early, memory.map((mb) => mb.toFixed(1)).join(' ')).toBeLessThan(1.1);
  await noneInCloseWait(port);
}

const expectNothingLost = (crowd: Crowd): void => expect([crowd.lost, crowd.ended]).toEqual([{}, 0]);

test(`${CONNECTIONS} dispatched connections`, async () => {
  const scene = await start('ip');
  const before = descriptorsOf(scene.master.pid);
  const crowd = gather({ port: scene.port }, 20, { stays: () => 1, from: (index) => `127.0.0.${2 + index}` });
  await expectFlat('dispatched', scene, () => crowd.reached(crowd.answered + CONNECTIONS / LOOKS / 2));
  await crowd.stop();
  expect(crowd.answered).toBeGreaterThanOrEqual(CONNECTIONS);
  expectNothingLost(crowd);
  // The one that it polls is a duplicate.
  await until(
    'no descriptor is left',
    () => descriptorsOf(scene.master.pid),
    (count) => count <= before + 1,
  );
});

test(`${CONNECTIONS} connections handed over`, async () => {
  const scene = await start(false);
  const { master, port } = scene;
  const before = descriptorsOf(master.pid);
  const crowd = gather({ port }, 250, { thinkMs: () => 50 + Math.random() * 100 });
  await crowd.reached(500);
  const moves = (): number => crowd.clients.reduce((sum, client) => sum + client.moves, 0);
  await expectFlat('handed over', scene, async () => {
    const aim = moves() + CONNECTIONS / LOOKS / 2;
    while (moves() < aim) {
      const result = await ask(`${master.world.home}/run/flow.sock`, { command: 'reload' });
      expect(result.ok, JSON.stringify(result)).toBe(true);
      await crowd.reached(crowd.answered + 500);
    }
  });
  await crowd.stop();
  expectNothingLost(crowd);
  await until(
    'no descriptor is left',
    () => descriptorsOf(master.pid),
    (count) => count <= before,
  );
});
