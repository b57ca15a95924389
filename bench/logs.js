// Lines a second that one app writes as fast as it can: straight to a file (`node app.js > file`), through zdsup's log process, and through PM2.
// Each is given the same time on the same app; rounds alternate, and medians are quoted. What counts is what is in the files at the end. Machines are
// shared and noisy, so read ratios. Exit status: 1 where zdsup has fewer than 0.8 of the lines of the file.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const PM2 = fileURLToPath(new URL('node_modules/pm2/bin/pm2', import.meta.url));
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const SECONDS = Number(process.env.SECONDS ?? 3);
const LEAST = 0.8;
const DEADLINE_MS = 60_000;

/** By `console.log`, as most apps do. It says at its end, in a file of its own, how many lines there were: PM2 may not have written them yet. */
const APP = `
const { writeFileSync } = require('node:fs');
let count = 0;
const pad = 'x'.repeat(60);
const end = Date.now() + ${SECONDS} * 1000;
(function write() {
  for (let i = 0; i < 100; i++) console.log(count++ + ' ' + pad);
  if (Date.now() < end) setImmediate(write);
  else writeFileSync(process.env.DONE, String(count));
})();
setInterval(() => {}, 1000);
`;

const folder = mkdtempSync(join(tmpdir(), 'zdsup-bench-logs-'));
const app = join(folder, 'app.cjs');
writeFileSync(app, APP);
writeFileSync(
  join(folder, 'zdsup.config.json'),
  JSON.stringify({
    name: 'bench',
    script: 'app.cjs',
    minReady: 0,
    log: { out: 'zdsup.log', maxSize: '10mb', keep: 1000 },
  }),
);

const env = (id) => ({
  ...process.env,
  DONE: join(folder, `${id}.done`),
  ZDSUP_HOME: join(folder, 'zdsup'),
  PM2_HOME: join(folder, 'pm2'),
});

async function written(id) {
  const done = join(folder, `${id}.done`);
  for (
    const until = performance.now() + DEADLINE_MS;
    !existsSync(done) || readFileSync(done, 'utf8') === '';
    await pause(50)
  )
    if (performance.now() > until) throw new Error(`${id} did not write its lines`);
  return Number(readFileSync(done, 'utf8'));
}

/** So many lines of the app are in the files whose names begin so. */
function linesIn(prefix) {
  let lines = 0;
  for (const name of readdirSync(folder).filter((one) => one.startsWith(prefix))) {
    const bytes = readFileSync(join(folder, name));
    const text = name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
    for (let at = text.indexOf(10); at !== -1; at = text.indexOf(10, at + 1)) lines += 1;
  }
  return lines;
}

async function settled(prefix, wanted) {
  let last = -1;
  for (let lines = linesIn(prefix); lines < wanted && lines !== last; lines = linesIn(prefix)) {
    last = lines;
    await pause(1_000);
  }
}

const clear = (id) => {
  for (const name of readdirSync(folder))
    if (name === `${id}.done` || name.startsWith(`${id}.log`) || name.startsWith(`.${id}.log`))
      rmSync(join(folder, name));
};

const run = (args, id) => {
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, env: env(id), encoding: 'utf8' });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}\n${stderr}`);
};

const runners = {
  async node() {
    const child = spawn(process.execPath, [app], {
      env: env('node'),
      stdio: ['ignore', openSync(join(folder, 'node.log'), 'w'), 2],
    });
    const count = await written('node');
    child.kill('SIGKILL');
    await once(child, 'exit');
    return count;
  },
  async zdsup() {
    const child = spawn(process.execPath, [BIN, 'start'], { cwd: folder, env: env('zdsup'), stdio: 'ignore' });
    const count = await written('zdsup');
    child.kill('SIGTERM');
    await once(child, 'exit');
    await settled('zdsup.log', count);
    return count;
  },
  async pm2() {
    run(
      [
        PM2,
        'start',
        app,
        '--name',
        'bench',
        '-i',
        '1',
        '--merge-logs',
        '-o',
        join(folder, 'pm2.log'),
        '-e',
        join(folder, 'pm2.err'),
      ],
      'pm2',
    );
    try {
      const count = await written('pm2');
      await settled('pm2.log', count);
      return count;
    } finally {
      run([PM2, 'kill'], 'pm2');
    }
  },
};

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ids = Object.keys(runners).filter((id) => id !== 'pm2' || existsSync(PM2));
if (!ids.includes('pm2')) console.log('PM2 is not installed (npm --prefix bench ci): without it');
const results = Object.fromEntries(ids.map((id) => [id, []]));
try {
  for (let round = 1; round <= ROUNDS; round++)
    for (const id of ids) {
      clear(id);
      const count = await runners[id]();
      const kept = linesIn(`${id}.log`);
      results[id].push({ count, kept });
      console.log(
        `round ${round}: ${id.padEnd(5)} ${Math.round(count / SECONDS).toLocaleString('en')} lines a second, ${count - kept} of ${count} not in the file`,
      );
    }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const rate = (id) => median(results[id].map(({ count }) => count)) / SECONDS;
for (const id of ids)
  console.log(
    `${id.padEnd(5)} ${Math.round(rate(id)).toLocaleString('en')} lines a second, ${(rate(id) / rate('node')).toFixed(2)} of the file`,
  );
const lost = results.zdsup.some(({ count, kept }) => kept !== count);
if (lost) console.log('zdsup has lost lines');
process.exitCode = lost || rate('zdsup') < LEAST * rate('node') ? 1 : 0;
