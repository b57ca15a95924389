// What a deploy costs: an app of 5,000 files, of which 12 have changed, beside a full copy of it (cp -a, with and without waiting
// for the disk) and beside the store's own first deploy. The whole command counts, from the process to its exit, of an app that
// does not run, so that no rollout is in it; and the store after 50 deploys. Rounds alternate, and medians are quoted; machines
// are shared and noisy, so read ratios. ROUNDS and FILES of the environment are others than 5 and 5,000.
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const FILES = Number(process.env.FILES ?? 5_000);
const CHANGED = 12;
const DEPLOYS = 50;
/** In a package of 10 folders' worth: what node_modules of a web app look like. Sizes from 0.5 to 27 KB, 14 KB on average. */
const PER_FOLDER = 10;

const root = mkdtempSync(join(tmpdir(), 'zdsup-bench-deploy-'));
const app = join(root, 'app');
const home = join(root, 'home');
const store = join(home, 'releases/bench');
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const pathOf = (n) =>
  join(
    app,
    n < FILES / 10 ? 'src' : `node_modules/p${Math.floor(n / 40)}`,
    `d${Math.floor(n / PER_FOLDER) % 4}`,
    `f${n}.js`,
  );

/** Text that does not repeat, and differs from file to file. */
function textOf(n) {
  let state = n + 1;
  let text = '';
  const size = 500 + ((n * 7919) % 26_500);
  while (text.length < size) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text += `exports.v${state.toString(36)} = ${state};\n`;
  }
  return text;
}

function makeApp() {
  for (let n = 0; n < FILES - 2; n++) {
    mkdirSync(dirname(pathOf(n)), { recursive: true });
    writeFileSync(pathOf(n), textOf(n));
  }
  writeFileSync(
    join(app, 'app.js'),
    "require('node:http').createServer((_, r) => r.end()).listen(process.env.PORT);\n",
  );
  writeFileSync(join(app, 'zdsup.config.json'), '{"name": "bench", "script": "app.js"}\n');
}

function run(command, args) {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, PWD: app, ZDSUP_HOME: home, PORT: '0' },
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
  return { ms: performance.now() - startedAt, stdout };
}

const zdsup = (...args) => run(process.execPath, [BIN, ...args]);

/** As if the store had never been. */
const forget = () => rmSync(store, { recursive: true, force: true });
const sizeOf = (folder) => Number(run('du', ['-sb', '--apparent-size', folder]).stdout.split('\t')[0]);

let edits = 0;
function edit() {
  edits += 1;
  for (let n = 0; n < CHANGED; n++) appendFileSync(pathOf((n * 37 + edits) % (FILES - 2)), `// ${edits}\n`);
}

function deploy() {
  const { ms, stdout } = zdsup('deploy', 'bench', '--json');
  return { ms, ...JSON.parse(stdout) };
}

function copy(durably) {
  const to = join(root, 'copy');
  const { ms } = run('sh', ['-c', durably ? 'cp -a "$0" "$1" && sync -f "$1"' : 'cp -a "$0" "$1"', app, to]);
  rmSync(to, { recursive: true });
  return ms;
}

try {
  makeApp();
  mkdirSync(home, { mode: 0o700 });
  zdsup('start', '--daemon');
  zdsup('stop', 'bench');
  run('sync', ['-f', root]);

  const rows = { copy: [], durable: [], first: [], next: [] };
  let next;
  for (let round = 0; round < ROUNDS; round++) {
    rows.copy.push(copy(false));
    rows.durable.push(copy(true));
    forget();
    rows.first.push(deploy().ms);
    edit();
    next = deploy();
    rows.next.push(next.ms);
  }
  const whole = sizeOf(app);
  const ms = (name) => `${Math.round(median(rows[name]))} ms (${rows[name].map(Math.round).join(', ')})`;
  const ratio = (name) => `${(median(rows[name]) / median(rows.next)).toFixed(1)} times`;
  console.log(`${FILES} files, ${(whole / 1e6).toFixed(1)} MB; medians of ${ROUNDS} rounds`);
  console.log(`cp -a                          ${ms('copy')}`);
  console.log(`cp -a, on the disk             ${ms('durable')}`);
  console.log(`first deploy, on the disk      ${ms('first')}`);
  console.log(`${next.changed} of ${next.files} files changed    ${ms('next')}; ${next.storedBytes} bytes stored`);
  console.log(`cp -a takes ${ratio('copy')} that, on the disk ${ratio('durable')}, a first deploy ${ratio('first')}`);

  const before = sizeOf(store);
  const took = [];
  for (let n = 0; n < DEPLOYS; n++) {
    edit();
    took.push(deploy().ms);
  }
  const after = sizeOf(store);
  const kept = JSON.parse(zdsup('releases', 'bench', '--verify', '--json').stdout).releases;
  console.log(
    `${DEPLOYS} deploys more: ${Math.round(median(took))} ms each; ${kept.length} releases are kept, all as they were stored;`,
  );
  console.log(`the store went from ${(before / 1e6).toFixed(1)} to ${(after / 1e6).toFixed(1)} MB`);
} finally {
  rmSync(root, { recursive: true, force: true });
}
