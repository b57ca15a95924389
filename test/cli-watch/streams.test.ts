/** Streams from masters that are played: one of an older version, one that falls silent, one that goes and comes back. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Streams } from '../../src/cli/watch/streams.js';
import type { AppSnapshot } from '../../src/shared/snapshot.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { app } from '../helpers/snapshots.js';
import { until } from '../helpers/until.js';

interface Played {
  socketPath: string;
  /** Connections that have asked for a stream, oldest first. */
  watchers: Socket[];
  close(): Promise<void>;
}

async function play(socketPath: string, answer?: object): Promise<Played> {
  const watchers: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      watchers.push(socket);
      if (answer) socket.end(`${JSON.stringify(answer)}\n`);
    });
  });
  await once(server.listen(socketPath), 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    for (const socket of watchers) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(close);
  return { socketPath, watchers, close };
}

function watching(socketPath: string) {
  const samples: AppSnapshot[] = [];
  const told: string[] = [];
  const clock = { now: 0 };
  let asked = 0;
  const streams = new Streams(
    async () => {
      asked += 1;
      return app({ name: 'asked' });
    },
    { sample: (one) => samples.push(one), progress: (name, { message }) => told.push(`${name}: ${message}`) },
    () => clock.now,
  );
  onTestFinished(() => streams.end());
  const ask = async () => (await streams.ask({ name: 'alice/api', socketPath }))?.name;
  return { streams, samples, told, clock, ask, asked: () => asked };
}

const socketIn = (folder: string): string => join(folder, 'api.sock');
const sample = (one: AppSnapshot): string => `${JSON.stringify({ type: 'sample', app: one })}\n`;

test('a master is asked until its first sample is there, and then no more but after a step', async () => {
  const master = await play(socketIn(temporaryFolder()));
  const { ask, asked, samples, told } = watching(master.socketPath);
  expect(await ask()).toBe('asked');
  const [watcher] = await until(
    'it watches',
    () => master.watchers,
    (all) => all.length === 1,
  );
  watcher!.write(`${sample(app())}${JSON.stringify({ type: 'progress', kind: 'held', message: 'it is held' })}\n`);
  await until(
    'it is told',
    () => told,
    (all) => all.length === 1,
  );
  expect(samples[0]?.name, 'by the name that it has here').toBe('alice/api');
  expect(told).toEqual(['alice/api: it is held']);
  await until('what is so after the step', () => samples.length === 2);
  expect([await ask(), await ask(), asked()]).toEqual(['asked', 'asked', 2]);
  expect(master.watchers).toHaveLength(1);
});

test('after many steps at once it is asked twice: at the first one, and for the others together', async () => {
  const master = await play(socketIn(temporaryFolder()));
  const { ask, asked, samples, told } = watching(master.socketPath);
  await ask();
  const [watcher] = await until(
    'it watches',
    () => master.watchers,
    (all) => all.length === 1,
  );
  watcher!.write(`${JSON.stringify({ type: 'progress', kind: 'worker-active', message: 'active' })}\n`.repeat(64));
  await until('all are told', () => told.length === 64);
  await until('the last look', () => asked() === 3);
  await until('it is shown', () => samples.length > 0);
  watcher!.write(sample(app()));
  await until('the sample', () => samples.at(-1)?.name === 'alice/api');
  expect(asked()).toBe(3);
});

test('one that falls silent is asked again, as it may hang', async () => {
  const master = await play(socketIn(temporaryFolder()));
  const { ask, samples, clock } = watching(master.socketPath);
  await ask();
  const [watcher] = await until(
    'it watches',
    () => master.watchers,
    (all) => all.length === 1,
  );
  watcher!.write(sample(app()));
  await until('the sample', () => samples.length === 1);
  clock.now = 2_400;
  expect(await ask()).toBe('alice/api');
  clock.now = 2_600;
  expect(await ask()).toBe('asked');
});

test('one of an older version refuses once, and is asked each time', async () => {
  const error = { code: 'ZDSUP_CONTROL_PROTOCOL', message: 'unknown command', exitStatus: 2 };
  const master = await play(socketIn(temporaryFolder()), { type: 'result', ok: false, exitStatus: 2, error });
  const { ask, asked } = watching(master.socketPath);
  await ask();
  await until('it was refused', () => master.watchers[0]?.destroyed);
  for (let count = 0; count < 5; count++) expect(await ask()).toBe('asked');
  expect(asked()).toBe(6);
  // Whoever has asked for a stream before this one is there by now.
  const last = connect(master.socketPath).resume();
  last.write('x');
  await once(last, 'close');
  expect(master.watchers).toHaveLength(2);
});

test('one that has gone is watched anew when it is back', async () => {
  const path = socketIn(temporaryFolder());
  const first = await play(path);
  const { ask, samples } = watching(path);
  await ask();
  const [watcher] = await until(
    'it watches',
    () => first.watchers,
    (all) => all.length === 1,
  );
  watcher!.write(sample(app()));
  await until('the sample', () => samples.length === 1);
  await first.close();
  await until('what it said last is no more', ask, (name) => name === 'asked');
  const second = await play(path);
  await until('it is watched', async () => (await ask()) && second.watchers.length > 0);
});

test('when it is over, it hangs up', async () => {
  const master = await play(socketIn(temporaryFolder()));
  const { ask, streams } = watching(master.socketPath);
  await ask();
  const [watcher] = await until(
    'it watches',
    () => master.watchers,
    (all) => all.length === 1,
  );
  const closed = once(watcher!, 'close');
  streams.end();
  await closed;
});
