// What a deploy costs: an app of 5,000 files, of which 12 have changed, beside a full copy of it (cp -a, with and without waiting
// for the disk) and beside the store's own first deploy. Of an app that runs, from the start of the process until the release
// is stored and its rollout begins; of one that does not, the whole command to its exit. Then the store after 50 deploys. Rounds alternate, and
// medians are quoted; machines are shared and noisy, so read ratios. ROUNDS and FILES of the environment are others than 5 and 5,000.
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
  writeFileSync(join(app, 'app.js'), "require('node:http').createServer((_, r) => r.end()).listen(0, '127.0.0.1');\n");
  writeFileSync(join(app, 'zdsup.config.json'), '{"name": "bench", "script": "app.js", "minReady": 50}\n');
}

function run(command, args) {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: app,
    encoding: 'utf8',
    env: { ...process.env, PWD: app, ZDSUP_HOME: home },
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

/** A first deploy, and one after an edit. */
function firstAndNext() {
  forget();
  const first = deploy();
  edit();
  return { first, next: deploy() };
}

try {
  makeApp();
  mkdirSync(home, { mode: 0o700 });
  zdsup('start', '--daemon');
  run('sync', ['-f', root]);

  const rows = { copy: [], durable: [], first: [], next: [], wholeFirst: [], wholeNext: [] };
  let last;
  for (let round = 0; round < ROUNDS; round++) {
    rows.copy.push(copy(false));
    rows.durable.push(copy(true));
    const { first, next } = firstAndNext();
    rows.first.push(first.storedInMs);
    rows.next.push(next.storedInMs);
    last = next;
  }
  const before = sizeOf(store);
  const took = [];
  for (let n = 0; n < DEPLOYS; n++) {
    edit();
    took.push(deploy().storedInMs);
  }
  const after = sizeOf(store);
  const kept = JSON.parse(zdsup('releases', 'bench', '--verify', '--json').stdout).releases;
  zdsup('stop', 'bench');
  for (let round = 0; round < ROUNDS; round++) {
    const { first, next } = firstAndNext();
    rows.wholeFirst.push(first.ms);
    rows.wholeNext.push(next.ms);
  }

  const ms = (name) => `${Math.round(median(rows[name]))} ms (${rows[name].map(Math.round).join(', ')})`;
  const times = (name, other) => `${(median(rows[name]) / median(rows[other])).toFixed(1)} times`;
  console.log(`${FILES} files, ${(sizeOf(app) / 1e6).toFixed(1)} MB; medians of ${ROUNDS} rounds, and each`);
  console.log(`cp -a                                ${ms('copy')}`);
  console.log(`cp -a, on the disk                   ${ms('durable')}`);
  console.log('an app that runs, until it is stored (and on the disk):');
  console.log(`  first deploy                       ${ms('first')}`);
  console.log(
    `  ${last.changed} of ${last.files} files changed         ${ms('next')}; ${last.storedBytes} bytes stored`,
  );
  console.log(
    `  a first deploy takes ${times('first', 'next')} that, cp -a on the disk ${times('durable', 'next')}, cp -a ${times('copy', 'next')}`,
  );
  console.log('one that does not, the whole command:');
  console.log(`  first deploy                       ${ms('wholeFirst')}`);
  console.log(`  ${last.changed} of ${last.files} files changed         ${ms('wholeNext')}`);
  console.log(
    `  a first deploy takes ${times('wholeFirst', 'wholeNext')} that, cp -a on the disk ${times('durable', 'wholeNext')}, cp -a ${times('copy', 'wholeNext')}`,
  );
  console.log(
    `${DEPLOYS} deploys in a row: ${Math.round(median(took))} ms each until stored; ${kept.length} releases are kept, all as they were stored`,
  );
  console.log(`the store went from ${(before / 1e6).toFixed(1)} to ${(after / 1e6).toFixed(1)} MB`);
} finally {
  spawnSync(process.execPath, [BIN, 'stop', 'bench'], { env: { ...process.env, ZDSUP_HOME: home } });
  rmSync(root, { recursive: true, force: true });
}
