/** The examples that serve: each by its README's own command, through a reload under load. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { killOwn } from '../helpers/cleanup.js';
import { copyExample, reloadUnderLoad, startExample } from '../helpers/examples.js';
import { freePort } from '../helpers/ports.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';

test.each(['hello-http', 'typescript', 'websocket'])('%s: a reload under load loses no request', async (example) => {
  const [port, project] = [await freePort(), copyExample(example)];
  const master = await startExample(project, example, { PORT: String(port) });
  await reloadUnderLoad(master, port);
  expect((await master.status()).workers.map((worker) => worker.generation)).toEqual([2, 2]);
  expect((await master.run('stop')).code).toBe(0);
});

test('websocket: its client is closed with 1012 by a reload, and goes on with another process', async () => {
  const [port, project] = [await freePort(), copyExample('websocket')];
  const master = await startExample(project, 'websocket', { PORT: String(port) }, ['--drain-timeout', '1s']);
  const client = spawn(process.execPath, ['client.js', `ws://localhost:${port}`], {
    cwd: project.path('websocket'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => killOwn(client.pid));
  const lines: string[] = [];
  createInterface({ input: client.stdout }).on('line', (line) => lines.push(line));
  await until(
    'it is answered',
    () => lines,
    (seen) => seen.includes('echo: message 1'),
  );
  expect((await master.run('reload')).code).toBe(0);
  const closed = (): number => lines.indexOf('closed with 1012');
  await until(
    'it was closed and is answered again',
    () => lines,
    (seen) => closed() >= 0 && seen.slice(closed()).some((line) => line.startsWith('echo: ')),
  );
  const [before, after] = lines.filter((line) => line.startsWith('connected to process '));
  expect(after).not.toBe(before);
  expect(lines.filter((line) => line.startsWith('error'))).toEqual([]);
});

test('own-farewell: a reload has its old workers say goodbye themselves, and they are gone at once', async () => {
  const [port, project] = [await freePort(), copyExample('own-farewell')];
  const master = await startExample(project, 'own-farewell', { PORT: String(port) });
  const heard: string[] = [];
  const client = new WebSocket(`ws://localhost:${port}`);
  onTestFinished(() => client.terminate());
  client.on('message', (data) => heard.push(String(data)));
  const closed = once(client, 'close');
  await once(client, 'open');
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  expect((await closed)[0]).toBe(4000);
  expect(heard).toEqual(['this worker leaves: come back to the next']);
  expect((await master.run('stop')).code).toBe(0);
});
