/**
 * Three hundred rollouts (or ROLLOUTS of them) under load, half of them bad in one of several ways: nothing is lost, the right release serves after
 * each, and the master's memory stays flat.
 */
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { descriptorsOf, noneInCloseWait, rssMbOf } from '../helpers/kernel.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const ROLLOUTS = Math.max(40, Number(process.env.ROLLOUTS ?? 300));
/** Heap and module caches have settled by then. */
const SETTLED = Math.min(100, ROLLOUTS / 2);

const BAD: ((port: number) => string)[] = [
  () => 'throw new Error("broken");',
  () => 'process.exit(0);',
  () => 'require("nowhere-to-be-found");',
  (port) => answering('"another port"', port + 1),
  (port) => `setTimeout(() => process.exit(3), 30);\n${answering('"dies"', port)}`,
];

test(`${ROLLOUTS} rollouts under load, half of them bad`, async () => {
  const port = await freePort();
  const project = makeProject({
    'releases/0/app.js': answering('"0"', port),
    'zdsup.config.json': JSON.stringify({
      name: 'soak',
      script: 'current/app.js',
      instances: 2,
      minReady: 60,
      soak: 0,
    }),
  });
  project.link('current', 'releases/0');
  const master = await startMaster({ cwd: project.folder, args: [] });
  const socket = `${master.world.home}/run/soak.sock`;
  const loads = [startLoad({ port }, 3, keepAlive()), startLoad({ port }, 3, perRequest())];
  const memory: number[] = [];
  let serving = 0;
  let settledDescriptors = 0;
  for (let rollout = 1; rollout <= ROLLOUTS; rollout++) {
    const isBad = rollout % 2 === 0;
    const app = isBad ? BAD[(rollout / 2) % BAD.length]!(port) : answering(`"${rollout}"`, port);
    project.write({ [`releases/${rollout}/app.js`]: app });
    project.link('current', `releases/${rollout}`);
    const result = await ask(socket, { command: 'reload' });
    expect(result.ok, `rollout ${rollout}: ${JSON.stringify(result)}`).toBe(!isBad);
    if (!isBad) serving = rollout;
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    expect(await answer.text(), `after rollout ${rollout}`).toBe(String(serving));
    memory.push(rssMbOf(master.pid));
    if (rollout === SETTLED) settledDescriptors = descriptorsOf(master.pid);
    if (rollout % 50 === 0)
      console.log(
        `${rollout} rollouts: master ${memory.at(-1)!.toFixed(1)} MB, ${descriptorsOf(master.pid)} descriptors`,
      );
  }
  let answered = 0;
  for (const load of loads) answered += (await expectNothingLost(load)).answered;
  const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const [early, late] = [median(memory.slice(SETTLED, SETTLED + SETTLED / 2)), median(memory.slice(-SETTLED / 2))];
  console.log(`${answered} answered, 0 lost; master ${early.toFixed(1)} MB early, ${late.toFixed(1)} MB at the end`);
  expect(late / early).toBeLessThan(1.1);
  expect(descriptorsOf(master.pid)).toBeLessThanOrEqual(settledDescriptors + 2);
  await noneInCloseWait(port);
});
