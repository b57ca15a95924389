/**
 * The cases that other supervisors fail at, twenty of them. Here are those that no promise's own file has; the table says where
 * each one is, and the first test that it is there still.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { killOwn } from '../helpers/cleanup.js';
import type { Exchange } from '../helpers/load/client.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest, upload } from '../helpers/load/exchanges.js';
import type { Load } from '../helpers/load/load.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { answerers } from '../helpers/load/tally.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = fileURLToPath(new URL('../fixtures/load-app/app.cjs', import.meta.url));

/** Where each case is: a part of the test's title. */
const CASES: [what: string, file: string, title: string][] = [
  ['1: 3,000 POSTs of 16 KB, reloads in a loop', 'hard-cases-lose-nothing', '3,000 POSTs of 16 KB'],
  ['2: a reload every 100 ms, 200,000 requests', '../soak/reload-every-100-ms', '200,000 requests'],
  ['3: a slow response held across a reload', 'drain', 'a slow response held across a reload ends on the old worker'],
  ['4: two reloads quickly', 'hard-cases-lose-nothing', 'never more than two generations serve'],
  ['5: a syntax error, then HUP', 'hard-cases-lose-nothing', 'a syntax error, then HUP'],
  ['6: exit 0 before ready', 'bad-release-never-takes-the-good-one-down', "'exit 0 at start'"],
  ['6: exit 1 before ready', 'bad-release-never-takes-the-good-one-down', "'exit 1 at start'"],
  ['7: never ready', 'bad-release-never-takes-the-good-one-down', 'a server that is never ready'],
  ['8: a reload during a reload', 'commands-tell-the-truth', 'a second reload is refused with 4'],
  ['9: a stop during a reload', 'commands-tell-the-truth', 'a stop during a reload ends both generations'],
  ['10: pipelined keep-alive at a stop', 'drain', 'pipelined requests are all answered at a stop, and only the last'],
  [
    '11: a half-sent request head at retire',
    'drain',
    'a request head half sent and never finished is closed at the drain deadline',
  ],
  [
    '12: a WebSocket at retire',
    'long-lived-connections',
    'are closed one after the other over `closeSpread`, each with 1012',
  ],
  [
    '13: an HTTP/2 stream to a silent handler',
    'http2-drain',
    'at the drain deadline a stream to a silent handler is reset',
  ],
  ['14: requests longer than the deadline', 'drain', 'requests that outlast the drain deadline are ended there'],
  ['15: a worker that ignores signals', 'drain', 'a worker that ignores its end is killed after killTimeout'],
  ['16: a blocked event loop', 'liveness', 'the only worker blocks'],
  ['16: SIGSTOP on the master for 4 s', 'liveness', 'a master that was stopped for four seconds'],
  ['17: kill -9 of the only worker', 'socket-outlives-the-worker', 'kill -9 of the only worker refuses no connection'],
  ['18: a worker killed after promotion', 'hard-cases-lose-nothing', 'a worker killed after the promotion'],
  [
    '19: `current` moved, the old release deleted',
    'generation-is-pinned',
    'serves the new release even with the old one deleted',
  ],
  ['20: 1,000 reloads', '../soak/thousand-reloads', 'reloads under load`'],
];

test.each(CASES)('case %s is a test', (_what, file, title) => {
  const source = readFileSync(new URL(`${file}.test.ts`, import.meta.url), 'utf8');
  const own = file === 'hard-cases-lose-nothing' ? source.slice(source.indexOf('];')) : source;
  expect(own).toContain(title);
});

