/** What the master's HTTP answers, to whom, and what it refuses. */
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AppSnapshot } from '../../../src/shared/snapshot.js';
import { temporaryFolder } from '../../helpers/cleanup.js';
import { ALICE, openFolder } from '../../helpers/other-user.js';
import { freePort } from '../../helpers/ports.js';
import { onTestFinished } from '../../helpers/side-by-side.js';
import { until } from '../../helpers/until.js';
import type { Got } from '../../helpers/web.js';
import { get, HTTP, runWeb, snapshotOf, Told } from '../../helpers/web.js';

const TOKEN = 'Zo7Q_a-secret.of~ours';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('without a token', () => {
  test('health and, on loopback, metrics are told; the status, the page and its files are not', async () => {
    const { get } = await runWeb();
    expect(await get('/livez')).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await get('/readyz')).toMatchObject({ status: 503, body: 'not ready: its first workers are starting\n' });
    const metrics = await get('/metrics');
    expect(metrics).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    });
    expect(metrics.body).toContain('zdsup_ready{app="shop"} 0\n');
    for (const path of ['/status', '/', '/app.js', '/live', '/nowhere', '/%2e%2e/etc/passwd'])
      expect((await get(path)).status, path).toBe(401);
  });

  test('metrics are told beyond loopback to nobody', async () => {
    const { get } = await runWeb({ host: '0.0.0.0', token: TOKEN });
    expect((await get('/metrics')).status).toBe(401);
    expect((await get('/metrics', bearer(TOKEN))).status).toBe(200);
    expect((await get('/livez')).status).toBe(200);
  });

  test('a person is told where it is', async () => {
    const { get, token } = await runWeb();
    const { headers, body } = await get('/');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(body).toContain('<code>zdsup dashboard shop</code>');
    expect(body).not.toContain(token);
  });
});

describe('the token', () => {
  test('opens the status', async () => {
    const { get, token } = await runWeb();
    const { status, body } = await get('/status', bearer(token));
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ apps: [{ name: 'shop' }] });
  });

  test('in the link is exchanged for a cookie, which opens the same, and leaves the address', async () => {
    const { get, web, port, token } = await runWeb();
    expect(web.link()).toEqual({
      ...{ url: `http://127.0.0.1:${port}/?token=${token}`, socket: null, path: `/?token=${token}` },
    });
    const login = await get(`/?token=${token}`);
    expect(login).toMatchObject({ status: 303, headers: { location: '/' } });
    const [cookie] = login.headers['set-cookie']!;
    expect(cookie).toMatch(new RegExp(`^zdsup_shop_${port}=[\\w-]+; Path=/; HttpOnly; SameSite=Strict$`));
    expect(JSON.stringify(login)).not.toContain(token);
    expect((await get('/status', { cookie: cookie!.split(';')[0]! })).status).toBe(200);
  });

  test.for(['', 'wrong', `${TOKEN}x`, TOKEN.slice(1), '%00', 'x'.repeat(8_000)])(
    'that is wrong opens nothing: %s',
    async (wrong) => {
      const { get } = await runWeb({ token: TOKEN });
      expect(await get(`/?token=${wrong}`)).toMatchObject({
        status: 401,
        body: expect.stringContaining('does not hold'),
      });
      expect((await get(`/?token=${wrong}`)).headers).not.toHaveProperty('set-cookie');
      expect((await get('/status', bearer(wrong))).status).toBe(401);
      expect((await get(`/status?token=${TOKEN}`)).status, 'a token in another address is none').toBe(401);
      expect((await get('/metrics')).body).toContain('zdsup_http_refused_total{app="shop",reason="token"} 4\n');
    },
  );

  test('is in nothing that is said for the log', async () => {
    const { said, web, token, port } = await runWeb();
    await web.reconfigure({ ...HTTP, port: await freePort() });
    await web.reconfigure({ ...HTTP, port });
    expect(said).toHaveLength(3);
    expect(said[0]).toBe(`metrics, health and the dashboard are at http://127.0.0.1:${port}`);
    expect(said.join()).not.toContain(token);
  });
});

