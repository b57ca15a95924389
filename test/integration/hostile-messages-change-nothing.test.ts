/**
 * Whatever is said to the control socket, to the live socket and to the HTTP port: nothing crashes, nothing changes, nothing is kept. So many messages at each
 * of them as ZDSUP_HOSTILE says (npm run test:hostile: 10,000 each); a failure names its seed.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { understood } from '../../src/master/web/orders.js';
import type { ControlAnswer } from '../../src/shared/control-protocol.js';
import { ORDERS } from '../../src/shared/dashboard-protocol.js';
import { freePorts } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const COUNT = Number(process.env.ZDSUP_HOSTILE ?? 50);
const SEED = Number(process.env.ZDSUP_SEED ?? Date.now() % 2 ** 31);
/** Beyond it something is kept of what was said, in bytes. */
const MOST_GROWTH = 48 * 1024 * 1024;
const TOKEN = 'a-token-for-hostile-tests';

const garbage = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const deep = fc.integer({ min: 1, max: 7_000 }).map((depth) => '['.repeat(depth));
const json = fc.anything({ maxDepth: 3 }).map((value) => JSON.stringify(value) ?? 'undefined');
const fields = {
  ...{ to: fc.anything(), weight: fc.anything(), release: fc.anything(), slot: fc.anything(), signal: fc.anything() },
  ...{ allowListeners: fc.anything(), ['__proto__']: fc.anything(), constructor: fc.anything() },
};

/** No command; or one that is known, with fields that make no sense of it. */
const controlMessage: fc.Arbitrary<string | Buffer> = fc.oneof(
  ...[garbage, deep, json],
  fc.record({ command: fc.anything(), ...fields }, { requiredKeys: [] }).map((value) => JSON.stringify(value)),
  fc
    .constantFrom('scale', 'canary', 'recycle')
    .map((command) => JSON.stringify({ command, to: {}, weight: '9', slot: -1 })),
  fc
    .record({ command: fc.constantFrom('status', 'reload', 'stop'), weight: fc.string() })
    .map((value) => JSON.stringify(value)),
  fc.constant('x'.repeat(70 * 1024)),
);

/** Nothing that is an order: of these the next room decides. */
const pageMessage: fc.Arbitrary<string | Buffer> = fc
  .oneof(
    ...[garbage, deep, json],
    fc
      .record({
        type: fc.constantFrom('order', 'log', 'hello', 'sample'),
        ...{ id: fc.anything(), follow: fc.anything() },
        request: fc.record({
          command: fc.oneof(fc.constantFrom(...ORDERS, 'stop', 'signal'), fc.anything()),
          ...fields,
        }),
      })
      .map((value) => JSON.stringify(value)),
    fc.constant('x'.repeat(17 * 1024)),
  )
  .filter((message) => Buffer.isBuffer(message) || understood(message).type !== 'order');

const token = fc.stringMatching(/^[!-~]{1,40}$/);
const httpMessage: fc.Arbitrary<string | Buffer> = fc.oneof(
  garbage,
  fc
    .record({
      method: fc.oneof(fc.constantFrom('GET', 'HEAD', 'POST', 'CONNECT', 'TRACE', 'PRI'), token),
      path: fc.oneof(
        fc.constantFrom(
          '/',
          '/metrics',
          '/status',
          '/live',
          '/livez',
          '//',
          '/../../etc/passwd',
          '*',
          'http://evil.example/',
        ),
        token,
        fc.integer({ min: 1, max: 40_000 }).map((length) => `/?token=${'x'.repeat(length)}`),
      ),
      host: fc.constantFrom('localhost', 'evil.example', '', '127.0.0.1\r\nHost: evil.example'),
      headers: fc.array(fc.tuple(token, token), { maxLength: 8 }),
      more: fc.constantFrom(
        ...['', 'Content-Length: 999999999\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: -1\r\n'],
        'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n',
        `Cookie: ${'a=b; '.repeat(500)}\r\n`,
        'Expect: 100-continue\r\nContent-Length: 5\r\n',
      ),
      body: fc.oneof(fc.constant(''), garbage.map(String)),
    })
    .map(
      ({ method, path, host, headers, more, body }) =>
        `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}${more}Connection: close\r\n\r\n${body}`,
    ),
);

