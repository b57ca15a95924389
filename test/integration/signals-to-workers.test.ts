/** `zdsup signal` reaches the app's own handlers, also for the signals it is shielded from, and ends nobody by mistake. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ControlResult } from '../../src/shared/control-protocol.js';
import { Connection } from '../helpers/load/client.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

/** Says what it hears; `/held` is answered at SIGUSR2. */
const APP = (heard: string[]): string => `
const held = [];
require('node:http').createServer((request, response) => {
  if (request.url === '/held') held.push(response);
  else response.end(String(process.pid));
}).listen(process.env.PORT);
for (const name of ${JSON.stringify(heard)})
  process.on(name, (signal, number) => {
    console.log('heard', process.pid, signal, number);
    if (name === 'SIGUSR2') held.splice(0).forEach((response) => response.end('held'));
  });`;

async function start(app: string, more: object = {}): Promise<Master> {
  const env = { PORT: await freePort() };
  const config = { name: 'hears', script: 'app.js', instances: 2, minReady: 0, env, ...more };
  const project = makeProject({ 'app.js': app, 'zdsup.config.json': JSON.stringify(config) });
  return startMaster({ cwd: project.folder, args: [] });
}

type Signalled = Extract<ControlResult, { command: 'signal' }>;

async function signal(master: Master, ...words: string[]): Promise<Signalled> {
  const { code, stdout, stderr } = await master.run('signal', ...words, '--json');
  expect(code, stdout + stderr).toBe(0);
  return JSON.parse(stdout) as Signalled;
}

const pidsOf = async (master: Master): Promise<number[]> =>
  (await master.status()).workers.map((worker) => worker.pid!);

const HEARD = ['SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGPWR'];

test.concurrent('every worker hears of it by its own handler, those signals too that it is shielded from, and the answer says who', async () => {
  const master = await start(APP(HEARD));
  const pids = await pidsOf(master);
  for (const name of HEARD) {
    const { sent, unheard, message, signal: told } = await signal(master, 'hears', name);
    expect(told).toBe(name);
    expect(sent.map(({ pid }) => pid).sort()).toEqual([...pids].sort());
    expect(unheard).toEqual([]);
    for (const pid of pids) {
      expect(message).toContain(`(pid ${pid})`);
      await master.printed(`heard ${pid} ${name} ${constants.signals[name as NodeJS.Signals]}`);
    }
  }
  expect(await pidsOf(master), 'they live on').toEqual(pids);
  expect((await master.run('signal', 'usr2')).stdout, 'without a name it is the only app').toMatch(
    /^hears: SIGUSR2 sent to worker/,
  );
});

test.concurrent('a signal of others is swallowed still, where it is one that workers are shielded from', async () => {
  const master = await start(APP(HEARD));
  const [pid] = await pidsOf(master);
  process.kill(pid!, 'SIGTERM');
  process.kill(pid!, 'SIGHUP');
  await signal(master, 'USR2');
  await master.printed(`heard ${pid} SIGUSR2`);
  expect(master.stdoutLines.filter((line) => /SIGTERM|SIGHUP/.test(line))).toEqual([]);
});

test.concurrent('a worker without a handler is not ended by what would end it: nothing is sent, exit 1', async () => {
  const master = await start(APP([]));
  const pids = await pidsOf(master);
  for (const name of ['USR2', 'TERM', 'INT', 'HUP', 'QUIT', 'ALRM'])
    expect(await master.run('signal', name), name).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/no worker of hears listens for SIG\w+.*\(ZDSUP_SIGNAL_UNHEARD\)\nhint: /),
    });
  expect((await signal(master, 'CONT')).sent, 'what ends nobody is sent').toHaveLength(2);
  expect(await pidsOf(master)).toEqual(pids);
});

test.concurrent('those that hear it get it, and those that do not are named', async () => {
  const master = await start(`if (process.env.ZDSUP_SLOT === '0') process.on('SIGUSR2', () => {}); ${APP([])}`);
  const [zero, one] = (await master.status()).workers;
  expect(await signal(master, 'USR2')).toMatchObject({
    sent: [{ slot: 0, generation: 1, pid: zero!.pid }],
    unheard: [{ slot: 1, generation: 1, pid: one!.pid }],
    message: expect.stringContaining(`left alone: worker 1 (pid ${one!.pid})`),
  });
});

