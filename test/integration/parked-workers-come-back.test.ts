/** Promise 1, forwards and back: workers that are parked and take traffic again, over and over, lose nothing on any protocol. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest, pipelined } from '../helpers/load/exchanges.js';
import { startHttp2Load } from '../helpers/load/http2-client.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { datagrams, startStory } from '../helpers/load/long-lived.js';
import { freePorts, freeUdpPort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const KEYS = fileURLToPath(new URL('../fixtures/load-app', import.meta.url));
const ROUNDS = 3;

const APP = `
const read = (name) => require('node:fs').readFileSync(${JSON.stringify(KEYS)} + '/' + name);
const who = process.env.ZDSUP_GENERATION;
const answer = (request, response) => setTimeout(() => response.end('pid ' + who), 2);
const { PORT, TLS_PORT, H2_PORT, UDP_PORT, SOCKET } = process.env;
require('node:http').createServer(answer).listen(PORT);
require('node:http').createServer(answer).listen(SOCKET);
require('node:https').createServer({ key: read('key.pem'), cert: read('cert.pem') }, answer).listen(TLS_PORT);
require('node:http2').createServer(answer).listen(H2_PORT);
const datagrams = require('node:dgram').createSocket('udp4');
datagrams.on('message', (data, from) => {
  setTimeout(() => datagrams.send(who + ' ' + data, from.port, from.address), 20);
});
datagrams.bind(UDP_PORT);
`;

test.for([
  ['where workers accept', {}],
  ['where the master accepts', { sticky: 'ip' }],
  ['with one worker', { instances: 1 }],
  ['where nothing is handed over', { handover: 'off' }],
] as const)('%s', { timeout: 120_000 }, async ([, config]) => {
  const [port, tlsPort, h2Port] = (await freePorts(3)) as [number, number, number];
  const udpPort = await freeUdpPort();
  const project = makeProject({ 'app.js': APP });
  const path = project.path('app.sock');
  project.write({
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'shop', script: 'app.js', instances: 2, minReady: 50, soak: 0, keepWarm: '10m', drainTimeout: '5s' },
      env: { PORT: port, TLS_PORT: tlsPort, H2_PORT: h2Port, UDP_PORT: udpPort, SOCKET: path },
      ...config,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const kept = (await master.status()).workers.map(({ pid }) => pid).sort();
  const loads = [
    startLoad({ port }, 4, keepAlive()),
    startLoad({ port }, 2, perRequest()),
    startLoad({ port }, 2, pipelined(4)),
    startLoad({ path }, 2, keepAlive()),
    startLoad({ path }, 2, perRequest()),
    startLoad({ port: tlsPort, tls: true }, 2, keepAlive()),
    startHttp2Load({ port: h2Port, tls: false }, 2, 4),
  ];
  const story = startStory(datagrams(udpPort), 2);
  await Promise.all(loads.map((load) => load.reached(20)));

  for (let round = 0; round < ROUNDS; round++)
    for (const command of ['reload', 'rollback']) {
      const { code, stderr } = await master.run(command);
      expect(code, stderr).toBe(0);
      await Promise.all(loads.map((load) => load.reached(load.tally.answered + 20)));
    }

  const served = (await master.status()).workers.filter(({ state }) => state === 'active');
  expect(served.map(({ pid }) => pid).sort(), 'the same processes as before').toEqual(kept);
  for (const load of loads) await expectNothingLost(load);
  expect((await story.stop()).lost).toEqual({});
  expect(master.stdoutLines, 'no app has met an error').toEqual([]);
});
