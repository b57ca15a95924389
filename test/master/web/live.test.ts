/** The live socket: who gets in, what a page is told, what it may order, and when it is dropped. */
import { once } from 'node:events';
import { appendFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { MAX_CLIENTS } from '../../../src/master/web/live.js';
import { MESSAGES_AT_ONCE, MOST_UNREAD_BYTES } from '../../../src/master/web/live-client.js';
import type { ControlResult, Progress } from '../../../src/shared/control-protocol.js';
import type { OrderName } from '../../../src/shared/dashboard-protocol.js';
import { MAX_MESSAGE_BYTES, MAX_ORDERS, ORDERS } from '../../../src/shared/dashboard-protocol.js';
import type { AppFigures } from '../../../src/shared/figures.js';
import type { AppSnapshot } from '../../../src/shared/snapshot.js';
import { temporaryFolder } from '../../helpers/cleanup.js';
import { onTestFinished } from '../../helpers/side-by-side.js';
import { until } from '../../helpers/until.js';
import { HTTP, refusedWith, runWeb, snapshotOf, Told } from '../../helpers/web.js';

const RESULT: ControlResult = { type: 'result', ok: true, exitStatus: 0, command: 'ping' };
const event = (message: string): Progress => ({ type: 'progress', kind: 'held', at: 'now', message, generation: 2 });

const rates = { requestsPerSecond: 5, errorRate: 0, p50Ms: 1, p99Ms: 2 };
const FIGURES = { at: '2026-11-26T12:00:09.000Z', rates, generations: [] } as unknown as AppFigures;

/** By this process. */
const isOpen = (file: string): boolean =>
  readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false; // That of the folder itself.
    }
  });

