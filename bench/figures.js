// What figures cost, on the Node that runs this (or on those given as arguments): of a keep-alive request in the worker, on over off, and of the master with
// 8 workers and one who watches; and that they work with 64. Rounds on and off alternate, in processes that are the one or the other all along (a change has V8 compile anew).
// Of each process the least counts, for whoever interferes only adds to it; and of many processes the mean, for no two of the same code are equally fast: 2 % between them is usual.
// Machines are shared and noisy, so read ratios.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { watch } from '../dist/client/watch.js';
import { freePort } from './free-port.js';
import { load } from './keep-alive-load.js';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), 'zdsup-bench-figures-'));
const APP = join(FOLDER, 'app.cjs');
const PAIRS = 30;
/** Many short ones: of those, some are disturbed by nobody. */
const ROUNDS = 20;
const REQUESTS = 2_000;
const WARM_UP = 20_000;
const CONNECTIONS = 10;
const WATCHED_MS = 10_000;
/** Limits that this command was made to hold: a ratio, and a part of one core. */
const LIMITS = { request: 1.02, master: 0.01 };

async function start(node, workers, name) {
  const port = await freePort();
  const child = spawn(node, [BIN, 'start', APP, '--name', name, '-i', String(workers)], {
    env: { ...process.env, PORT: port, ZDSUP_HOME: FOLDER },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const pids = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{"pid"')) pids.push(JSON.parse(line).pid);
    if (pids.length === workers) break;
  }
  return {
    port,
    pid: child.pid,
    pids,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Until it is stopped; settles with the first sample. */
async function startWatching(name) {
  const end = new AbortController();
  let last = null;
  let watching;
  await new Promise((resolve, reject) => {
    const take = (app) => {
      last = app;
      resolve();
    };
    watching = watch(join(FOLDER, 'run', `${name}.sock`), take, { signal: end.signal });
    watching.catch(reject);
  });
  return {
    last: () => last,
    async stop() {
      end.abort();
      await watching;
    },
  };
}

/** All threads of a process, in ms: the kernel counts it in ns. */
function cpuMs(pid) {
  const folder = `/proc/${pid}/task`;
  const ofThread = (id) => Number(readFileSync(`${folder}/${id}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(folder).reduce((sum, id) => sum + ofThread(id), 0) / 1e6;
}

/** In microseconds of CPU. */
async function costOfRequest(app) {
  const before = cpuMs(app.pids[0]);
  await load(app.port, REQUESTS, CONNECTIONS);
  return ((cpuMs(app.pids[0]) - before) * 1_000) / REQUESTS;
}

async function measureRequest(node) {
  const least = { off: [], on: [] };
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const apps = { off: await start(node, 1, 'off'), on: await start(node, 1, 'on') };
    const watching = await startWatching('on');
    const costs = { off: [], on: [] };
    for (const app of Object.values(apps)) await load(app.port, WARM_UP, CONNECTIONS); // What is measured is compiled.
    for (let round = 0; round < ROUNDS; round += 1)
      for (const name of round % 2 === 0 ? ['off', 'on'] : ['on', 'off'])
        costs[name].push(await costOfRequest(apps[name]));
    await watching.stop();
    for (const [name, app] of Object.entries(apps)) {
      least[name].push(Math.min(...costs[name]));
      await app.stop();
    }
  }
  return { off: mean(least.off), on: mean(least.on) };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** As a part of one core: while nobody watches, and while somebody does. A few requests a second give the figures something to tell. */
async function measureMaster(node, workers) {
  const app = await start(node, workers, 'crowd');
  await pause(5_000); // The first generation has been promoted.
  const requests = setInterval(() => void load(app.port, 200, CONNECTIONS), 1_000);
  const off = await shareOfCore(app.pid);
  const watching = await startWatching('crowd');
  await pause(2_000);
  const on = await shareOfCore(app.pid);
  clearInterval(requests);
  const told = watching.last().workers.filter(({ figures }) => figures).length;
  await watching.stop();
  await app.stop();
  if (told !== workers) throw new Error(`${told} of ${workers} workers have told their figures`);
  return { off, on };
}

async function shareOfCore(pid) {
  const before = cpuMs(pid);
  const beganAt = performance.now();
  await pause(WATCHED_MS);
  return (cpuMs(pid) - before) / (performance.now() - beganAt);
}

async function report(node) {
  const version = spawnSync(node, ['-v'], { encoding: 'utf8' }).stdout.trim();
  const { off, on } = await measureRequest(node);
  const master = await measureMaster(node, 8);
  const crowd = await measureMaster(node, 64);
  const percent = (share) => `${(share * 100).toFixed(2)} %`;
  console.log(`\n| Node ${version} | off | on | | limit |\n|---|---|---|---|---|`);
  console.log(
    `| CPU of a keep-alive request | ${off.toFixed(2)} us | ${on.toFixed(2)} us | **${(on / off).toFixed(3)}** | ${LIMITS.request} |`,
  );
  console.log(
    `| master, 8 workers, of a core | ${percent(master.off)} | ${percent(master.on)} | | ${percent(LIMITS.master)} |`,
  );
  console.log(`| master, 64 workers, of a core | ${percent(crowd.off)} | ${percent(crowd.on)} | | |`);
  return on / off <= LIMITS.request && master.on <= LIMITS.master;
}

copyFileSync(fileURLToPath(new URL('app.cjs', import.meta.url)), APP);
let withinLimits = true;
try {
  for (const node of process.argv.length > 2 ? process.argv.slice(2) : [process.execPath])
    withinLimits = (await report(node)) && withinLimits;
} finally {
  rmSync(FOLDER, { recursive: true, force: true });
}
console.log(withinLimits ? '\nwithin all limits' : '\nA LIMIT IS EXCEEDED (on a busy machine: run it again)');
process.exitCode = withinLimits ? 0 : 1;
