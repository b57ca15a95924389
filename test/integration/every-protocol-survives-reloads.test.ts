/**
 * Promise 1 beyond requests: reloads under everything at once. What has no end of its own lives until the drain deadline, ends as its
 * protocol wishes, and its client comes back at once; zero means zero.
 */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Session } from '../helpers/load/long-lived.js';
import { datagrams, events, lines, startStory, webSocket } from '../helpers/load/long-lived.js';
import { freePorts, freeUdpPort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = fileURLToPath(new URL('../fixtures/every-protocol/app.cjs', import.meta.url));
/** Twenty in `npm run test:nodes`; the suite has its 20 minutes. */
const RELOADS = Number(process.env.RELOADS ?? 10);
const CLIENTS = 5;

test('reloads lose nothing: server-sent events, WebSockets, raw TCP, TLS, a unix socket, UDP', {
  timeout: 400_000,
}, async () => {
  const [port, tcpPort, tlsPort] = (await freePorts(3)) as [number, number, number];
  const udpPort = await freeUdpPort();
  const project = makeProject();
  const path = project.path('every.sock');
  project.write({
    'zdsup.config.json': JSON.stringify({
      name: 'every',
      script: APP,
      instances: 2,
      minReady: 50,
      drainTimeout: '1s',
      env: { PORT: port, TCP_PORT: tcpPort, TLS_PORT: tlsPort, UDP_PORT: udpPort, SOCKET: path },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const sessions: Record<string, Session> = {
    'server-sent events': events(port),
    WebSockets: webSocket(port),
    'raw TCP': lines(() => connect(tcpPort, '127.0.0.1')),
    TLS: lines(() => connectTls({ port: tlsPort, host: '127.0.0.1', rejectUnauthorized: false })),
    'a unix socket': lines(() => connect(path)),
    UDP: datagrams(udpPort),
  };
  const stories = Object.entries(sessions).map(([name, session]) => ({ name, ...startStory(session, CLIENTS) }));

  for (let reload = 1; reload <= RELOADS; reload++) {
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
    for (const { name, story } of stories)
      await until(
        `generation ${reload + 1} answers by ${name}: ${JSON.stringify(story.lost)}`,
        () => [...story.generations],
        (seen) => seen.includes(String(reload + 1)),
      );
  }

  const told = await Promise.all(stories.map(async ({ name, stop }) => ({ name, ...(await stop()) })));
  const lost = Object.fromEntries(told.map((story) => [story.name, story.lost]));
  expect(lost).toEqual(Object.fromEntries(told.map(({ name }) => [name, {}])));
  for (const { name, ends, generations } of told) {
    expect(generations.size, name).toBe(RELOADS + 1);
    if (name !== 'UDP') expect(ends, name).toBeGreaterThanOrEqual(RELOADS);
  }
  expect(master.stdoutLines, 'no app has met an error').toEqual([]);
  expect(master.stderrLines).toEqual([]);
  expect((await master.status()).listeners.map((listener) => listener.protocol).sort()).toEqual(
    ['http', 'tcp', 'tcp', 'tls', 'udp'].sort(),
  );
});
