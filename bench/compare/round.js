// One round of one runner: everything that is measured of it, one thing after the other.
import { setTimeout as pause } from 'node:timers/promises';
import { now } from './load/clock.js';
import { startLoad } from './load/index.js';
import { memoryOf } from './processes.js';
import { busiestOverMean, percentiles } from './report/statistics.js';
import { Place } from './runners/place.js';

/** What the load is made of. All of it is said in the results. */
export const LOAD = {
  workers: 2,
  /** After the start: a generation is promoted, a daemon has settled. */
  settleMs: 1_500,
  /** Of each throughput: first what is not counted, then what is. */
  warmMs: 1_000,
  throughputMs: 2_500,
  throughputClients: 20,
  /** Latency: an open loop at this many requests a second. */
  rate: 1_000,
  latencyClients: 20,
  steadyMs: 3_000,
  /** Losses. */
  keepAliveClients: 20,
  perRequestClients: 20,
  betweenReloadsMs: 300,
  /** Evenness: connections and workers, and how long a runner has to even them out. */
  evenWorkers: 4,
  evenClients: 40,
  evenWarmMs: 2_500,
};

const pidOf = (worker) => Number(worker.split('.')[0]);

/** Measures throughput and CPU; one kind of connection. */
async function throughput(place, root, perRequest) {
  const { perSecond, cpuUsPerRequest } = await startLoad('throughput', {
    port: place.port,
    root,
    clients: LOAD.throughputClients,
    perRequest,
    warmMs: LOAD.warmMs,
    ms: LOAD.throughputMs,
  }).result;
  return { perSecond, cpuUsPerRequest };
}

/** Latency at a fixed rate: for a while without, then from the start to the end of a reload. */
async function latency(place, running) {
  const load = startLoad('latency', { port: place.port, rate: LOAD.rate, clients: LOAD.latencyClients });
  await pause(LOAD.warmMs);
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
async function losses(place, running, reloads) {
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
async function evenness(place, root) {
  const { byWorker } = await startLoad('throughput', {
    port: place.port,
    root,
    clients: LOAD.evenClients,
    perRequest: false,
    warmMs: LOAD.evenWarmMs,
    ms: LOAD.throughputMs,
  }).result;
  return busiestOverMean(Object.values(byWorker), LOAD.evenWorkers);
}

/** Starts the runner in a place of its own, does `work` there, and leaves nothing of it. */
async function started(runner, node, workers, work) {
  const place = await Place.open(node);
  try {
    const running = await runner.start(place, workers);
    const result = await work(place, running);
    await running.stop();
    return result;
  } catch (error) {
    throw new Error(`${runner.title}: ${error.message}`, { cause: error });
  } finally {
    await place.close();
  }
}

/** `says(step)` is told what is measured next. */
export async function measureRound(runner, node, { reloads }, says) {
  says('start');
  const round = await started(runner, node, LOAD.workers, async (place, running) => {
    await pause(LOAD.settleMs);
    const memory = memoryOf(running.root, place.workers().map(pidOf));
    says('keep-alive');
    const keepAlive = await throughput(place, running.root, false);
    says('new connections');
    const perRequest = await throughput(place, running.root, true);
    says('latency');
    const latencies = await latency(place, running);
    if (running.reload === undefined) return { memory, keepAlive, perRequest, latency: latencies, losses: null };
    says('reloads');
    return { memory, keepAlive, perRequest, latency: latencies, losses: await losses(place, running, reloads) };
  });
  if (!runner.clusters) return { ...round, evenness: null };
  says('evenness');
  return {
    ...round,
    evenness: await started(runner, node, LOAD.evenWorkers, (place, running) => evenness(place, running.root)),
  };
}

/** About how long a round of a runner takes, in seconds. */
export function roundSeconds(runner, { reloads }) {
  const throughputs = 2 * (LOAD.warmMs + LOAD.throughputMs);
  const alone = LOAD.settleMs + throughputs + LOAD.warmMs + LOAD.steadyMs;
  const clustered = (reloads + 1) * (2_000 + LOAD.betweenReloadsMs) + LOAD.evenWarmMs + LOAD.throughputMs + 2_000;
  return (alone + 1_000 + (runner.clusters ? clustered : 0)) / 1_000;
}
