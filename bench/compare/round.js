// One round: each runner is started and measured once. What is compared between runners (CPU, requests a second) is measured in short slices, in turn, with all of
// them up: a machine that is slower for a while is so for each. What is told of one runner alone is measured one runner after the other.
import { setTimeout as pause } from 'node:timers/promises';
import { now } from './load/clock.js';
import { startLoad } from './load/index.js';
import { memoryOf } from './processes.js';
import { busiestOverMean, median, percentiles, sum } from './report/statistics.js';
import { Place } from './runners/place.js';

/** What the load is made of. All of it is said in the results. */
export const LOAD = {
  workers: 2,
  /** After the start: a generation is promoted, a daemon has settled. */
  settleMs: 1_500,
  /** Throughput: slices of a runner in each round and for each kind of connection, after one more that only warms it (code is compiled); and of
   * each slice what is not counted, and what is. The median slice counts: on a shared machine one costs twice as much now and then. */
  slices: 5,
  warmMs: 250,
  sliceMs: 800,
  throughputClients: 20,
  /** Latency: an open loop at this many requests a second. */
  rate: 500,
  latencyClients: 20,
  latencyWarmMs: 700,
  steadyMs: 2_500,
  /** Losses. */
  keepAliveClients: 20,
  perRequestClients: 20,
  betweenReloadsMs: 300,
  /** Evenness: connections and workers, how long a runner has to even them out, and how long is counted. */
  evenWorkers: 4,
  evenClients: 40,
  evenWarmMs: 2_500,
  evenMs: 1_500,
};

const pidOf = (worker) => Number(worker.split('.')[0]);

/** Starts each runner in a place of its own, does `work` with all of them, and leaves nothing of them. */
async function started(runners, workers, work) {
  const up = [];
  try {
    for (const { runner, node } of runners) {
      const place = await Place.open(node);
      const one = { runner, place };
      up.push(one);
      one.running = await named(runner, () => runner.start(place, workers));
    }
    const result = await work(up);
    for (const { runner, running } of up) await named(runner, () => running.stop());
    return result;
  } finally {
    await Promise.all(up.map(({ place }) => place.close()));
  }
}

/** What fails says of which runner. */
async function named(runner, work) {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${runner.title}: ${error.message}`, { cause: error });
  }
}

/** Throughput and CPU of all runners, by their ids: slices in turn, each turn in the opposite order of the one before. */
async function throughput(up, perRequest) {
  const turns = Array.from({ length: 1 + LOAD.slices }, (_, turn) => (turn % 2 === 0 ? up : up.toReversed())).flat();
  const results = await startLoad(
    'throughput',
    turns.map(({ place, running }) => ({
      port: place.port,
      root: running.root,
      clients: LOAD.throughputClients,
      perRequest,
      warmMs: LOAD.warmMs,
      ms: LOAD.sliceMs,
    })),
  ).result;
  return Object.fromEntries(
    up.map(({ runner }) => {
      const own = results.filter((_, index) => index >= up.length && turns[index].runner === runner);
      return [
        runner.id,
        {
          perSecond: median(own.map(({ requests, tookMs }) => (requests * 1_000) / tookMs)),
          cpuUsPerRequest: median(own.map(({ requests, cpuUs }) => cpuUs / requests)),
        },
      ];
    }),
  );
}

/** Latency at a fixed rate: for a while without, then from the start to the end of a reload. */
async function latency({ place, running }) {
  const load = startLoad('latency', { port: place.port, rate: LOAD.rate, clients: LOAD.latencyClients });
  await pause(LOAD.latencyWarmMs);
  const steadyFrom = now();
  await pause(LOAD.steadyMs);
  const steadyTo = now();
  await running.reload?.();
  const reloadTo = now();
  const { samples, lost } = await load.stop();
  const within = (from, to) => percentiles(samples.filter(([at]) => at >= from && at < to).map(([, ms]) => ms));
  return {
    steady: within(steadyFrom, steadyTo),
    reload: running.reload === undefined ? null : { ...within(steadyTo, reloadTo), lost },
  };
}

/** What reloads cost their clients, and how long each takes. */
async function losses({ place, running }, reloads) {
  const load = startLoad('losses', {
    port: place.port,
    keepAlive: LOAD.keepAliveClients,
    perRequest: LOAD.perRequestClients,
  });
  await pause(LOAD.betweenReloadsMs);
  const reloadMs = [];
  for (let reload = 0; reload < reloads; reload++) {
    const startedAt = now();
    await running.reload();
    reloadMs.push(now() - startedAt);
    await pause(LOAD.betweenReloadsMs);
  }
  return { reloads, reloadMs, ...(await load.stop()) };
}

/** How many times the mean the busiest of four workers has to do, with keep-alive clients; in requests. */
async function evenness({ place, running }) {
  const [{ byWorker }] = await startLoad('throughput', [
    {
      port: place.port,
      root: running.root,
      clients: LOAD.evenClients,
      perRequest: false,
      warmMs: LOAD.evenWarmMs,
      ms: LOAD.evenMs,
    },
  ]).result;
  return busiestOverMean(Object.values(byWorker), LOAD.evenWorkers);
}

/** Measures each runner once; by their ids. `says(step)` is told what comes next. */
export async function measureRound(runners, { reloads }, says) {
  const seen = Object.fromEntries(runners.map(({ runner }) => [runner.id, { losses: null, evenness: null }]));
  says('start');
  await started(runners, LOAD.workers, async (up) => {
    await pause(LOAD.settleMs);
    for (const { runner, place, running } of up)
      seen[runner.id].memory = memoryOf(running.root, place.workers().map(pidOf));
    for (const [kind, perRequest, words] of [
      ['keepAlive', false, 'keep-alive'],
      ['perRequest', true, 'new connections'],
    ]) {
      says(words);
      for (const [id, result] of Object.entries(await throughput(up, perRequest))) seen[id][kind] = result;
    }
    for (const one of up) {
      says(`latency of ${one.runner.title}`);
      seen[one.runner.id].latency = await named(one.runner, () => latency(one));
    }
    for (const one of up.filter(({ running }) => running.reload !== undefined)) {
      says(`reloads of ${one.runner.title}`);
      seen[one.runner.id].losses = await named(one.runner, () => losses(one, reloads));
    }
  });
  for (const one of runners.filter(({ runner }) => runner.clusters)) {
    says(`evenness of ${one.runner.title}`);
    seen[one.runner.id].evenness = await started([one], LOAD.evenWorkers, ([only]) => evenness(only));
  }
  return seen;
}

/** About how long a round takes, in seconds. */
export function roundSeconds(runners, { reloads }) {
  const slices = 2 * (1 + LOAD.slices) * (LOAD.warmMs + LOAD.sliceMs);
  const alone = 1_000 + slices + LOAD.latencyWarmMs + LOAD.steadyMs;
  const even = 1_500 + LOAD.evenWarmMs + LOAD.evenMs;
  const each = runners.map(
    ({ runner }) =>
      alone + (runner.clusters ? (reloads + 1) * (runner.reloadTakesMs + LOAD.betweenReloadsMs) + even : 0),
  );
  return (LOAD.settleMs + sum(each)) / 1_000;
}
