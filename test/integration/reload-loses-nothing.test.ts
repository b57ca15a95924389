/** Promise 1: a reload loses no request. Reloads under each kind of load; zero means zero. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Exchange, Target } from '../helpers/load/client.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest, pipelined, streamed, trickledUpload } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePorts } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const APP = fileURLToPath(new URL('../fixtures/load-app/app.cjs', import.meta.url));
/** Twenty in `npm run test:nodes`; the suite has its 20 minutes. */
const RELOADS = Number(process.env.RELOADS ?? 10);

type Kind = [name: string, clients: number, exchange: Exchange, tls: boolean];

/** They compute: one after the other. */
const BUSY: Kind[] = [
  ['keep-alive', 20, keepAlive(), false],
  ['a connection for each request', 20, perRequest(), false],
  ['4-deep pipelining', 20, pipelined(4), false],
  ['16 KB uploads that trickle in, 1 KB every 2 ms', 20, trickledUpload(16, 1024, 2), false],
  ['HTTPS keep-alive', 20, keepAlive(), true],
];

/** It waits, for seconds in each reload: beside them. */
const WAITING: Kind[] = [['responses that stream for 1 s', 20, streamed(), false]];

const TITLE = 'reloads lose nothing under load: %s';

describe.concurrent('in turn', () => {
  test.sequential.each(BUSY)(TITLE, { timeout: 180_000 }, reloadTwentyTimes);
});

test.concurrent.each(WAITING)(TITLE, { timeout: 300_000 }, reloadTwentyTimes);

async function reloadTwentyTimes(_name: string, clients: number, exchange: Exchange, tls: boolean): Promise<void> {
  const [port, tlsPort] = (await freePorts(2)) as [number, number];
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({
      name: 'load',
      script: APP,
      instances: 2,
      minReady: 50,
      env: { PORT: port, TLS_PORT: tlsPort },
    }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const target: Target = tls ? { port: tlsPort, tls: true } : { port };
  const load = startLoad(target, clients, exchange);
  await load.reached(clients);

  for (let reload = 1; reload <= RELOADS; reload++) {
    const { code, stderr } = await master.run('reload');
    expect(code, stderr).toBe(0);
  }
  const tally = await expectNothingLost(load, clients);
  expect(tally.answeredBy.size, 'workers of many generations have answered').toBeGreaterThan(RELOADS);
  expect((await master.status()).generation).toBe(RELOADS + 1);
}