const sampled = <T>(arbitrary: fc.Arbitrary<T>, numRuns: number): T[] => fc.sample(arbitrary, { numRuns, seed: SEED });

/** Says it, hears what comes until the other end hangs up. */
async function tell(to: { path: string } | { port: number; host: string }, message: string | Buffer): Promise<string> {
  const socket = connect(to);
  socket.on('error', () => {}); // A reset is an end as well.
  let heard = '';
  socket.setEncoding('latin1').on('data', (chunk) => (heard += chunk));
  const over = once(socket, 'close');
  socket.end(message);
  await over;
  return heard;
}

async function inTurn<T>(messages: T[], say: (message: T) => Promise<void>): Promise<void> {
  const rest = messages.values();
  const one = async (): Promise<void> => {
    for (const message of rest)
      await say(message).catch((error: Error) => {
        throw new Error(`seed ${SEED}, ${JSON.stringify(String(message).slice(0, 500))}: ${error.message}`);
      });
  };
  await Promise.all([one(), one(), one(), one()]);
}

const rssOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1_024;

async function stateOf(master: Master): Promise<object> {
  const { masterPid, generation, state, workers, rollout } = await master.status();
  return { masterPid, generation, state, rollout, workers: workers.map(({ pid, state }) => ({ pid, state })) };
}

test('whatever is said', { timeout: 60_000 + COUNT * 60 }, async () => {
  const [port, http] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'app.cjs': answering("'served'", port),
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'hostile', script: 'app.cjs', soak: 0, minReady: 0 },
      http: { port: http, token: TOKEN },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const web = { port: http, host: '127.0.0.1' };
  const rounds = {
    control: (count: number) =>
      inTurn(sampled(controlMessage, count), async (message) => {
        const heard = await tell({ path: join(master.world.home, 'run/hostile.sock') }, message);
        if (heard !== '') expect((JSON.parse(heard) as ControlAnswer & { ok: boolean }).ok).toBe(false);
      }),
    http: (count: number) =>
      inTurn(sampled(httpMessage, count), async (message) => {
        const heard = await tell(web, message);
        if (heard !== '')
          expect(heard).toMatch(/^HTTP\/1\.1 (100|200|303|400|401|403|404|405|408|413|417|426|431|503) /);
      }),
    live: async (count: number) => {
      let socket: WebSocket | null = null;
      let said = 0;
      for (const message of sampled(pageMessage, count)) {
        if (socket?.readyState !== WebSocket.OPEN || said >= 30) {
          socket?.terminate();
          said = 0;
          socket = new WebSocket(`ws://127.0.0.1:${http}/live`, { headers: { authorization: `Bearer ${TOKEN}` } });
          socket.on('error', () => {});
          onTestFinished(() => socket?.terminate());
          await once(socket, 'message'); // The greeting.
        }
        said += 1;
        socket.send(message, { binary: Buffer.isBuffer(message) });
      }
      if (socket?.readyState === WebSocket.OPEN) {
        socket.close();
        await once(socket, 'close');
      }
    },
  };
  const round = (count: number) => Promise.all(Object.values(rounds).map((say) => say(count)));
  await round(Math.min(COUNT, 500)); // What is loaded late is loaded.
  const before = { state: await stateOf(master), rss: rssOf(master.pid) };
  await round(COUNT);
  expect(await stateOf(master), `seed ${SEED}`).toEqual(before.state);
  expect(rssOf(master.pid) - before.rss, `seed ${SEED}`).toBeLessThan(MOST_GROWTH);
  expect(master.workerPids).toHaveLength(1);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('served');
  expect((await fetch(`http://127.0.0.1:${http}/readyz`)).status).toBe(200);
  const told = master.log.filter(({ level }) => level !== 'info').map(({ msg }) => msg);
  expect([...told, ...master.stderrLines], `seed ${SEED}`).toEqual([]);
  expect(JSON.stringify(master.log)).not.toContain(TOKEN);
});
