/**
 * Promise 5, its second half: a connection that has changed worker is what it would be had it stayed. Its time-outs are those of a connection
 * between two requests, whatever its next request looks like, and no limit of the receiver's drops it.
 */
import { expect, test } from 'vitest';
import type { Answer } from '../helpers/load/asking.js';
import { answerOn, ask, openConnection, openConnections } from '../helpers/load/asking.js';
import type { Connection } from '../helpers/load/client.js';
import { startNumbered } from '../helpers/numbered.js';

/** So long a client keeps still, well over a keep-alive time-out of 1 s and the second that newer Nodes add to it, in ms. */
const STILL_MS = 2_600;

const still = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, STILL_MS));

const EVENTS = `
  for (const event of ['upgrade', 'connect'])
    server.on(event, (request, socket) => {
      socket.on('timeout', () => socket.destroy());
      socket.on('data', (chunk) => socket.write(chunk));
      socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n');
    });`;

const UPGRADE = 'GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';
const CONNECT = 'CONNECT other:1 HTTP/1.1\r\nHost: other:1\r\n\r\n';
/** An answer, as far as the client's own reader can tell. */
const ECHO = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\necho';

test.each([
  { next: 'half a head', first: 'GET /by-hand/0 HTTP/1.1\r\nHo', rest: 'st: app\r\n\r\n' },
  { next: 'an upgrade', first: UPGRADE, rest: ECHO },
  { next: 'a CONNECT', first: CONNECT, rest: ECHO },
])(
  'where $next comes first on a connection that has moved, the keep-alive time-out is over with it',
  async ({ first, rest }) => {
    const { master, port } = await startNumbered({
      config: { instances: 1 },
      app: `
      // Where the connection comes from, it may rest until the reload has got to it.
      const keepAliveTimeout = process.env.ZDSUP_GENERATION === '1' ? 60_000 : 1_000;
      const server = require('node:http').createServer({ keepAliveTimeout }, handle);${EVENTS}
      server.on('connection', () => console.log('connection of ' + process.env.ZDSUP_GENERATION)).listen(process.env.PORT);`,
    });
    const used = await openConnection(port);
    await ask(used);
    const reloading = master.run('reload');
    await master.printed('connection of 2');
    used.socket.write(first);
    if (rest === ECHO) await answerOn(used);
    await still();
    used.socket.write(rest);
    expect(await used.response()).toMatchObject({ status: 200 });
    used.end();
    expect((await reloading).code).toBe(0);
  },
);

test('a connection that has moved may rest longer than a whole request may take, and is answered then', async () => {
  const { master, port } = await startNumbered({
    config: { instances: 1 },
    app: `
      const limits = { keepAliveTimeout: 60_000, headersTimeout: 0, requestTimeout: 300, connectionsCheckingInterval: 50 };
      require('node:http').createServer(limits, handle).listen(process.env.PORT);`,
  });
  const used = await openConnection(port);
  await ask(used);
  expect((await master.run('reload')).code).toBe(0);
  // Half a head that came later is too late by now.
  const half = await openConnection(port);
  half.socket.write('GET / HT');
  await half.ended();
  expect(await ask(used)).toMatchObject({ generation: 2, closes: false });
});

test('a worker that has room for some (maxConnections) takes these, and the others are answered where they were', async () => {
  const { master, port } = await startNumbered({
    app: `
      const server = require('node:http').createServer({ keepAliveTimeout: 60_000 }, handle);
      server.maxConnections = 12;
      server.on('drop', () => console.error('dropped')).listen(process.env.PORT);`,
  });
  const open = async (count: number, most: number): Promise<Connection[]> => {
    const opened = await openConnections(port, count);
    await Promise.all(opened.map((connection) => ask(connection)));
    await master.statusUntil('they are spread', ({ workers }) => workers.every(({ connections: its }) => its! <= most));
    return opened;
  };
  // In two goes: the kernel may give one worker all that come at once.
  const connections = [...(await open(10, 6)), ...(await open(6, 9))];
  const leaving = (await master.status()).workers.at(-1)!.pid;
  const scaling = master.run('scale', '1');
  await master.statusUntil('one worker is full', ({ workers }) => workers.some(({ connections: its }) => its === 12));
  // One that is asked before the full worker has declined it may still move, and is not told to close: then its next answer is.
  const settled = async (connection: Connection): Promise<Answer> => {
    const answer = await ask(connection);
    return answer.closes || answer.pid !== leaving ? answer : settled(connection);
  };
  const answers = await Promise.all(connections.map(settled));
  expect(answers.filter(({ closes }) => closes)).toHaveLength(4);
  expect((await scaling).code).toBe(0);
  expect(master.stderrLines).toEqual([]);
});