describe('a request for another host (DNS rebinding) is refused', () => {
  test.for(['/', '/livez', '/readyz', '/metrics', '/status', '/app.js'])('%s', async (path) => {
    const { get, token, snapshots } = await runWeb();
    const asked = await get(path, { host: 'evil.example', ...bearer(token) });
    expect(asked).toMatchObject({ status: 403, body: expect.stringContaining('http.hosts') });
    expect(snapshots()).toBe(0);
  });

  test('and its login too', async () => {
    const { get, token } = await runWeb();
    const login = await get(`/?token=${token}`, { host: 'evil.example:9000' });
    expect(login.status).toBe(403);
    expect(login.headers).not.toHaveProperty('set-cookie');
  });

  test('unless the config has its name', async () => {
    const { get } = await runWeb({ hosts: ['dash.example.com'] });
    expect((await get('/metrics', { host: 'dash.example.com' })).status).toBe(200);
    expect((await get('/metrics', { host: 'evil.example' })).status).toBe(403);
  });
});

describe('a request from a page of another site is refused', () => {
  test.for(['https://evil.example', 'null', 'http://localhost:3000'])('%s', async (origin) => {
    const { get, token } = await runWeb();
    for (const path of ['/status', '/metrics', '/', `/?token=${token}`])
      expect((await get(path, { origin, ...bearer(token) })).status, path).toBe(403);
  });

  test('and one from its own page is not', async () => {
    const { get, token, port } = await runWeb();
    const own = { origin: `http://127.0.0.1:${port}`, ...bearer(token) };
    expect((await get('/status', own)).status).toBe(200);
  });
});

test('every answer has the headers that keep a browser from more: what is told, a login, and each refusal', async () => {
  const { get, token } = await runWeb();
  const own = bearer(token);
  const answers = [
    [200, await get('/livez')],
    [200, await get('/metrics')],
    [200, await get('/status', own)],
    [303, await get(`/?token=${token}`)],
    [401, await get('/')],
    [401, await get('/?token=wrong')],
    [401, await get('/status')],
    [403, await get('/', { host: 'evil.example' })],
    [403, await get('/status', { origin: 'https://evil.example', ...own })],
    [404, await get('/nowhere', own)],
    [405, await get('/status', own, 'POST')],
    [426, await get('/live', own)],
    [503, await get('/readyz')],
  ] as const;
  for (const [status, answer] of answers) {
    expect(answer.status).toBe(status);
    expect(answer.headers, String(status)).toMatchObject({
      'content-security-policy':
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
  }
});

test('only GET and HEAD are answered, and no body is waited for', async () => {
  const { get, token, port } = await runWeb();
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])
    expect((await get('/status', bearer(token), method)).status, method).toBe(405);
  expect(await get('/livez', {}, 'HEAD')).toMatchObject({ status: 200, body: '' });
  const socket = connect(port, '127.0.0.1');
  socket.write('POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\nx');
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 405 .*\r\nConnection: close\r\n/s);
  socket.resume();
  await once(socket, 'close');
});

test('a check of health as HTTP/1.0, which names no host, is answered; what needs the token is not', async () => {
  const { port, token } = await runWeb();
  const ask = async (path: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.0\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return answer.split('\r\n', 1)[0]!;
  };
  expect(await ask('/livez')).toBe('HTTP/1.1 200 OK');
  expect(await ask('/status')).toBe('HTTP/1.1 403 Forbidden');
});

