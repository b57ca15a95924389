/**
 * HANDOVERS handoffs (250,000; over the four supported Nodes a million), as fast as workers can give them away and with reloads in between, under numbered requests that arrive
 * whole, split, half sent, pipelined and large at every moment of the move: none lost, none twice, none out of order, no
 * connection closed; the master's memory and descriptors flat.
 */
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { descriptorsOf, noneInCloseWait, rssMbOf } from '../helpers/kernel.js';
import { median } from '../helpers/load/echo.js';
import type { Mix } from '../helpers/load/numbered-requests.js';
import { startTorture } from '../helpers/load/torture.js';
import { tallyLine } from '../helpers/load/torture-tally.js';
import { expectUnbroken, startNumbered } from '../helpers/numbered.js';
import { until } from '../helpers/until.js';

const HANDOVERS = Number(process.env.HANDOVERS ?? 250_000);
const CLIENTS = Number(process.env.CLIENTS ?? 200);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const SAY_EVERY_MS = 10_000;
/** So many handoffs lie between two reloads: those move all connections at once, and cost their time. */
const HANDOVERS_A_RELOAD = 2_500;
/** Heap and module caches have settled by then. */
const SETTLED_RELOADS = 30;

/** Mostly small, so that the CPU goes to the moves; large ones often enough to be cut by thousands of them. */
const MIX: Mix = {
  bodies: [...Array(96).fill(0), 16_384, 16_384, 16_384, 262_144],
  answers: [...Array(30).fill(0), 1_000, 65_536],
  shapes: ['whole', 'whole', 'split', 'half-head', 'batch', 'split-batch'],
  lingerMs: 30,
};

test(`${HANDOVERS} handoffs, by seed ${SEED}`, { timeout: 600_000 + HANDOVERS * 20 }, async () => {
  const { master, port, name, seenSoFar, seenByWorkers } = await startNumbered({
    env: { CHURN: 1 },
    config: { minReady: 0 },
  });
  const startedAt = performance.now();
  const atRest = descriptorsOf(master.pid);
  const load = startTorture(
    { port },
    { connections: CLIENTS, seed: SEED, mix: MIX, gapMs: 500, unusedMs: 1_000, hungMs: 30_000 },
  );
  const { tally } = load;
  const handoffs = (): number => seenSoFar().connections - tally.opened;
  const memory: number[] = [];
  const say = (): void =>
    console.log(
      `${Math.round((performance.now() - startedAt) / 1000)} s, Node ${process.version}: ${handoffs()} handoffs, ${tallyLine(tally)}; ${memory.length} reloads; ` +
        `master ${memory.at(-1)?.toFixed(1)} MB, ${descriptorsOf(master.pid)} descriptors (${atRest} at rest)`,
    );
  let saidAt = startedAt;
  while (handoffs() < HANDOVERS) {
    const result = await ask(`${master.world.home}/run/${name}.sock`, { command: 'reload' });
    expect(result.ok, JSON.stringify(result)).toBe(true);
    memory.push(rssMbOf(master.pid));
    const due = tally.moves + Math.min(HANDOVERS_A_RELOAD, HANDOVERS - handoffs());
    await until(
      'the next reload is due',
      () => tally.moves,
      (moves) => moves >= due,
      120_000,
    );
    if (performance.now() - saidAt < SAY_EVERY_MS) continue;
    saidAt = performance.now();
    say();
    expectUnbroken(tally);
  }
  await load.stop();
  say();
  expectUnbroken(tally);
  // While connections are on their way the master holds a copy of each; then none is left.
  await until(
    'the master holds no connection',
    () => descriptorsOf(master.pid),
    (count) => count <= atRest + 2,
  );
  await noneInCloseWait(port);
  const { requests, connections } = await seenByWorkers();
  console.log(`${connections - tally.opened} handoffs, ${tally.answered} requests, ${requests} seen by workers`);
  expect(requests, 'each request reached one worker, once').toBe(tally.answered);
  expect(connections - tally.opened).toBeGreaterThanOrEqual(HANDOVERS);

  if (memory.length < 3 * SETTLED_RELOADS) return; // Too few to tell a leak by.
  const early = (values: number[]): number => median(values.slice(SETTLED_RELOADS, 2 * SETTLED_RELOADS));
  const late = (values: number[]): number => median(values.slice(-SETTLED_RELOADS));
  expect(
    late(memory) / early(memory),
    `${early(memory).toFixed(1)} MB, then ${late(memory).toFixed(1)} MB`,
  ).toBeLessThan(1.15);
});