async function underLoad(
  exchanges: [clients: number, exchange: Exchange][],
  more: object = {},
): Promise<{ master: Master; loads: Load[]; socket: string }> {
  const port = await freePort();
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({
      name: 'hard',
      script: APP,
      instances: 2,
      minReady: 50,
      env: { PORT: port },
      ...more,
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const loads = exchanges.map(([clients, exchange]) => startLoad({ port }, clients, exchange));
  await Promise.all(loads.map((load) => load.reached(10)));
  return { master, loads, socket: `${master.world.home}/run/hard.sock` };
}

async function nothingIsLost(loads: Load[]): Promise<void> {
  for (const load of loads) await expectNothingLost(load, 10);
}

test('3,000 POSTs of 16 KB from 10 clients, reloads in a loop: all are answered with what they sent', {
  timeout: 120_000,
}, async () => {
  const { loads, socket } = await underLoad([[10, upload(16 * 1024)]]);
  const [load] = loads as [Load];
  let reloads = 0;
  do {
    const result = await ask(socket, { command: 'reload' });
    expect(result.ok, JSON.stringify(result)).toBe(true);
    reloads += 1;
  } while (load.tally.answered < 3_000 || reloads < 3);
  await nothingIsLost(loads);
  expect(load.tally.answeredBy.size, 'workers of several generations have answered').toBeGreaterThan(2 * reloads);
});

test('reloads that come quickly, by HUP and by command: never more than two generations serve, and none is lost', async () => {
  const load: [number, Exchange][] = [
    [5, keepAlive()],
    [5, perRequest()],
  ];
  const { master, loads, socket } = await underLoad(load, { minReady: '1s' }); // Time for all of them to come within one rollout.
  const outcomes: unknown[] = [];
  const reload = (): Promise<unknown> =>
    ask(socket, { command: 'reload' }).then((result) => outcomes.push(result.ok ? 0 : result.exitStatus));
  const asked = [reload()];
  await master.seen('it has begun', ({ kind, generation }) => kind === 'worker-started' && generation === 2);
  master.signal('SIGHUP');
  asked.push(reload());
  master.signal('SIGHUP');
  let most = 0;
  for (let isOver = false; !isOver; ) {
    const result = await ask(socket, { command: 'status' });
    if (!result.ok || result.command !== 'status') throw new Error(JSON.stringify(result));
    const { workers, rollout, generation } = result.app;
    most = Math.max(
      most,
      new Set(workers.filter(({ state }) => state === 'active').map((worker) => worker.generation)).size,
    );
    isOver =
      generation! >= 3 &&
      rollout?.outcome === 'succeeded' &&
      workers.every((worker) => worker.generation === generation);
  }
  await Promise.all(asked);
  expect(outcomes.sort(), 'one was carried out, the other refused').toEqual([0, 4]);
  expect(most).toBe(2);
  expect((await master.status()).generation, 'HUPs count as one').toBe(3);
  await nothingIsLost(loads);
});

async function startRelease(): Promise<{ master: Master; project: Project; port: number }> {
  const port = await freePort();
  const project = makeProject({
    'releases/1/app.js': answering("'release 1'", port),
    'releases/2/app.js': answering("'release 2'", port),
    'releases/bad/app.js': 'const server = ;',
    'zdsup.config.json': JSON.stringify({ name: 'hard', script: 'current/app.js', minReady: 50, backoff: 50 }),
  });
  project.link('current', 'releases/1');
  return { master: await startMaster({ cwd: project.folder, args: [] }), project, port };
}

describe('with releases', () => {
  test('a syntax error, then HUP: the error is in the log, the old release serves, and the next HUP brings in what was mended', async () => {
    const { master, project, port } = await startRelease();
    const { pid } = (await master.status()).workers[0]!;
    const load = startLoad({ port }, 5, keepAlive());
    project.link('current', 'releases/bad');
    master.signal('SIGHUP');
    const failed = await master.seen('it has failed', ({ kind }) => kind === 'failed');
    expect(failed).toMatchObject({
      level: 'error',
      msg: expect.stringContaining('exited with code 1 before it was ready'),
    });
    expect(master.stderrLines.join('\n')).toMatch(/releases\/bad\/app\.js:1[\s\S]*SyntaxError/);
    expect((await master.status()).workers).toMatchObject([{ pid, state: 'active', generation: 1 }]);
    await load.reached(load.tally.answered + 50);
    expect(answerers(load.tally)).toEqual(['release 1']);
    project.link('current', 'releases/2');
    master.signal('SIGHUP');
    await master.seen('the next one serves', ({ kind, generation }) => kind === 'serving' && generation !== 1);
    await until(
      'its clients are answered by the next one',
      () => answerers(load.tally),
      (who) => who.includes('release 2'),
    );
    await nothingIsLost([load]);
    expect(answerers(load.tally)).toEqual(['release 1', 'release 2']);
  });

  test('a worker killed after the promotion is started again on the new release, also where the link has moved on', async () => {
    const { master, project, port } = await startRelease();
    project.link('current', 'releases/2');
    expect((await master.run('reload')).code).toBe(0);
    project.link('current', 'releases/bad');
    const { pid } = (await master.status()).workers[0]!;
    killOwn(pid!);
    const app = await master.statusUntil(
      'its successor serves',
      ({ workers }) => workers[0]?.state === 'active' && workers[0].pid !== pid,
    );
    expect(app.workers).toMatchObject([{ slot: 0, generation: 2, restarts: 1 }]);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('release 2');
  });
});