describe('bounded are', () => {
  test('a head: 16 KB', async () => {
    const { get } = await runWeb();
    expect((await get('/livez', { long: 'x'.repeat(15 * 1024) })).status).toBe(200);
    expect((await get('/livez', { long: 'x'.repeat(16 * 1024) })).status).toBe(431);
  });

  test.concurrent('the time for a head: 5 s, and its connection is closed', { timeout: 20_000 }, async () => {
    const { port } = await runWeb();
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write('GET /livez HTTP/1.1\r\nHost: local');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 408 /);
    socket.resume();
    await once(socket, 'close');
  });

  test.concurrent('the time for which who asked for a live socket and was refused stays: 1 s, or less', async () => {
    const { port, get } = await runWeb();
    const refused = async (): Promise<Socket> => {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      onTestFinished(() => void socket.destroy());
      socket.on('error', () => {});
      socket.write('GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
      return socket.resume();
    };
    const [resets, stays] = await Promise.all([refused(), refused()]);
    resets.resetAndDestroy(); // Nobody is harmed.
    const gone = new Promise((closed) => stays.on('close', closed));
    const speaks = setInterval(() => stays.write('x'), 50); // By which it learns that nobody is there.
    onTestFinished(() => clearInterval(speaks));
    await gone;
    expect((await get('/livez')).status).toBe(200);
  });
});

