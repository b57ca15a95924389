/** Socket activation: whoever started the master has bound the sockets, and holds them over its death. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { isAlive, killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { Connection } from '../helpers/load/client.js';
import { freePorts, freeUdpPort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { onlyAppOf } from '../helpers/status.js';
import { until } from '../helpers/until.js';
import { BIN, makeWorld, zdsup } from '../helpers/zdsup.js';

const HOLDER = fileURLToPath(new URL('../fixtures/socket-unit.cjs', import.meta.url));

test('an app gets the sockets that were handed over, several at once, a unix socket too; a killed master refuses nobody', async () => {
  const [port, other] = (await freePorts(2)) as [number, number];
  const path = join(temporaryFolder(), 'app.sock');
  const world = makeWorld();
  // As apps do, it removes the path first; it must not take the manager's away.
  const project = makeProject({
    // What is handed over needs no leave of the config's.
    'zdsup.config.json': JSON.stringify({ script: 'app.js', instances: 2, listen: [] }),
    'app.js': `const { createServer } = require('node:http');
      const answer = (request, response) => response.end(process.pid + ' ' + process.env.LISTEN_FDS);
      try { require('node:fs').unlinkSync(${JSON.stringify(path)}); } catch {}
      createServer(answer).listen(${port});
      createServer(answer).listen(${other}, '127.0.0.1');
      createServer(answer).listen(${JSON.stringify(path)});`,
  });
  const addresses = JSON.stringify([{ port }, { port: other, host: '127.0.0.1' }, path]);
  const holder = spawn(process.execPath, [HOLDER, addresses, process.execPath, BIN, 'start'], {
    cwd: project.folder,
    env: { ...world.env, PWD: project.folder },
    stdio: 'ignore',
  });
  let app: AppSnapshot | undefined;
  onTestFinished(async () => {
    const gone = holder.exitCode === null && once(holder, 'exit');
    killOwn(holder.pid);
    if (app && isAlive(app.masterPid)) killOwn(app.masterPid);
    await gone;
  });
  const serving = (since: number): Promise<AppSnapshot | undefined> =>
    until(
      'it serves',
      () => onlyAppOf(world.home),
      (seen) => seen?.state === 'running' && seen.masterPid !== since,
    );
  app = await serving(0);
  expect(app!.listeners.map((one) => ('path' in one ? one.path : one.port)).sort()).toEqual([port, other, path].sort());

  const ask = async (url: string): Promise<string> => (await fetch(url, { headers: { connection: 'close' } })).text();
  const open = async (): Promise<string> => {
    const connection = await Connection.open({ port });
    if (typeof connection === 'string') return connection;
    connection.end();
    return 'open';
  };
  expect(await ask(`http://127.0.0.1:${port}/`)).toMatch(/^\d+ undefined$/);
  expect(await ask(`http://127.0.0.1:${other}/`)).toMatch(/^\d+ undefined$/);

  expect((await zdsup(world, ['reload'], { cwd: project.folder })).code).toBe(0);
  for (let kills = 0; kills < 2; kills++) {
    const { masterPid, workers } = (await onlyAppOf(world.home))!;
    killOwn(masterPid);
    const seen = new Set<string>();
    await until(
      'its orphans have gone',
      async () => seen.add(await open()) && workers.every(({ pid }) => !isAlive(pid!)),
    );
    expect(await ask(`http://127.0.0.1:${port}/`)).toMatch(/^\d+ undefined$/); // It waited for the next master.
    app = await serving(masterPid);
    expect([...seen]).toEqual(['open']);
  }
  const ended = once(holder, 'exit'); // It may come before the command's own.
  expect((await zdsup(world, ['stop'], { cwd: project.folder })).code).toBe(0);
  expect((await ended)[0]).toBe(0);
});

test('a datagram to a socket that was handed over waits for the next master, as a connection does', async () => {
  const port = await freeUdpPort();
  const world = makeWorld();
  const project = makeProject({
    'app.js': `const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (data, from) => socket.send(process.ppid + ' ' + data, from.port)).bind(${port}, '127.0.0.1');`,
  });
  const holder = spawn(
    process.execPath,
    [HOLDER, JSON.stringify([{ udp: port }]), process.execPath, BIN, 'start', 'app.js'],
    {
      cwd: project.folder,
      env: { ...world.env, PWD: project.folder },
      stdio: 'ignore',
    },
  );
  const client = createSocket('udp4');
  let app: AppSnapshot | undefined;
  onTestFinished(async () => {
    client.close();
    const gone = holder.exitCode === null && once(holder, 'exit');
    killOwn(holder.pid);
    if (app && isAlive(app.masterPid)) killOwn(app.masterPid);
    await gone;
  });
  const ask = async (text: string): Promise<string> => {
    client.send(text, port, '127.0.0.1');
    return String((await once(client, 'message'))[0]);
  };
  app = await until(
    'it serves',
    () => onlyAppOf(world.home),
    (seen) => seen?.state === 'running',
  );
  expect(app!.listeners).toEqual([{ protocol: 'udp', address: '127.0.0.1', port }]);
  const { masterPid, workers } = app!;
  expect(await ask('hello')).toBe(`${masterPid} hello`);
  killOwn(masterPid);
  await until('its orphans have gone', () => workers.every(({ pid }) => !isAlive(pid!)));
  const [next, text] = (await ask('again')).split(' ');
  expect([text, next !== String(masterPid)]).toEqual(['again', true]);
  app = (await onlyAppOf(world.home)) ?? app;
  const ended = once(holder, 'exit'); // It may come before the command's own.
  expect((await zdsup(world, ['stop'], { cwd: project.folder })).code).toBe(0);
  expect((await ended)[0]).toBe(0);
});
