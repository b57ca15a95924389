/** What workers and the master write reaches whoever reads it as it was written; where nobody reads, nothing suffers. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** `/held` answers on SIGUSR2. What a request makes it write is put in for `WRITE`. */
const APP = (write = ''): string => `
const held = [];
process.on('SIGUSR2', () => { console.log('out'); console.error('err'); held.splice(0).forEach((response) => response.end('held')); });
require('node:http').createServer((request, response) => {
  if (request.url === '/held') return held.push(response);
  ${write}
  response.end(String(process.pid));
}).listen(process.env.PORT);`;

interface Scene {
  master: Master;
  project: Project;
  port: number;
  get(): Promise<string>;
}

async function start(app: string, options: { args?: string[]; wait?: boolean } = {}): Promise<Scene> {
  const port = await freePort();
  const project = makeProject({ 'app.js': app });
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.js', '--name', 'out', ...(options.args ?? [])],
    env: { PORT: String(port) },
    wait: options.wait ?? true,
  });
  const get = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
  return { master, project, port, get };
}

/** What comes from now on. */
function collect(stream: Readable): () => Buffer {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

test.concurrent.each(['stdout', 'stderr'] as const)(
  '%s goes through byte for byte, binary and without a newline',
  async (name) => {
    const bytes = Buffer.concat([EVERY_BYTE, Buffer.alloc(300_000, 'no newline '), EVERY_BYTE]);
    const { master, get } = await start(
      APP(`
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  for (const part of [bytes, Buffer.alloc(300_000, 'no newline '), bytes]) process.${name}.write(part);`),
    );
    const collected = collect(master.child[name]!);
    await get();
    await until('all of it has come', () => collected().length >= bytes.length);
    expect(collected().equals(bytes)).toBe(true);
  },
);

test('lines that two workers write at once to stderr, with lines of the log between, all come whole', async () => {
  const { master } = await start(
    `setTimeout(() => {
  let count = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 100; i++) console.error(JSON.stringify({ worker: process.pid, n: count++, pad: 'x'.repeat(500 + (count % 700)) }));
    if (count === 3000) { clearInterval(timer); console.log('done'); }
  }, 5);
}, 1_200);
${APP()}`,
    { args: ['-i', '2'] },
  );
  master.signal('SIGHUP'); // The reload's lines come in between, and its workers write as well.
  await master.serving(2);
  await until('all have written', () => master.stdoutLines.length === 4);
  await until('all has come', () => master.stderrLines.length === 12_000);
  const seen = new Map<number, number>();
  for (const line of master.stderrLines) {
    const { worker, n } = JSON.parse(line) as { worker: number; n: number };
    expect(n, 'in order').toBe(seen.get(worker) ?? 0);
    seen.set(worker, n + 1);
  }
});

test.concurrent("a crashed worker's last lines are in the reload's report, also what it wrote without a newline", async () => {
  const { master, project } = await start(APP());
  project.write({
    'app.js': `for (let line = 1; line <= 60; line++) console.error('line ' + line); process.stderr.write('the end', () => process.exit(3));`,
  });
  const reload = await master.run('reload');
  expect(reload.code).toBe(1);
  expect(reload.stderr).toContain('worker 0 of generation 2 exited with code 3 before it was ready');
  const kept = [...Array.from({ length: 39 }, (_, index) => `line ${index + 22}`), 'the end'];
  expect(reload.stderr).toContain(
    ['the last lines of its output:', ...kept.map((line) => `  ${line}`), 'hint:'].join('\n'),
  );
  const { stdout } = await master.run('reload', '--json');
  expect((JSON.parse(stdout) as { stderr: string[] }).stderr).toEqual(kept);
});

test.concurrent.each<[string, ('stdout' | 'stderr')[]]>([
  ['stdout', ['stdout']],
  ['stderr', ['stderr']],
  ['both', ['stdout', 'stderr']],
])('a reader that closes %s ends neither master nor worker nor a request in flight', async (_, closed) => {
  const { master, port, get } = await start(APP("console.log('out'); console.error('err');"));
  const pid = await get();
  const held = await Connection.open({ port });
  if (typeof held === 'string') throw new Error(held);
  held.socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  await master.statusUntil('it is in flight', (app) => app.workers[0]!.inFlight === 1);
  for (const name of closed) master.child[name]!.destroy();
  for (let request = 0; request < 5; request++) expect(await get()).toBe(pid);
  killOwn(Number(pid), 'SIGUSR2');
  expect(await held.response()).toMatchObject({ body: 'held' });
  expect((await master.status()).workers).toMatchObject([{ pid: Number(pid), restarts: 0 }]);
  held.end();
  expect((await master.run('reload')).code).toBe(0);
  const next = Number(await get());
  killOwn(next);
  await master.statusUntil('it is replaced', (app) => app.workers[0]!.restarts === 1 && app.workers[0]!.pid !== next);
  expect((await master.run('stop')).code).toBe(0);
  expect(await master.exited()).toEqual({ code: 0, signal: null });
});

test('a reader of stderr that stalls holds up no request and no command; what it does not take stays with its worker, and comes later', async () => {
  const bytes = 48 * 2 ** 20;
  const { master, get } = await start(
    APP(`if (!process.stderr.writableLength) for (let n = 0; n < 48; n++) process.stderr.write('x'.repeat(2 ** 20 - 1) + '\\n');
  return response.end(String(process.stderr.writableLength));`),
  );
  const stderr = master.child.stderr!;
  let got = 0;
  stderr.on('data', (chunk: Buffer) => (got += chunk.length));
  stderr.pause();
  await get();
  for (let look = 0; look < 6; look++) expect((await master.run('status')).stdout).toContain('running');
  expect(Number(await get())).toBeGreaterThan(bytes * 0.9);
  stderr.resume();
  await until('all has come', () => got === bytes);
});

test.concurrent.each<[string, string[], RegExp]>([
  ['json by default', [], /^\{"level":"info",.*"msg":"generation 1 serves with 1 worker"\}$/],
  ['json', ['--log-format', 'json'], /^\{"level":"info",.*"msg":"generation 1 serves with 1 worker"\}$/],
  ['json with --json', ['--json'], /^\{"level":"info",.*"msg":"generation 1 serves with 1 worker"\}$/],
  ['pretty', ['--log-format', 'pretty'], /^\[\d\d:\d\d:\d\d\] INFO: out: generation 1 serves with 1 worker$/],
])("off a terminal zdsup's own log is %s, on stderr alone", async (_, args, format) => {
  const { master } = await start(APP(), { args, wait: false });
  const collected = collect(master.child.stderr!);
  const lines = (): string[] => collected().toString().split('\n');
  await until('it serves', () => lines().some((line) => format.test(line)));
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  expect(lines().filter((line) => line !== '' && line.startsWith('{') !== format.source.startsWith('^\\{'))).toEqual(
    [],
  );
  expect(master.stdoutLines).toEqual([]);
});

test.concurrent("a grandchild that keeps a dead worker's stderr open holds up neither its successor nor the stop", async () => {
  const { master, get } = await start(`
const child = require('node:child_process').spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'inherit'] });
console.log('child', child.pid);
${APP()}`);
  const child = Number((await master.printed('child')).split(' ')[1]);
  onTestFinished(() => killOwn(child));
  const from = master.log.length;
  killOwn(Number(await get()));
  const ended = await master.seen('it has ended', (line) => line.kind === 'worker-exited', 15_000, from);
  const next = await master.seen('a successor starts', (line) => line.kind === 'worker-started', 15_000, from);
  expect(Date.parse(next.time) - Date.parse(ended.time)).toBeLessThan(5_000);
  expect(isAlive(child)).toBe(true);
  const exit = once(master.child, 'exit');
  expect((await master.run('stop')).code).toBe(0);
  expect((await exit)[0]).toBe(0);
  const children = master.stdoutLines.map((line) => Number(line.split(' ')[1]));
  for (const pid of children) killOwn(pid);
});
