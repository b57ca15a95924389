// What figures cost, on the Node that runs this (or on those given as arguments): of a keep-alive request in the worker, on over off, and of the master with
// 8 workers and one who watches; and that they work with 64. On and off alternate in one worker, and the least is quoted: whoever interferes only adds to it.
// Machines are shared and noisy, so read ratios.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { watch } from '../dist/client/watch.js';
import { freePort } from './free-port.js';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), 'zdsup-bench-figures-'));
const APP = join(FOLDER, 'app.cjs');
const MASTERS = 3;
const ROUNDS = 8;
const REQUESTS = 20_000;
const CONNECTIONS = 10;
const WATCHED_MS = 15_000;
/** Limits that this command was made to hold: a ratio, and a part of one core. */
const LIMITS = { request: 1.02, master: 0.01 };

async function start(node, workers) {
  const port = await freePort();
  const child = spawn(node, [BIN, 'start', APP, '--name', 'bench', '-i', String(workers)], {
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
async function startWatching() {
  const end = new AbortController();
  let last = null;
  let watching;
  await new Promise((resolve, reject) => {
    const take = (app) => {
      last = app;
      resolve();
    };
    watching = watch(join(FOLDER, 'run', 'bench.sock'), take, { signal: end.signal });
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

async function load(port, requests) {
  const request = 'GET / HTTP/1.1\r\nHost: bench\r\n\r\n';
  let left = requests;
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay();
      await once(socket, 'connect');
      socket.on('data', () => (left-- > 0 ? socket.write(request) : socket.end()));
      socket.write(request);
      await once(socket, 'close');
    }),
  );
}

/** In microseconds of CPU. */
async function costOfRequest(app) {
  const before = cpuMs(app.pids[0]);
  await load(app.port, REQUESTS);
  return ((cpuMs(app.pids[0]) - before) * 1_000) / REQUESTS;
}

async function measureRequest(node) {
  const seen = [];
  for (let count = 0; count < MASTERS; count += 1) {
    const app = await start(node, 1);
    const costs = { off: [], on: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const name of round % 2 === 0 ? ['off', 'on'] : ['on', 'off']) {
        const watching = name === 'on' ? await startWatching() : null;
        if (round === 0) await load(app.port, REQUESTS); // What is measured is compiled.
        costs[name].push(await costOfRequest(app));
        await watching?.stop();
      }
    }
    await app.stop();
    seen.push({ off: Math.min(...costs.off), on: Math.min(...costs.on) });
  }
  return seen.sort((one, other) => one.on / one.off - other.on / other.off)[Math.floor(MASTERS / 2)];
}

/** As a part of one core. */
async function measureMaster(node, workers) {
  const app = await start(node, workers);
  await pause(3_000); // The first generation has been promoted.
  const watching = await startWatching();
  const traffic = load(app.port, 20_000); // Its figures have something in them.
  await traffic;
  await pause(2_000);
  const before = cpuMs(app.pid);
  const beganAt = performance.now();
  const requests = setInterval(() => void load(app.port, 200), 1_000);
  await pause(WATCHED_MS);
  clearInterval(requests);
  const share = (cpuMs(app.pid) - before) / (performance.now() - beganAt);
  const told = watching.last().workers.filter(({ figures }) => figures).length;
  await watching.stop();
  await app.stop();
  if (told !== workers) throw new Error(`${told} of ${workers} workers have told their figures`);
  return share;
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
  console.log(`| master, 8 workers, one watches | | ${percent(master)} of a core | | ${percent(LIMITS.master)} |`);
  console.log(`| master, 64 workers, one watches | | ${percent(crowd)} of a core | | |`);
  return on / off <= LIMITS.request && master <= LIMITS.master;
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