describe('whoever holds all connections', () => {
  const MOST = 256;
  const HEAD = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n';

  /** Of these clients, those that were closed. */
  async function hold(
    port: number,
    count: number,
    first: (socket: Socket) => unknown,
  ): Promise<Set<Socket> & { first?: Socket }> {
    const closed: Set<Socket> & { first?: Socket } = new Set();
    for (let held = 0; held < count; held++) {
      const socket = connect(port, '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      closed.first ??= socket;
      socket.on('error', () => {}).on('close', () => closed.add(socket));
      await once(socket, 'connect');
      await first(socket);
    }
    return closed;
  }

  async function answered(socket: Socket): Promise<void> {
    socket.write(`${HEAD}\r\n`);
    await once(socket, 'data');
  }

  const ways: [what: string, first: (socket: Socket) => unknown][] = [
    ['has asked for nothing', () => {}],
    ['writes half a head', (socket) => socket.write(HEAD)],
    ['has had its answer and stays', answered],
  ];

  test.for(ways)('and %s, locks nobody out: the oldest makes room', async ([, first]) => {
    const { port, get } = await runWeb();
    const closed = await hold(port, MOST, first);
    for (let count = 0; count < 3; count++) expect((await get('/readyz')).status).toBe(503);
    await until('the oldest has made room', () => closed.size > 0);
    expect(closed.size, 'each that went made room for the next, too').toBe(1);
    expect((await get('/metrics')).body).toContain('zdsup_http_refused_total{app="shop",reason="full"} 1\n');
  });

  test('and waits for answers that take long, locks nobody out', async () => {
    let isSlow = false;
    const app = () => (isSlow ? new Promise<AppSnapshot>(() => {}) : snapshotOf());
    const { port, get, live } = await runWeb({}, { app });
    const page = new Told(live());
    await page.next('hello');
    isSlow = true;
    const closed = await hold(port, MOST - 1, (socket) =>
      socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    );
    page.say('nonsense');
    await page.next('refused'); // By now it has heard of what was asked before.
    const [one, other] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    onTestFinished(() => void [one, other].map((socket) => socket.destroy()));
    await Promise.all([once(one, 'connect'), once(other, 'connect')]);
    await until('two have made room', () => closed.size === 2);
    expect([...closed], 'the oldest').toContain(closed.first);
    for (const newcomer of [one, other]) await answered(newcomer);
    expect((await get('/livez')).status).toBe(200);
  });

  test('closes no page, and none that waits for its answer while others rest', async () => {
    let answer!: (app: AppSnapshot) => void;
    let isSlow = false;
    const slow = new Promise<AppSnapshot>((resolve) => {
      answer = resolve;
    });
    const app = () => (isSlow ? slow : snapshotOf());
    const { port, get, live } = await runWeb({}, { app });
    const page = new Told(live());
    await page.next('hello');
    isSlow = true;
    const scrape: Promise<Got> = get('/metrics');
    await hold(port, MOST + 50, answered);
    expect(page.socket.readyState).toBe(page.socket.OPEN);
    isSlow = false;
    answer(snapshotOf());
    expect((await scrape).status).toBe(200);
  });

  test('and has asked long ago goes before one that has asked just now', async () => {
    const { port, get } = await runWeb();
    const kept = connect(port, '127.0.0.1');
    onTestFinished(() => void kept.destroy());
    await answered(kept);
    await hold(port, MOST - 1, answered);
    await answered(kept);
    for (let count = 0; count < 3; count++) expect((await get('/livez')).status).toBe(200);
    await answered(kept);
  });
});

describe('a request with a whole URL for its target', () => {
  const ask = (port: number, target: string, more = '') =>
    written(port, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${more}\r\n`);

  test('is answered as one with its path', async () => {
    const { port, token } = await runWeb({ hosts: ['dash.example.com'] });
    const own = `Authorization: Bearer ${token}\r\n`;
    expect(await ask(port, `http://localhost:${port}/livez`)).toMatch(/^HTTP\/1.1 200 OK\r\n.*\r\n\r\nok\n$/s);
    expect(await ask(port, 'HTTP://127.0.0.1/metrics?x=/')).toMatch(/^HTTP\/1.1 200 /);
    expect(await ask(port, 'http://[::1]:9000/readyz')).toMatch(/^HTTP\/1.1 503 /);
    expect(await ask(port, 'http://dash.example.com/status', own)).toContain('"name":"shop"');
    expect(await ask(port, 'http://dash.example.com/status')).toMatch(/^HTTP\/1.1 401 /);
    for (const root of ['http://localhost', 'http://localhost/', `http://localhost?token=wrong`])
      expect(await ask(port, root)).toMatch(/^HTTP\/1.1 401 .*text\/html/s);
    expect(await ask(port, `http://localhost?token=${token}`)).toMatch(/^HTTP\/1.1 303 /);
  });

  test('is for the host of that URL, whatever the header says', async () => {
    const { port, token } = await runWeb();
    const own = `Authorization: Bearer ${token}\r\n`;
    for (const host of ['evil.example', 'evil.example:9000', 'localhost@evil.example', ''])
      for (const path of ['/livez', '/metrics', '/status', `/?token=${token}`])
        expect(await ask(port, `http://${host}${path}`, own), host + path).toMatch(/^HTTP\/1.1 403 /);
    const origin = (from: string) => ask(port, `http://localhost:${port}/status`, `${own}Origin: ${from}\r\n`);
    expect(await origin(`http://localhost:${port}`)).toMatch(/^HTTP\/1.1 200 /);
    expect(await origin('http://localhost')).toMatch(/^HTTP\/1.1 403 /);
    const page = `${own}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n`;
    const upgrade = (host: string) =>
      written(port, `GET http://${host}/live HTTP/1.1\r\nHost: localhost\r\n${page}\r\n`);
    expect(await upgrade('evil.example')).toMatch(/^HTTP\/1.1 403 /);
  });
});

test('scrapes that come at once are one look at the workers, and then one more', async () => {
  const slow = () => new Promise<AppSnapshot>((resolve) => setTimeout(() => resolve(snapshotOf()), 100));
  const { get, snapshots } = await runWeb({}, { app: slow });
  const all = await Promise.all(Array.from({ length: 30 }, () => get('/metrics')));
  expect(all.every(({ status }) => status === 200)).toBe(true);
  expect(snapshots()).toBeLessThan(6);
});

test('all who ask for metrics at once are given one text', async () => {
  let texts = 0;
  const app = () =>
    Object.defineProperty(snapshotOf(), 'log', {
      get() {
        texts += 1; // Each text says how many lines of it were dropped.
      },
    });
  const { get } = await runWeb({}, { app });
  const all = await Promise.all(Array.from({ length: 50 }, () => get('/metrics')));
  expect(new Set(all.map(({ body }) => body)).size).toBe(1);
  expect(texts, 'that of who came first, and that of all others; few more where some were late').toBeLessThan(6);
});

