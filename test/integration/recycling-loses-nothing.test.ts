/**
 * Workers that grow are replaced before they are too large, and no client feels it: 0 requests lost, 0 keep-alive connections closed. One worker by
 * hand; and nobody by itself while the folder was edited in place. SECONDS_OF_LOAD=60 for the long run.
 */
import { expect, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const SECONDS = Number(process.env.SECONDS_OF_LOAD ?? 10);
const MB = 2 ** 20;
const LIMIT_MB = 100;
/** Of each worker, a second. */
const LEAK_MB = 8;

/** Under requests it grows by LEAK_MB a second, however many they are. */
const LEAKING = `const kept = [];
let leakedAt = performance.now();
require('node:http').createServer((request, response) => {
  const now = performance.now();
  const bytes = Math.round((now - leakedAt) * Number(process.env.LEAK_MB) * 1048.576);
  if (bytes > 65536) {
    kept.push(Buffer.alloc(bytes, 1));
    leakedAt = now;
  }
  response.end(process.pid + '');
}).listen(process.env.PORT);
`;

async function start(more: Record<string, unknown>, leakMb = 0): Promise<{ master: Master; port: number }> {
  const port = await freePort();
  const project = makeProject({
    'app.js': LEAKING,
    'zdsup.config.json': JSON.stringify({
      ...{ name: 'leaky', script: 'app.js', instances: 2, minReady: 100, killTimeout: '1s' },
      env: { PORT: port, LEAK_MB: leakMb },
      ...more,
    }),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port };
}

const of = (master: Master, kind: string): string[] =>
  master.log.flatMap((line) => (line.kind === kind ? [line.msg] : []));

test(`an app that leaks is kept small for ${SECONDS} s of load: nothing is lost, and no connection is closed`, {
  timeout: SECONDS * 1_000 + 60_000,
}, async () => {
  const { master, port } = await start({ maxMemory: `${LIMIT_MB}mb` }, LEAK_MB);
  const keptAlive = startLoad({ port }, 10, keepAlive());
  const fresh = startLoad({ port }, 10, perRequest());
  const rss: number[] = [];
  let mostAtOnce = 0;
  for (const until = Date.now() + SECONDS * 1_000; Date.now() < until; ) {
    const { workers } = await master.status();
    rss.push(...workers.map(({ rssBytes }) => (rssBytes ?? 0) / MB));
    mostAtOnce = Math.max(mostAtOnce, workers.filter(({ recycling }) => recycling).length);
    await new Promise((over) => setTimeout(over, 200)); // How often it is looked at, no event is waited for.
  }
  const tally = await expectNothingLost(keptAlive, 10);
  const others = await expectNothingLost(fresh, 10);
  const { workers } = await master.status();
  const recycled = of(master, 'recycled').length;
  console.log(
    `${SECONDS} s: ${tally.answered} + ${others.answered} requests answered, 0 lost, ${tally.closed} connections closed by the server; ` +
      `${recycled} workers recycled, at most ${mostAtOnce} at once; a worker had ${Math.max(...rss).toFixed(0)} MB at most ` +
      `(limit ${LIMIT_MB} MB, leak ${LEAK_MB} MB/s); longest wait ${Math.max(tally.longestMs, others.longestMs).toFixed(0)} ms`,
  );
  expect(tally.closed, 'idle connections change worker').toBe(0);
  expect(recycled).toBeGreaterThanOrEqual(Math.floor(SECONDS / 6));
  expect(mostAtOnce).toBe(1);
  // Its limit, and what it grows by until the next look, its turn, its successor's boot and its drain, on a busy host too.
  expect(Math.max(...rss)).toBeLessThan(LIMIT_MB + LEAK_MB * 10);
  expect(workers.map(({ restarts }) => restarts).filter((count) => count > 0)).toEqual([]);
  // The last one may still be on its way, and each of the three is looked at in its own instant.
  await until(
    'log, status and journal tell of as many',
    async () => {
      const inLog = of(master, 'recycled').length;
      const { workers } = await master.status();
      const bySlot = new Map(workers.map((worker) => [worker.slot, worker.recycled ?? 0])); // One that drains says the same.
      const { stdout } = await master.run('logs', '--events', '--lines', '1000');
      const inJournal = stdout.match(/was recycled \(memory\)/g)?.length ?? 0;
      return [inLog, [...bySlot.values()].reduce((sum, count) => sum + count, 0), inJournal];
    },
    ([inLog, inStatus, inJournal]) => inLog === inStatus && inStatus === inJournal,
  );
});

test('one worker is replaced by hand from the pinned release, which is refused where it makes no sense; an edited folder pauses all', async () => {
  const { master, port } = await start({ maxRequests: 20, drainTimeout: '500ms' });
  const before = (await master.status()).workers.map(({ pid }) => pid);
  const done = await master.run('reload', '--worker', '1', '--json');
  const result = JSON.parse(done.stdout) as { command: string; slot: number; pid: number };
  expect(result, done.stderr).toMatchObject({ command: 'recycle', slot: 1, exitStatus: 0 });
  const after = await master.statusUntil('the old one has gone', ({ workers }) => workers.length === 2);
  expect(after.workers.map(({ pid }) => pid)).toEqual([before[0], result.pid]);
  expect(after.workers).toMatchObject([{ restarts: 0 }, { restarts: 0, recycled: 1 }]);
  expect(after.generation).toBe(1);

  const refused = async (...args: string[]) => {
    const { code, stderr } = await master.run('reload', ...args);
    return { code, stderr };
  };
  expect(await refused('--worker', '2')).toEqual({
    code: 2,
    stderr: expect.stringContaining('leaky has no worker 2: it has workers 0 to 1'),
  });
  expect(await refused('--worker', '0', '--weight', '5', '--no-canary')).toEqual({
    code: 2,
    stderr: expect.stringContaining('--weight and --no-canary has no meaning for it'),
  });
  await master.run('reload', '--weight', '5');
  expect(await refused('--worker', '0')).toEqual({
    code: 4,
    stderr: expect.stringContaining('another rollout of leaky is under way'),
  });
  await master.run('abort');

  // By requests: the one that has answered enough, and nobody while the folder is another.
  const ask = async (): Promise<void> => void (await (await fetch(`http://127.0.0.1:${port}`)).text());
  for (let count = 0; count < 100; count++) await ask();
  await master.seen('it is recycled', ({ kind, msg }) => kind === 'recycled' && msg.includes('(requests)'));
  await master.statusUntil('it is quiet', ({ recycling, workers }) => recycling?.slot === null && workers.length === 2);
  const { writeFileSync } = await import('node:fs');
  writeFileSync(`${master.cwd}/more.js`, '// another release');
  for (let count = 0; count < 100; count++) await ask();
  await master.seen('it is paused', ({ kind }) => kind === 'recycling-paused');
  expect((await master.status()).recycling).toMatchObject({ paused: 'release-modified', slot: null });
  expect((await master.run('status')).stdout).toMatch(
    /^recycling {2}due: worker [01, ]+; paused, for the release is modified$/m,
  );
  expect(await refused('--worker', '0')).toEqual({
    code: 1,
    stderr: expect.stringContaining('was edited in place: a new worker would run other code'),
  });
});
