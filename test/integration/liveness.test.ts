/** A blocked event loop is found and its worker replaced, the replacement first; a master that was stopped blames nobody. */
import { expect, test } from 'vitest';
import { killOwn } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

/** `/block` blocks the event loop until the process is killed. */
const BLOCKS = `require('node:http').createServer((request, response) => {
  if (request.url === '/block') for (;;);
  response.end(process.pid + '');
}).listen(process.env.PORT);`;

async function start(more: Record<string, unknown> = {}): Promise<{ master: Master; url: string }> {
  const port = await freePort();
  const config = {
    name: 'busy',
    script: 'app.js',
    minReady: 50,
    livenessTimeout: '1s',
    drainTimeout: '500ms',
    killTimeout: '500ms',
    env: { PORT: port },
    ...more,
  };
  const project = makeProject({ 'app.js': BLOCKS, 'zdsup.config.json': JSON.stringify(config) });
  return { master: await startMaster({ cwd: project.folder, args: [] }), url: `http://127.0.0.1:${port}` };
}

const kinds = (master: Master): string[] => master.log.flatMap(({ kind }) => (kind ? [kind] : []));

test('the only worker blocks: its replacement serves before it is retired, and requests wait', async () => {
  const { master, url } = await start();
  const blocked = (await master.status()).workers[0]!.pid;
  const lost = fetch(`${url}/block`).then(
    () => 'answered',
    () => 'lost',
  );
  await master.seen('it is found', ({ kind }) => kind === 'unresponsive');
  expect(await (await fetch(url)).text()).not.toBe(String(blocked));
  await master.seen('the blocked one is killed', ({ kind, pid }) => kind === 'worker-ended' && pid === blocked);
  expect(await lost).toBe('lost');
  const order = kinds(master).slice(kinds(master).indexOf('unresponsive'));
  expect(order.indexOf('worker-active')).toBeLessThan(order.indexOf('worker-retired'));
  expect((await master.status()).workers).toMatchObject([{ slot: 0, state: 'active', restarts: 1 }]);
});

test.concurrent('a master that was stopped for four seconds holds it against no worker', async () => {
  const { master, url } = await start({ instances: 2 });
  const before = (await master.status()).workers.map(({ pid }) => pid);
  master.signal('SIGSTOP');
  // The pause itself is what is tested: no event tells when four seconds are over.
  await new Promise((over) => setTimeout(over, 4_000));
  master.signal('SIGCONT');
  await fetch(url);
  // Were they blamed, it would be at one of the next questions.
  await master.statusUntil('the master is back', ({ state }) => state === 'running');
  await master.run('scale', '3');
  expect(kinds(master)).not.toContain('unresponsive');
  expect((await master.status()).workers.map(({ pid }) => pid)).toEqual(expect.arrayContaining(before));
});

test.concurrent('under the inspector nobody is asked: a breakpoint is no failure', async () => {
  const port = await freePort();
  const { master } = await start({ nodeArgs: ['--inspect=0'], private: [port] });
  const { pid } = (await master.status()).workers[0]!;
  killOwn(pid!, 'SIGSTOP');
  await new Promise((over) => setTimeout(over, 2_500)); // As above.
  killOwn(pid!, 'SIGCONT');
  expect((await master.status()).workers[0]!.pid).toBe(pid);
  expect(kinds(master)).not.toContain('unresponsive');
});
