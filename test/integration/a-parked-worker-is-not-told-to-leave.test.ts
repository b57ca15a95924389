/** `onDrain` of zdsup/worker where the old workers are kept for the way back: parking is no drain, for a parked worker may serve again. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

const WORKER = fileURLToPath(new URL('../../dist/app/worker.cjs', import.meta.url));

test('a worker that is parked, serves again and is stopped hears of one drain, the last', async () => {
  const port = await freePort();
  const project = makeProject({
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', minReady: 0, soak: 0, keepWarm: '10m' }),
    'app.js': `const { onDrain } = require(${JSON.stringify(WORKER)});
      onDrain(() => console.log('generation ' + process.env.ZDSUP_GENERATION + ' drains'));
      require('node:http').createServer((request, response) => response.end()).listen(${port});`,
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const first = (await master.status()).workers[0]!.pid;
  expect((await master.run('reload')).code).toBe(0);
  expect((await master.status()).parked).toMatchObject({ generation: 1 });
  expect((await master.run('rollback')).code).toBe(0);
  expect((await master.status()).workers.find(({ state }) => state === 'active')?.pid).toBe(first);
  expect(master.stdoutLines).not.toContain('generation 1 drains');
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  const drains = master.stdoutLines.filter((line) => line.endsWith('drains')).sort();
  expect(drains).toEqual(['generation 1 drains', 'generation 2 drains']);
});
