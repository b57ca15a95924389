// How long the way back takes: from the moment at which a rollback is asked for until the last new connection was answered by the code that was
// rolled back, with a parked generation and without one. New connections come every few ms meanwhile, and every answer counts. Over the
// control socket: the command's own start-up is bench:footprint's matter.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.js';

const BIN = fileURLToPath(new URL('../bin/zdsup.js', import.meta.url));
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const EVERY_MS = 3;
/** Limit this command was made to hold, with a parked generation. */
const LIMIT_MS = 100;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const app = (version, port) =>
  `require('node:http').createServer((request, response) => response.end('${version}')).listen(${port});\n`;

/** One app with two releases behind a link. */
async function open(keepWarm) {
  const root = mkdtempSync(join(tmpdir(), 'zdsup-bench-rollback-'));
  const port = await freePort();
  for (const version of ['old', 'new']) {
    mkdirSync(join(root, 'releases', version), { recursive: true });
    writeFileSync(join(root, 'releases', version, 'app.js'), app(version, port));
  }
  const config = { name: 'bench', script: 'current/app.js', instances: 2, soak: 0, keepWarm };
  writeFileSync(join(root, 'zdsup.config.json'), JSON.stringify(config));
  const link = (version) => {
    symlinkSync(join('releases', version), join(root, 'next'));
    renameSync(join(root, 'next'), join(root, 'current'));
  };
  link('old');
  const child = spawn(process.execPath, [BIN, 'start', '--log-format', 'json'], {
    cwd: root,
    env: { ...process.env, PWD: root, ZDSUP_HOME: root },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = createInterface({ input: child.stderr });
  await new Promise((serves) => lines.on('line', (line) => line.includes('"kind":"serving"') && serves()));
  return {
    port,
    link,
    ask: (request) => ask(join(root, 'run/bench.sock'), request),
    async close() {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** @returns when its result came */
async function ask(path, request) {
  const socket = connect(path);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  socket.write(`${JSON.stringify(request)}\n`);
  await once(socket, 'close');
  const result = JSON.parse(text.trim().split('\n').at(-1));
  if (!result.ok) throw new Error(JSON.stringify(result.error));
}

/** New connections, one after another every few ms, until they are stopped. */
function clients(port) {
  const seen = [];
  let under = 0;
  let lost = 0;
  const timer = setInterval(() => {
    const at = performance.now();
    under += 1;
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => (body += chunk));
      response.on('end', () => {
        under -= 1;
        seen.push({ at, body });
      });
    }).on('error', () => {
      under -= 1;
      lost += 1;
    });
  }, EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      while (under > 0) await new Promise((again) => setTimeout(again, 5));
      return { seen, lost };
    },
  };
}

const pause = (ms) => new Promise((over) => setTimeout(over, ms));

async function measure(keepWarm) {
  const shop = await open(keepWarm);
  try {
    shop.link('new');
    await shop.ask({ command: 'reload' });
    const load = clients(shop.port);
    await pause(500);
    const askedAt = performance.now();
    await shop.ask({ command: 'rollback' });
    const doneMs = performance.now() - askedAt;
    await pause(500);
    const { seen, lost } = await load.stop();
    const last = seen.filter(({ body }) => body === 'new').at(-1);
    return { backMs: Math.max(0, last.at - askedAt), doneMs, answered: seen.length, lost };
  } finally {
    await shop.close();
  }
}

const rounds = { parked: [], 'not parked': [] };
for (let round = 1; round <= ROUNDS; round++) {
  rounds.parked.push(await measure('10m'));
  rounds['not parked'].push(await measure(0));
  console.error(`round ${round} of ${ROUNDS}`);
}
for (const [name, all] of Object.entries(rounds)) {
  const back = all.map(({ backMs }) => Math.round(backMs));
  console.log(
    `${name.padEnd(10)}: the last new connection to the code that is left ${median(back)} ms after the rollback was asked for (${back.join(', ')}); the command done after ${Math.round(median(all.map(({ doneMs }) => doneMs)))} ms; ${all.reduce((sum, { answered }) => sum + answered, 0)} answered, ${all.reduce((sum, { lost }) => sum + lost, 0)} lost`,
  );
}
const worst = Math.max(...rounds.parked.map(({ backMs }) => backMs));
const lost = [...rounds.parked, ...rounds['not parked']].reduce((sum, one) => sum + one.lost, 0);
process.exitCode = worst > LIMIT_MS || lost > 0 ? 1 : 0;
