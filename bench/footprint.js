// What zdsup costs, beside bare node and node:cluster, on the Node that runs this (or on those given as arguments):
// the master's memory, `zdsup status` in wall time, the preload's share of a worker's start and of a keep-alive request.
// Rounds alternate, and medians are quoted (of CPU the least: whoever interferes only adds to it, and how many requests come in
// one turn of the event loop is up to the scheduler). Machines are shared and noisy, so read ratios.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';
import { load } from './keep-alive-load.js';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
/** In a folder of its own, as an app is: here it would be the whole repository whose files each status looks at. */
const APP = join(mkdtempSync(join(tmpdir(), 'zdsup-bench-app-')), 'app.cjs');
const CLUSTER = fileURLToPath(new URL('cluster.cjs', import.meta.url));
const ROUNDS = 9;
const REQUESTS = 40_000;
const CONNECTIONS = 10;
const WORKERS = 2;
/** Limits this command was made to hold (ratios, and ms). */
const LIMITS = { memory: 1.25, status: 2, startMs: 15, cpu: 1.05 };

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Starts `args`, and gives what its workers said once `workers` of them listen. */
async function start(node, args, workers, home) {
  const port = await freePort();
  const child = spawn(node, args, {
    env: { ...process.env, PORT: port, WORKERS: workers, ZDSUP_HOME: home },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const said = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('{"pid"')) said.push(JSON.parse(line));
    if (said.length === workers) break;
  }
  return {
    port,
    pid: child.pid,
    said,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const zdsupArgs = (workers) => [BIN, 'start', APP, '--name', 'bench', '-i', String(workers)];

function rssMb(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** User and system time of a process, in clock ticks of 10 ms. */
function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** CPU of the one worker for each request, in microseconds. */
async function cpuPerRequest(app) {
  const [{ pid }] = app.said;
  await load(app.port, REQUESTS / 4, CONNECTIONS); // Warm: what is measured is compiled.
  const before = cpuMs(pid);
  await load(app.port, REQUESTS, CONNECTIONS);
  return ((cpuMs(pid) - before) * 1000) / REQUESTS;
}

function wallMs(node, args, env) {
  const startedAt = performance.now();
  spawnSync(node, args, { env, stdio: 'ignore' });
  return performance.now() - startedAt;
}

async function measure(node) {
  const home = mkdtempSync(join(tmpdir(), 'zdsup-bench-'));
  const seen = { bareMemory: [], memory: [], bareStart: [], start: [], bareCpu: [], cpu: [], bareWall: [], wall: [] };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const bare = await start(node, [CLUSTER], WORKERS, home);
      const master = await start(node, zdsupArgs(WORKERS), WORKERS, home);
      await new Promise((settled) => setTimeout(settled, 1_500)); // The first generation has been promoted.
      seen.bareMemory.push(rssMb(bare.pid));
      seen.memory.push(rssMb(master.pid));
      seen.bareWall.push(wallMs(node, ['-e', '0'], process.env));
      seen.wall.push(wallMs(node, [BIN, 'status'], { ...process.env, ZDSUP_HOME: home }));
      await bare.stop();
      await master.stop();
      // One worker at a time, so that nothing else is on its core.
      for (const [args, starts, cpus] of [
        [[CLUSTER], seen.bareStart, null],
        [[APP], null, seen.bareCpu],
        [zdsupArgs(1), seen.start, seen.cpu],
      ]) {
        const app = await start(node, args, 1, home);
        starts?.push(app.said[0].listeningMs);
        cpus?.push(await cpuPerRequest(app));
        await app.stop();
      }
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const one = (name, values) => (name === 'cpu' || name === 'bareCpu' ? Math.min(...values) : median(values));
  return Object.fromEntries(Object.entries(seen).map(([name, values]) => [name, one(name, values)]));
}

function report(version, m) {
  const rows = [
    [
      "master's memory (RSS)",
      'bare node:cluster primary',
      m.bareMemory,
      m.memory,
      'MB',
      m.memory / m.bareMemory,
      LIMITS.memory,
    ],
    ['zdsup status, wall time', 'node -e 0', m.bareWall, m.wall, 'ms', m.wall / m.bareWall, LIMITS.status],
    ['CPU of a keep-alive request', 'node app.js', m.bareCpu, m.cpu, 'us', m.cpu / m.bareCpu, LIMITS.cpu],
  ];
  console.log(`\n| Node ${version} | bare | zdsup | ratio | limit |\n|---|---|---|---|---|`);
  for (const [what, against, bare, own, unit, ratio, limit] of rows)
    console.log(
      `| ${what} (against ${against}) | ${bare.toFixed(1)} ${unit} | ${own.toFixed(1)} ${unit} | **${ratio.toFixed(2)}** | ${limit} |`,
    );
  const added = m.start - m.bareStart;
  console.log(
    `| worker start to listening (against a bare cluster worker) | ${m.bareStart.toFixed(1)} ms | ${m.start.toFixed(1)} ms | **+${added.toFixed(1)} ms** | ${LIMITS.startMs} ms |`,
  );
  return rows.every(([, , , , , ratio, limit]) => ratio <= limit) && added <= LIMITS.startMs;
}

copyFileSync(fileURLToPath(new URL('app.cjs', import.meta.url)), APP);
const nodes = process.argv.length > 2 ? process.argv.slice(2) : [process.execPath];
let withinLimits = true;
for (const node of nodes) {
  const version = spawnSync(node, ['-v'], { encoding: 'utf8' }).stdout.trim();
  withinLimits = report(version, await measure(node)) && withinLimits;
}
rmSync(dirname(APP), { recursive: true, force: true });
console.log(withinLimits ? '\nwithin all limits' : '\nA LIMIT IS EXCEEDED (on a busy machine: run it again)');
process.exitCode = withinLimits ? 0 : 1;
