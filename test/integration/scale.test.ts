/** `scale`: another number of workers, without losing a request; what a new worker gets wrong takes it back. */
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { expectNothingLost } from '../helpers/load/load.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import type { Master } from '../helpers/zdsup.js';
import { startMaster } from '../helpers/zdsup.js';

const DRAIN = { minReady: 50, drainTimeout: '10s' };

async function start(more: Record<string, unknown> = {}): Promise<{ master: Master; port: number; project: Project }> {
  const port = await freePort();
  const config = { name: 'crowd', script: 'app.js', instances: 2, ...DRAIN, ...more };
  const project = makeProject({
    'app.js': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify(config),
  });
  return { master: await startMaster({ cwd: project.folder, args: [] }), port, project };
}

const slots = async (master: Master): Promise<number[]> => (await master.status()).workers.map(({ slot }) => slot);

test('a scale up and down again under load loses no request, and returns when it is done', async () => {
  const { master, port } = await start();
  const loads = [startLoad({ port }, 10, perRequest()), startLoad({ port }, 10, keepAlive())];
  await Promise.all(loads.map((load) => load.reached(20)));
  for (const [to, count] of [
    ['4', 4],
    ['-3', 1],
    ['+1', 2],
  ] as const) {
    const { code, stdout, stderr } = await master.run('scale', to);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`crowd: ${count} worker`);
    expect(await slots(master)).toEqual(Array.from({ length: count }, (_, slot) => slot));
  }
  for (const load of loads) await expectNothingLost(load, 20);
});

test.concurrent('the number outlives a reload, until the one in the config is edited', async () => {
  const { master, project, port } = await start();
  await master.run('scale', 'crowd', '3');
  expect((await master.run('reload')).code).toBe(0);
  expect(await slots(master)).toEqual([0, 1, 2]);
  const edited = { name: 'crowd', script: 'app.js', instances: 1, ...DRAIN };
  writeFileSync(project.path('zdsup.config.json'), JSON.stringify(edited));
  expect((await master.run('reload')).code).toBe(0);
  expect(await slots(master)).toEqual([0]);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).not.toBe('');
});

test.concurrent('a worker that the scale adds and that fails takes the scale back: exit 1, the reason, the others serve on', async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': `if (process.env.ZDSUP_SLOT === '2') throw new Error('two are enough');\n${answering('process.pid', port)}`,
  });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'crowd', '-i', '2'] });
  const { code, stderr } = await master.run('scale', '3');
  expect(code).toBe(1);
  expect(stderr).toContain('worker 2 of generation 1 exited with code 1 before it was ready');
  expect(stderr).toContain('two are enough');
  expect(stderr).toContain('crowd has 2 workers as before');
  expect(await slots(master)).toEqual([0, 1]);
});

test.concurrent('a folder that was edited in place is not started beside what serves', async () => {
  const { master, project, port } = await start();
  writeFileSync(project.path('app.js'), answering('"edited"', port));
  const { code, stderr } = await master.run('scale', '3');
  expect(code).toBe(1);
  expect(stderr).toContain('ZDSUP_RELEASE_CHANGED');
  expect(stderr).toContain('zdsup reload crowd');
  expect((await master.run('scale', '1')).code).toBe(0);
});

describe('what makes no sense is refused with exit 2, and changes nothing', () => {
  test.concurrent.each([
    ['0', 'at least 1'],
    ['-2', 'at least 1'],
    ['10000', 'at most 1024'],
    ['x', 'x is no number of workers'],
    ['2.5', '2.5 is no number of workers'],
  ])('%s', async (to, words) => {
    const { master } = await start();
    const { code, stderr } = await master.run('scale', to);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(await slots(master)).toEqual([0, 1]);
  });
});
