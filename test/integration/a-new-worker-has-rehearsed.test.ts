/**
 * The first requests of a process are slow, for Node's own HTTP code is compiled by them. Before a worker takes traffic it has answered some
 * that are no client's, and that its app never sees.
 */
import { expect, test } from 'vitest';
import { answerOn, openConnection, request } from '../helpers/load/asking.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** Answers with what the process has heard of: its handlers, a tracing tool that watches all servers, and Node's own measures of HTTP requests. */
const LISTENER = `
const http = require('node:http');
const heard = { generation: Number(process.env.ZDSUP_GENERATION), connections: 0, requests: 0, traced: 0, rehearsed: 0 };
new (require('node:perf_hooks').PerformanceObserver)((list) => {
  for (const { name, detail } of list.getEntries())
    if (name === 'HttpRequest' && detail.req.headers['user-agent'] === 'zdsup-rehearsal') heard.rehearsed += 1;
}).observe({ entryTypes: ['http'] });
if (process.env.TRACING === 'channels')
  require('node:diagnostics_channel').subscribe('http.server.request.start', (message) => {
    if (message.server !== server) heard.traced += 1;
  });
if (process.env.TRACING === 'emit') {
  const { emit } = http.Server.prototype;
  http.Server.prototype.emit = function (...args) {
    if (this !== server) heard.traced += 1;
    return emit.apply(this, args);
  };
}
const server = http.createServer((request, response) => {
  heard.requests += 1;
  response.end(JSON.stringify(heard));
});
server.on('connection', () => { heard.connections += 1; });
server.listen(process.env.PORT);`;

interface Heard {
  generation: number;
  connections: number;
  requests: number;
  traced: number;
  rehearsed: number;
}

interface Scene {
  master: Master;
  /** Asks the second generation until it has heard what is expected; the answer to the last question. */
  heard(isRight: (heard: Heard) => boolean): Promise<Heard>;
}

/** After a reload, with all the time in the world between the end of the script and the traffic. */
async function reloaded(tracing: string): Promise<Scene> {
  const port = await freePort();
  const config = {
    name: 'stage',
    script: 'app.js',
    instances: 1,
    minReady: '1500ms',
    env: { PORT: port, TRACING: tracing },
  };
  const project = makeProject({ 'app.js': LISTENER, 'zdsup.config.json': JSON.stringify(config) });
  const master = await startMaster({ cwd: project.folder, args: [] });
  expect((await master.run('reload')).code).toBe(0);
  const connection = await openConnection(port);
  const ask = async (): Promise<Heard> => {
    connection.socket.write(request('/'));
    return JSON.parse((await answerOn(connection)).body) as Heard;
  };
  return { master, heard: (isRight) => until('it has heard of it', ask, isRight) };
}

test('six requests have been answered, of which the app has heard nothing and the figures count none', async () => {
  const { master, heard } = await reloaded('none');
  const all = await heard(({ rehearsed }) => rehearsed > 0);
  expect(all).toMatchObject({ generation: 2, connections: 1, rehearsed: 6 });
  await master.statusUntil('its own requests', ({ workers }) => workers[0]?.requests === all.requests);
});

test('a tracing tool that wraps what all servers share hears of none of them', async () => {
  const { heard } = await reloaded('emit');
  expect(await heard(({ rehearsed }) => rehearsed > 0)).toMatchObject({ generation: 2, traced: 0, rehearsed: 6 });
});

test('where a tracing tool listens to the channels of all servers there is no rehearsal', async () => {
  const { heard } = await reloaded('channels');
  // Node's measures are heard of in the order of their making: those of a rehearsal would come before the client's own.
  expect(await heard(({ requests }) => requests === 3)).toMatchObject({ generation: 2, traced: 0, rehearsed: 0 });
});
