/**
 * A worker without a free descriptor does not get what is sent to it, and nothing says so: once it has some, it serves as before. And a master that may have few
 * keeps some for its workers.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { ask, openConnection } from '../helpers/load/asking.js';
import { startNumbered } from '../helpers/numbered.js';
import { freePort, freePorts } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import { startMaster } from '../helpers/zdsup.js';

/** SIGUSR2 takes all descriptors that a worker may have, for a while. */
const APP = `
  const fs = require('node:fs');
  require('node:child_process').execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64']);
  process.on('SIGUSR2', () => {
    const eaten = [];
    try {
      for (;;) eaten.push(fs.openSync('/dev/null'));
    } catch {}
    setTimeout(() => { for (const fd of eaten) fs.closeSync(fd); }, 3_000);
  });
  require('node:http').createServer(handle).listen(process.env.PORT);`;

test('a worker that had no descriptor for the listening socket accepts from it once it has one', async () => {
  const { master, port } = await startNumbered({ app: APP, config: { instances: 2, sticky: 'ip' } });
  expect((await master.run('signal', 'SIGUSR2')).code).toBe(0);
  // The master accepted while there were two; the one that is left has to do it by itself.
  const { code, stderr } = await master.run('scale', '1');
  expect(code, stderr).toBe(0);
  const { pid } = await ask(await openConnection(port));
  expect(pid).toBe((await master.status()).workers[0]!.pid);
});

test('a worker that cannot be forked for want of a descriptor is said to lack one, and is forked once there are some', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.cjs': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.cjs', minReady: 0, log: { out: 'out.log' } }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const [worker] = (await master.status()).workers;
  const limit = (most: number) => execFileSync('prlimit', ['--pid', String(master.pid), `--nofile=${most}:1024`]);
  limit(8); // Those that it has are more: not one more can be had.
  killOwn(worker!.pid ?? undefined);
  await until(
    'the fork has failed',
    () => master.transcript(),
    (said) => said.includes('could not be forked'),
  );
  limit(1024);
  expect(master.transcript()).toMatch(/could not be forked: .*EMFILE/);
  expect(master.transcript()).not.toContain('mkfifo is not on this host');
  await master.statusUntil('another one serves', ({ workers }) =>
    workers.every(({ pid, state }) => pid !== worker!.pid && state === 'active'),
  );
});

test('however many connect to the HTTP of a master that may have few, it forks, and answers on its control socket', async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const config = { name: 'shop', script: 'app.cjs', minReady: 0 };
  const project = makeProject({
    'app.cjs': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify(config),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  execFileSync('prlimit', ['--pid', String(master.pid), '--nofile=120:120']);
  project.write({ 'zdsup.config.json': JSON.stringify({ ...config, http }) });
  const opened = await master.run('reload');
  expect(opened.code, opened.stderr).toBe(0);
  const sockets = Array.from({ length: 150 }, () => connect(http, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const [worker] = (await master.status()).workers;
  killOwn(worker!.pid ?? undefined);
  await master.statusUntil('another one serves', ({ workers }) =>
    workers.every(({ pid, state }) => pid !== worker!.pid && state === 'active'),
  );
});
