/**
 * socket.io unmodified: its clients come back by themselves after each of ten reloads, and every message is acknowledged. A message that the
 * end of a connection has overtaken is sent again by the client (its `retries` option); a session of HTTP long-polling lives in one worker's memory.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../helpers/until.js';
import { APPS } from './places.js';
import { RELOADS, reloadTenTimes, startApp, tell } from './reloads.js';

/** What is used of socket.io-client: it is installed here alone, the types of the project do not know it. */
interface Client {
  io: { on(event: string, listener: (error: Error) => void): void; engine: { transport: { name: string } } };
  on(event: string, listener: (error: Error) => void): void;
  emitWithAck(event: string, text: string): Promise<string>;
  close(): void;
}
type Connect = (url: string, options: Record<string, unknown>) => Client;

const CLIENTS = 10;
/** Between two messages of a client, in ms: this is about ends, not throughput. */
const PAUSE_MS = 5;

interface Story {
  acknowledged: number;
  /** Messages without their acknowledgement, by cause. */
  lost: Record<string, number>;
  /** What the client says of its connections, by message. */
  errors: Record<string, number>;
  reconnects: number;
  /** The newest generation that each client has heard from. */
  generations: number[];
}

async function chat(client: Client, own: number, story: Story, isOver: () => boolean): Promise<void> {
  const count = (causes: Record<string, number>) => (error: Error) => {
    causes[error.message] = (causes[error.message] ?? 0) + 1;
  };
  client.on('connect_error', count(story.errors));
  client.io.on('error', count(story.errors));
  client.io.on('reconnect', () => (story.reconnects += 1));
  for (let n = 0; !isOver(); n++) {
    try {
      const [, text, generation] = /^(.*) from (\d+)$/.exec(await client.emitWithAck('echo', `message ${n}`)) ?? [];
      if (text !== `message ${n}`) throw new Error(`wrong: ${text}`);
      story.acknowledged += 1;
      story.generations[own] = Number(generation);
    } catch (error) {
      count(story.lost)(error as Error);
    }
    await new Promise((again) => setTimeout(again, PAUSE_MS));
  }
  client.close();
}

async function run(name: string, transports: string[] | undefined): Promise<Story> {
  const { io } = createRequire(import.meta.url)('socket.io-client') as { io: Connect };
  // One worker: with several, long-polling needs sticky sessions, as everywhere.
  const { master, port } = await startApp(join(APPS, 'socket.io.cjs'), {}, { instances: 1, drainTimeout: '1s' });
  const story: Story = { acknowledged: 0, lost: {}, errors: {}, reconnects: 0, generations: Array(CLIENTS).fill(0) };
  let over = false;
  const clients = Array.from({ length: CLIENTS }, () =>
    io(`http://127.0.0.1:${port}`, { ...(transports ? { transports } : {}), retries: 10, ackTimeout: 20_000 }),
  );
  const running = clients.map((client, own) => chat(client, own, story, () => over));
  const all = (generation: number): Promise<unknown> =>
    until(
      `all clients hear from generation ${generation}, by the transport they end up with: ${JSON.stringify(story.errors)}`,
      () => [story.generations, clients.map((client) => client.io.engine.transport.name)] as const,
      ([generations, names]) =>
        generations.every((seen) => seen === generation) &&
        names.every((name) => name === (transports?.at(-1) ?? 'websocket')),
      60_000,
    );
  await all(1);
  await reloadTenTimes(master, all);
  over = true;
  await Promise.all(running);
  tell(
    `socket.io, ${name}`,
    `${story.acknowledged} messages acknowledged, lost: ${JSON.stringify(story.lost)}, ${story.reconnects} reconnects, errors: ${JSON.stringify(story.errors)}`,
  );
  expect((await master.run('stop')).code).toBe(0);
  return story;
}

test.each([
  ['as it stands: polling first, then WebSocket', undefined],
  ['WebSocket alone', ['websocket']],
])('socket.io, %s: ten reloads, every message acknowledged, no error seen', async (name, transports) => {
  const { lost, errors, reconnects } = await run(name, transports);
  expect({ lost, errors }).toEqual({ lost: {}, errors: {} });
  expect(reconnects).toBeGreaterThanOrEqual(CLIENTS * RELOADS);
});

test('socket.io, long-polling alone: ten reloads, every message acknowledged, and one error for each session that ends with its worker', async () => {
  const { lost, errors } = await run('long-polling alone', ['polling']);
  expect(lost).toEqual({});
  // The session's next request, which reads or which writes, reaches the new worker, which does not know it: the client begins a new session.
  const { 'xhr poll error': reading = 0, 'xhr post error': writing = 0, ...others } = errors;
  expect(others).toEqual({});
  expect(reading + writing).toBeLessThanOrEqual(CLIENTS * RELOADS);
});