/** A page that speaks no WebSocket beyond its first words: it reads as it is told to here, and answers nothing. */
async function rawPage(port: number, token: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(
    `GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
  );
  await once(socket, 'readable'); // The greeting; from here on it reads nothing.
  return socket;
}

describe('who gets in', () => {
  test('is whoever has the token, or the cookie on the page of its own', async () => {
    const { live, get, token, port } = await runWeb();
    await new Told(live()).next('hello');
    const cookie = (await get(`/?token=${token}`)).headers['set-cookie']![0]!.split(';')[0]!;
    await new Told(live({ headers: { cookie, origin: `http://127.0.0.1:${port}` } })).next('hello');
  });

  test('is nobody without, with a wrong token, from another site, for another host, or elsewhere', async () => {
    const { live, get, token, port, snapshots } = await runWeb();
    const authorization = `Bearer ${token}`;
    const cookie = (await get(`/?token=${token}`)).headers['set-cookie']![0]!.split(';')[0]!;
    const own = `http://127.0.0.1:${port}`;
    const refused = async (headers: Record<string, string>, path?: string) =>
      refusedWith(live({ headers, ...(path ? { path } : {}) }));
    expect(await refused({})).toBe(401);
    expect(await refused({ authorization: `Bearer ${token}x` })).toBe(401);
    expect(await refused({ cookie: `${cookie}x`, origin: own })).toBe(401);
    expect(await refused({ cookie, origin: 'https://evil.example' })).toBe(403);
    expect(await refused({ cookie, origin: 'http://127.0.0.1:3000' })).toBe(403);
    expect(await refused({ cookie, origin: 'null' })).toBe(403);
    expect(await refused({ cookie }), 'a browser says where its page is from').toBe(403);
    expect(await refused({ authorization, origin: 'https://evil.example' })).toBe(403);
    expect(await refused({ authorization, host: 'evil.example' })).toBe(403);
    expect(await refused({ cookie, host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
    expect(await refused({ authorization }, '/status')).toBe(404);
    expect(await refused({}, `/live?token=${token}`)).toBe(401);
    expect(snapshots()).toBe(0);
  });

  test('are so many pages and no more; one that leaves makes room', async () => {
    const { live, get } = await runWeb();
    const pages = await Promise.all(
      Array.from({ length: MAX_CLIENTS }, async () => {
        const page = live();
        await new Told(page).next('hello');
        return page;
      }),
    );
    expect(await refusedWith(live())).toBe(503);
    expect((await get('/metrics')).body).toMatch(
      /dashboard_clients\{app="shop"\} 64\n[\s\S]*http_refused_total\{app="shop",reason="full"\} 1\n/,
    );
    pages[0]!.close();
    await once(pages[0]!, 'close');
    await until('room', async () => (await get('/metrics')).body.includes('dashboard_clients{app="shop"} 63\n'));
    await new Told(live()).next('hello');
  });
});

describe('a page is told', () => {
  test('what was before, then what comes, one text for all of them', async () => {
    const { live, feed } = await runWeb();
    feed({ type: 'event', event: event('before') });
    const pages = [new Told(live()), new Told(live())];
    for (const page of pages)
      expect(await page.next('hello')).toMatchObject({
        ...{ app: { name: 'shop' }, readOnly: false, history: [] },
        events: [{ message: 'before', kind: 'held', generation: 2 }],
      });
    feed({ type: 'sample', app: snapshotOf({ generation: 9 }) });
    feed({ type: 'event', event: event('after') });
    for (const page of pages) {
      expect(await page.next('sample')).toMatchObject({ app: { generation: 9 } });
      expect(await page.next('event')).toEqual({
        ...{ type: 'event', event: { at: 'now', kind: 'held', message: 'after', generation: 2 } },
      });
    }
  });

  test('the end of the log, where it wants that', async () => {
    const file = join(temporaryFolder(), 'shop.log');
    writeFileSync(file, 'first\nsecond\n');
    const log = { files: [file], droppedLines: 0, droppedBytes: 0, trouble: null, restarts: 0 };
    const { live } = await runWeb({}, { app: () => snapshotOf({ log }) });
    const page = new Told(live());
    await page.next('hello');
    page.say({ type: 'log', follow: true });
    expect(await page.next('log')).toEqual({ type: 'log', lines: ['first', 'second'] });
    const later = new Told(live());
    await later.next('hello');
    later.say({ type: 'log', follow: true });
    expect(await later.next('log')).toEqual({ type: 'log', lines: ['first', 'second'] });
    appendFileSync(file, 'third\n');
    for (const one of [page, later]) expect(await one.next('log')).toEqual({ type: 'log', lines: ['third'] });
    expect(isOpen(file)).toBe(true);
    page.socket.close();
    later.say({ type: 'log', follow: false });
    await until('nobody reads it any more', () => !isOpen(file));
    later.say({ type: 'log', follow: true });
    await later.next('log');
    later.socket.terminate();
    await until('nobody reads it after the last has left', () => !isOpen(file));
  });

  test('that the server restarts, where its token or what it may is another now', async () => {
    const { live, web, port } = await runWeb();
    const page = new Told(live());
    expect(await page.next('hello')).toMatchObject({ readOnly: false });
    await web.reconfigure({ ...HTTP, port });
    page.say('{');
    await page.next('refused'); // Nothing has changed: it is there.
    await web.reconfigure({ ...HTTP, port, readOnly: true });
    expect(await page.closedWith()).toBe(1012);
    const shown = new Told(live());
    expect(await shown.next('hello')).toMatchObject({ readOnly: true });
    await web.reconfigure({ ...HTTP, port, readOnly: true, token: 'another-token-of-ours' });
    expect(await shown.closedWith()).toBe(1012);
    expect(await refusedWith(live())).toBe(401);
  });

  test('nothing before its greeting, and then what comes: nothing lies between, and nothing is told twice', async () => {
    let ready = (_: AppSnapshot): void => {};
    const { live, feed, snapshots } = await runWeb(
      {},
      { app: () => new Promise<AppSnapshot>((resolve) => (ready = resolve)) },
    );
    feed({ type: 'sample', app: snapshotOf({ figures: FIGURES }) });
    const page = new Told(live());
    const first = once(page.socket, 'message');
    await until('it is looked at', () => snapshots() === 1);
    const later = new Date(Date.parse(FIGURES.at) + 1_000).toISOString();
    feed({ type: 'sample', app: snapshotOf({ figures: { ...FIGURES, at: later }, generation: 8 }) });
    feed({ type: 'event', event: event('meanwhile') });
    ready(snapshotOf());
    expect(JSON.parse(String((await first)[0]))).toMatchObject({
      ...{ type: 'hello', history: [{ rps: 5 }, { rps: 5 }], events: [{ message: 'meanwhile' }] },
    });
    feed({ type: 'sample', app: snapshotOf({ generation: 9 }) });
    feed({ type: 'event', event: event('after') });
    expect(await page.next('sample')).toMatchObject({ app: { generation: 9 } });
    expect(await page.next('event')).toMatchObject({ event: { message: 'after' } });
  });
});

describe('a page orders', () => {
  test('what is carried out, with its progress and its result', async () => {
    const { live, orders } = await runWeb();
    const page = new Told(live());
    await page.next('hello');
    page.say({ type: 'order', id: 3, request: { command: 'scale', to: '+1' } });
    await until('the order', () => orders.length === 1);
    expect(orders[0]!.request).toEqual({ command: 'scale', to: '+1' });
    orders[0]!.tell(event('one more'));
    expect(await page.next('progress')).toMatchObject({ id: 3, progress: { message: 'one more' } });
    orders[0]!.finish(RESULT);
    expect(await page.next('result')).toEqual({ type: 'result', id: 3, result: RESULT });
  });

  test('nothing where it is read-only, whatever the order', async () => {
    const { live, orders } = await runWeb({ readOnly: true });
    const page = new Told(live());
    expect(await page.next('hello')).toMatchObject({ readOnly: true });
    const values: Partial<Record<OrderName, object>> = { canary: { weight: 5 }, scale: { to: '2' } };
    for (const [id, command] of ORDERS.entries()) {
      page.say({ type: 'order', id, request: { command, ...values[command] } });
      expect(await page.next('refused')).toMatchObject({ id, reason: expect.stringContaining('read-only') });
    }
    expect(orders).toEqual([]);
  });

  test('nothing that is no order: it is told so, and stays', async () => {
    const { live, orders } = await runWeb();
    const page = new Told(live());
    await page.next('hello');
    page.say({ type: 'order', id: 3, request: { command: 'stop' } });
    expect(await page.next('refused')).toMatchObject({ id: 3, reason: expect.stringContaining('allowed are reload') });
    page.say('{');
    expect(await page.next('refused')).toMatchObject({ id: null, reason: 'not understood: it is not JSON' });
    expect(orders).toEqual([]);
  });

  test('so much at a time, and what has ended makes room', async () => {
    const { live, orders } = await runWeb();
    const page = new Told(live());
    await page.next('hello');
    for (let id = 0; id <= MAX_ORDERS; id++) page.say({ type: 'order', id, request: { command: 'pause' } });
    expect(await page.next('refused')).toMatchObject({ id: MAX_ORDERS });
    expect(orders).toHaveLength(MAX_ORDERS);
    orders[0]!.finish(RESULT);
    await page.next('result');
    page.say({ type: 'order', id: 99, request: { command: 'pause' } });
    await until('the order', () => orders.length === MAX_ORDERS + 1);
  });
});

describe('a page is dropped', () => {
  test('where its message is too long', async () => {
    const { live } = await runWeb();
    const page = new Told(live());
    await page.next('hello');
    page.say('x'.repeat(MAX_MESSAGE_BYTES));
    await page.next('refused');
    page.say('x'.repeat(MAX_MESSAGE_BYTES + 1));
    expect(await page.closedWith()).toBe(1009);
  });

  test('where it says too much in a second, by messages or pings', async () => {
    const { live, get } = await runWeb();
    const [page, pinging] = [new Told(live()), new Told(live())];
    await page.next('hello');
    await pinging.next('hello');
    for (let count = 0; count < MESSAGES_AT_ONCE + 10; count++) {
      page.say({ type: 'log', follow: false });
      pinging.socket.ping();
    }
    expect(await page.closedWith()).toBe(1008);
    expect(await pinging.closedWith()).toBe(1008);
    expect((await get('/metrics')).body).toContain('http_refused_total{app="shop",reason="rate"} 2\n');
  });

  test('where it speaks in bytes', async () => {
    const { live } = await runWeb();
    const page = new Told(live());
    await page.next('hello');
    page.socket.send(Buffer.from('{"type":"log","follow":true}'), { binary: true });
    expect(await page.closedWith()).toBe(1003);
  });

  test('where it does not read: no more than a megabyte is kept for it, and the others go on', async () => {
    const { live, feed, get, port, token } = await runWeb();
    const reader = new Told(live());
    await reader.next('hello');
    const slow = await rawPage(port, token);
    const gone = async (): Promise<boolean> =>
      (await get('/metrics')).body.includes('http_refused_total{app="shop",reason="slow"} 1\n');
    const before = process.memoryUsage().rss;
    const large = snapshotOf({ version: 'x'.repeat(MOST_UNREAD_BYTES / 4) });
    for (let count = 0; count < 400 && !(await gone()); count++) {
      feed({ type: 'sample', app: large });
      await reader.next('sample');
    }
    expect(await gone()).toBe(true);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    feed({ type: 'sample', app: snapshotOf({ generation: 77 }) });
    expect(await reader.next('sample')).toMatchObject({ app: { generation: 77 } });
    slow.resume();
    await once(slow, 'close');
  });

  test('where it has not answered a ping by the next one, and no other is', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { live, port, token } = await runWeb();
    const page = new Told(live());
    const headers = { authorization: `Bearer ${token}` };
    const gone = new Told(new WebSocket(`ws://127.0.0.1:${port}/live`, { headers, autoPong: false }));
    onTestFinished(() => gone.socket.terminate());
    for (const one of [page, gone]) await one.next('hello');
    for (let count = 0; count < 2; count++) {
      const pinged = [page, gone].map(({ socket }) => once(socket, 'ping'));
      if (count === 1) pinged.pop();
      vi.advanceTimersByTime(20_000);
      await Promise.all(pinged);
      page.say('{');
      await page.next('refused'); // Its pong, which went before, has come.
    }
    expect(await gone.closedWith()).toBe(1006);
    page.say('{');
    await page.next('refused');
  });

  test('where it does not go when it is told to: a second later', { timeout: 10_000 }, async () => {
    const { web, port, token } = await runWeb();
    const deaf = await rawPage(port, token);
    await web.reconfigure({ ...HTTP, port, readOnly: true });
    deaf.resume();
    await once(deaf, 'close');
  });
});