describe('the place', () => {
  test('that is taken is one clear error, and nothing is held on to', async () => {
    const { web, port, held, subscribers } = await runWeb({}, { open: false });
    const other = createServer().listen(port, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    await expect(web.configure({ ...HTTP, port })).rejects.toMatchObject({
      code: 'ZDSUP_HTTP_LISTEN',
      message: `the HTTP of the master cannot listen on http://127.0.0.1:${port}: another process listens there`,
      exitStatus: 1,
    });
    expect([web.link(), held(), subscribers()]).toEqual([null, 0, 0]);
  });

  test('is not kept open where its token cannot be', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const { web, port, get: ask } = await runWeb({}, { open: false, tokenPath: join(file, 'tokens', 'shop') });
    await expect(web.configure({ ...HTTP, port })).rejects.toMatchObject({ code: 'ZDSUP_STATE_UNWRITABLE' });
    await expect(ask('/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('that a reload wants and cannot have is a warning, and the old one goes on', async () => {
    const { web, get, said, port } = await runWeb();
    const taken = await freePort();
    const other = createServer().listen(taken, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    await web.reconfigure({ ...HTTP, port: taken });
    expect(said.at(-1)).toBe(
      `the HTTP of the master cannot listen on http://127.0.0.1:${taken}: another process listens there; it goes on at http://127.0.0.1:${port}`,
    );
    expect((await get('/livez')).status).toBe(200);
    // The same port at another address is in its own way.
    await web.reconfigure({ ...HTTP, port, host: '192.0.2.1', token: TOKEN });
    expect(said.at(-1)).toMatch(
      /cannot listen on http:\/\/192\.0\.2\.1:\d+: this host has no such address; it goes on/,
    );
    expect((await get('/livez')).status).toBe(200);
  });

  test('moves with a reload, to another address of its port too, and goes with one', async () => {
    const { web, get: here, port, held, subscribers } = await runWeb();
    const next = await freePort();
    const kept = connect(port, '127.0.0.1');
    onTestFinished(() => void kept.destroy());
    // With the next request on its way: one that is idle ends in any case.
    kept.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHost: local');
    await once(kept, 'data');
    const gone = new Promise((closed) => kept.on('error', () => {}).on('close', closed));
    await web.reconfigure({ ...HTTP, port: next });
    kept.write('host\r\n\r\n');
    let more = '';
    kept.on('data', (chunk) => {
      more += String(chunk);
    });
    await gone;
    expect(more, 'from the old place').toBe('');
    await expect(here('/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect((await get({ port: next }, '/livez')).status).toBe(200);
    await web.reconfigure({ ...HTTP, port: next, host: '0.0.0.0', token: TOKEN });
    expect((await get({ port: next }, '/metrics')).status).toBe(401);
    expect([held(), subscribers()]).toEqual([1, 1]);
    await web.reconfigure(null);
    await expect(get({ port: next }, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect([held(), subscribers(), port > 0]).toEqual([0, 0, true]);
  });

  test('may be a unix socket, which its owner alone can use and a killed master has left', async () => {
    const path = join(temporaryFolder(), 'web.sock');
    const { web } = await runWeb({ socket: path });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await get({ socketPath: path }, '/livez', { host: 'localhost' })).status).toBe(200);
    expect(web.link()).toMatchObject({ url: null, socket: path, path: expect.stringMatching(/^\/\?token=[\w-]{43}$/) });
    const second = await runWeb({}, { open: false });
    await expect(second.web.configure({ ...HTTP, socket: path })).rejects.toMatchObject({ code: 'ZDSUP_HTTP_LISTEN' });
    await web.close();
    expect(() => statSync(path)).toThrow('ENOENT');
    writeFileSync(path, 'a file of somebody');
    await expect(second.web.configure({ ...HTTP, socket: path })).rejects.toMatchObject({
      message: `the HTTP of the master cannot listen on ${path}: something else is there, and no socket`,
    });
  });

  test.skipIf(process.geteuid?.() !== 0)(
    'of root, where others could listen in its stead, is warned of once',
    async () => {
      const folder = openFolder();
      const path = join(folder, 'web.sock');
      const warnings = (said: string[]) => said.filter((line) => line.includes('http.socket'));
      const alone = await runWeb({ socket: path });
      expect(warnings(alone.said), 'in a folder of root alone').toEqual([]);
      await alone.web.close();
      chmodSync(folder, 0o1777);
      const { web, said } = await runWeb({ socket: path });
      const warning = `the folder ${folder} of http.socket is not root's alone: it can be written to by everybody (mode 1777); whoever listens there in the master's place is shown its token`;
      expect(warnings(said)).toEqual([warning]);
      await web.reconfigure({ ...HTTP, socket: path, readOnly: true });
      expect(warnings(said), 'at a reload').toEqual([warning]);
      mkdirSync(join(folder, 'theirs'));
      chownSync(join(folder, 'theirs'), ALICE, ALICE);
      await web.reconfigure({ ...HTTP, socket: join(folder, 'theirs', 'web.sock') });
      expect(warnings(said).at(-1)).toContain(`: it belongs to user ${ALICE}; `);
    },
  );

  test('that a reload wants and cannot have, and whose old one somebody has taken meanwhile, is there with the next one', async () => {
    const { web, get, port, held, subscribers } = await runWeb();
    const changed = web.reconfigure({ ...HTTP, port, host: '192.0.2.1', token: TOKEN });
    await null; // It has been closed, and is about to be opened elsewhere.
    const other = createServer().listen(port);
    await changed;
    expect([web.link(), held(), subscribers()]).toEqual([null, 0, 0]);
    await new Promise((closed) => other.close(closed));
    await web.reconfigure({ ...HTTP, port });
    expect((await get('/livez')).status).toBe(200);
    expect([held(), subscribers()]).toEqual([1, 1]);
  });
});

/** Writes it on one connection, without a look at what comes. Resolves with all that came, once it was closed. */
async function written(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  onTestFinished(() => void socket.destroy());
  let came = '';
  socket.on('data', (data) => (came += data)).on('error', () => {}); // It is reset where it was not read to its end.
  socket.write(text);
  await new Promise((closed) => socket.on('close', closed));
  return came;
}

describe('a client', () => {
  test('that writes on and on and waits for no answer has none made in store', async () => {
    const { port, get, snapshots } = await runWeb();
    expect(await written(port, 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(5_000))).toBe('');
    expect(snapshots()).toBeLessThanOrEqual(1);
    expect((await get('/metrics')).body).toContain('zdsup_http_refused_total{app="shop",reason="rate"} 1\n');
  });

  test('that asks again and again on one connection has its answers', async () => {
    const { port } = await runWeb();
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    onTestFinished(() => void socket.destroy());
    for (let count = 0; count < 20; count++) {
      socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
      expect((await once(socket, 'data'))[0]).toMatch(/^HTTP\/1.1 200 OK/);
    }
  });

  test("that would rather speak HTTP/2, as Java's and curl's, has its answer in HTTP/1.1", async () => {
    const { port, token } = await runWeb();
    const h2c = (path: string, more = '') =>
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n${more}\r\n`;
    expect(await written(port, h2c('/livez'))).toMatch(
      /^HTTP\/1.1 200 OK\r\n.*Connection: close\r\n(.*\r\n)?\r\nok\n$/s,
    );
    expect(await written(port, h2c('/status'))).toMatch(/^HTTP\/1.1 401 /);
    expect(await written(port, h2c('/status', `Authorization: Bearer ${token}\r\n`))).toContain('"name":"shop"');
  });
});
