// What open dashboards cost: the CPU a request of the app with so many pages on the live socket over none, and the master's share of a core meanwhile.
// Rounds alternate, and the least of each kind counts: the host's noise only adds.
//   npm run bench:dashboards [-- --pages 50 --workers 2 --rounds 4 --seconds 3]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from 'ws';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const { values } = parseArgs({
  options: {
    pages: { type: 'string', default: '50' },
    workers: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '3' },
  },
});
const [PAGES, WORKERS, ROUNDS, SECONDS] = ['pages', 'workers', 'rounds', 'seconds'].map((name) => Number(values[name]));
const [PORT, HTTP] = [11_480, 11_481];
const TOKEN = 'a-token-for-the-bench';
/** A page costs the app no more than this, and the master no more than that share of a core. */
const MOST_RATIO = 1.05;
const MOST_MASTER = 0.1;

const folder = mkdtempSync(join(tmpdir(), 'zdsup-bench-'));
writeFileSync(
  join(folder, 'app.cjs'),
  `require('node:http').createServer((_, response) => response.end('hello')).listen(${PORT}, '127.0.0.1');`,
);
const config = {
  name: 'bench',
  script: 'app.cjs',
  instances: WORKERS,
  minReady: 0,
  http: { port: HTTP, token: TOKEN },
};
writeFileSync(join(folder, 'zdsup.config.json'), JSON.stringify(config));
const { ZDSUP_HOME: _, ...env } = process.env;
const master = spawn(process.execPath, [BIN, 'start', '--json'], {
  cwd: folder,
  env: { ...env, ZDSUP_HOME: join(folder, 'home') },
  stdio: ['ignore', 'ignore', 'ignore'],
});

/** User and system time of a process so far, in ms. */
const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const ask = () =>
  new Promise((resolve, reject) => {
    get({ port: PORT, host: '127.0.0.1', agent }, (response) => response.resume().on('end', resolve)).on(
      'error',
      reject,
    );
  });
const status = async () =>
  (await (await fetch(`http://127.0.0.1:${HTTP}/status`, { headers: { authorization: `Bearer ${TOKEN}` } })).json())
    .apps[0];

async function serving() {
  for (let tries = 0; tries < 200; tries += 1) {
    const app = await status().catch(() => null);
    if (app?.workers.filter(({ state }) => state === 'active').length === WORKERS)
      return app.workers.map(({ pid }) => pid);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the app does not serve');
}

async function openPage() {
  const page = new WebSocket(`ws://127.0.0.1:${HTTP}/live`, { headers: { authorization: `Bearer ${TOKEN}` } });
  let samples = 0;
  page.on('message', (data) => {
    if (String(data.subarray(0, 16)).includes('sample')) samples += 1;
  });
  await once(page, 'message');
  return { page, samples: () => samples };
}

async function round(workers, pages) {
  const open = await Promise.all(Array.from({ length: pages }, openPage));
  const before = { workers: workers.map(cpuOf), master: cpuOf(master.pid), at: performance.now() };
  let requests = 0;
  const until = performance.now() + SECONDS * 1_000;
  const client = async () => {
    while (performance.now() < until) {
      await ask();
      requests += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  const ms = performance.now() - before.at;
  const used = workers.reduce((sum, pid, index) => sum + cpuOf(pid) - before.workers[index], 0);
  const samples = open.map((one) => one.samples());
  for (const { page } of open) page.terminate();
  return {
    cpuUs: (used * 1_000) / requests,
    perSecond: (requests / ms) * 1_000,
    master: (cpuOf(master.pid) - before.master) / ms,
    fewest: Math.min(...samples),
  };
}

let failed = false;
try {
  const workers = await serving();
  await round(workers, 0); // Compiled by then.
  const rounds = { none: [], many: [] };
  for (let index = 0; index < ROUNDS; index += 1) {
    rounds.none.push(await round(workers, 0));
    rounds.many.push(await round(workers, PAGES));
  }
  const least = (kind, what) => Math.min(...rounds[kind].map((one) => one[what]));
  const ratio = least('many', 'cpuUs') / least('none', 'cpuUs');
  const row = (name, kind) =>
    `${name.padEnd(12)} ${least(kind, 'cpuUs').toFixed(1)} µs of CPU a request, at most ${Math.max(...rounds[kind].map((one) => one.perSecond)).toFixed(0)} requests/s, master ${(least(kind, 'master') * 100).toFixed(2)} % of a core`;
  console.log(row('no page', 'none'));
  console.log(
    `${row(`${PAGES} pages`, 'many')}; each was sent ${Math.min(...rounds.many.map((one) => one.fewest))} samples at least in ${SECONDS} s`,
  );
  console.log(`ratio ${ratio.toFixed(3)} (at most ${MOST_RATIO}), master at most ${MOST_MASTER * 100} % of a core`);
  failed = ratio > MOST_RATIO || least('many', 'master') > MOST_MASTER;
} finally {
  agent.destroy();
  const gone = once(master, 'exit');
  master.kill('SIGTERM');
  await gone;
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
