// What `zdsup list` costs with 10 masters of one user, beside `node -e 0`, on the Node that runs this: wall time and CPU of the whole
// process. Rounds alternate, and medians are quoted: machines are shared and noisy, so read ratios. It exits 1 beyond its limit.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const MASTERS = 10;
const ROUNDS = 21;
/** Of the wall time of `node -e 0`. */
const LIMIT = 2.5;

const folder = mkdtempSync(join(tmpdir(), 'zdsup-bench-list-'));
const env = { ...process.env, PWD: folder, ZDSUP_HOME: join(folder, 'home') };
const run = (args) => {
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')}: ${status}\n${stderr}`);
};
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** What all children of this process that have ended had of the CPU, in ms (proc_pid_stat(5): cutime, cstime, in ticks of 10 ms). */
function spentByChildrenMs() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

function measure(args) {
  const [cpu, wall] = [spentByChildrenMs(), performance.now()];
  run(args);
  return { wall: performance.now() - wall, cpu: spentByChildrenMs() - cpu };
}

try {
  writeFileSync(
    join(folder, 'app.js'),
    "require('node:http').createServer((_, response) => response.end()).listen(process.env.PORT);\n",
  );
  const apps = [];
  for (let index = 0; index < MASTERS; index++)
    apps.push({ name: `app${index}`, script: 'app.js', minReady: 0, env: { PORT: await freePort() } });
  writeFileSync(join(folder, 'zdsup.config.json'), JSON.stringify({ apps }));
  run([BIN, 'start', '--daemon']);
  const [plain, list] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(measure(['-e', '0']));
    list.push(measure([BIN, 'list']));
  }
  const wall = (all) => median(all.map((one) => one.wall));
  const cpu = (all) => all.reduce((sum, one) => sum + one.cpu, 0) / ROUNDS;
  const ratio = wall(list) / wall(plain);
  console.log(`Node ${process.version}, ${MASTERS} masters, ${ROUNDS} rounds`);
  console.log(
    `wall, median: node -e 0 ${wall(plain).toFixed(0)} ms, zdsup list ${wall(list).toFixed(0)} ms: ${ratio.toFixed(2)} times (limit ${LIMIT})`,
  );
  console.log(
    `CPU, mean: ${cpu(plain).toFixed(0)} ms, ${cpu(list).toFixed(0)} ms: ${(cpu(list) / cpu(plain)).toFixed(2)} times`,
  );
  process.exitCode = ratio <= LIMIT ? 0 : 1;
} finally {
  run([BIN, 'stop', 'all']);
  rmSync(folder, { recursive: true, force: true });
}