test.concurrent('KILL ends the workers, says so, and they are started again', async () => {
  const master = await start(APP([]));
  const pids = await pidsOf(master);
  expect((await signal(master, 'KILL')).message).toContain('started again, as after a crash');
  await master.statusUntil(
    'all are new',
    ({ workers }) =>
      workers.length === 2 && workers.every(({ pid, state }) => state === 'active' && !pids.includes(pid!)),
  );
});

test.concurrent("an app's own end at TERM runs as the app wishes, and the worker is replaced", async () => {
  const master = await start(`process.on('SIGTERM', () => { console.log('bye'); process.exit(0); }); ${APP([])}`, {
    instances: 1,
  });
  const [pid] = await pidsOf(master);
  expect((await signal(master, 'TERM')).sent).toMatchObject([{ pid }]);
  await master.printed('bye');
  await master.statusUntil(
    'another one serves',
    ({ workers }) => workers[0]?.state === 'active' && workers[0].pid !== pid,
  );
});

test.concurrent('a draining worker hears it as well', async () => {
  const master = await start(APP(['SIGUSR2']), { instances: 1 });
  const app = await master.status();
  const old = app.workers[0]!.pid!;
  const connection = (await Connection.open({ port: app.listeners[0]!.port! })) as Connection;
  connection.socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
  await master.statusUntil('it is in flight', ({ workers }) => workers[0]!.inFlight === 1);
  const reload = master.run('reload');
  await master.seen('it drains', (line) => line.kind === 'worker-retired');
  const { sent } = await signal(master, 'USR2');
  expect(sent.map(({ pid }) => pid)).toContain(old);
  expect(await connection.response()).toMatchObject({ status: 200, body: 'held' });
  expect((await reload).code).toBe(0);
});

test.concurrent('a worker that computes gets it once it is done, and the command does not wait for it', async () => {
  const done = makeProject().path('done');
  const app = `process.on('SIGHUP', () => console.log('heard at last'));
    process.on('SIGUSR2', () => { console.log('computes'); while (!require('node:fs').existsSync(process.env.DONE)); });
    ${APP([])}`;
  const master = await start(app, { instances: 1, env: { PORT: await freePort(), DONE: done } });
  await signal(master, 'USR2');
  await master.printed('computes');
  expect((await signal(master, 'HUP')).sent).toHaveLength(1);
  writeFileSync(done, '');
  await master.printed('heard at last');
});

test.concurrent.each([
  [['signal', 'hears', 'USR3'], 2, /there is no signal USR3 \(ZDSUP_SIGNAL_UNKNOWN\)\nhint: did you mean USR1\?/],
  [['signal', 'STOP'], 2, /\(ZDSUP_SIGNAL_REFUSED\)\nhint: for one process: kill -STOP <pid>/],
  [['signal'], 2, /missing required argument/],
  [['signal', 'a', 'USR2', 'c'], 2, /too many words/],
  [['signal', 'nobody', 'USR2'], 3, /nobody is not running/],
])('zdsup %j is refused', async (args, code, says) => {
  const refused = await zdsup(makeWorld(), args);
  expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code, stdout: '' });
  expect(refused.stderr).toMatch(says);
});

test.concurrent('a master judges the name for itself', async () => {
  const master = await start(APP([]), { instances: 1 });
  const socket = join(master.world.home, 'run/hears.sock');
  for (const word of ['SIGSTOP', 'USR3', 9, null, { a: 1 }]) {
    const client = connect(socket);
    client.write(`${JSON.stringify({ command: 'signal', signal: word })}\n`);
    let answer = '';
    for await (const chunk of client) answer += chunk;
    expect(JSON.parse(answer), String(word)).toMatchObject({ ok: false, exitStatus: 2 });
  }
  await until('it lives', async () => (await master.status()).workers[0]?.state === 'active');
});
