/** A release that was left by a rollback does not come back with the next start, however good it once was. */
import { expect, test } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { startMaster } from '../helpers/zdsup.js';

test('a start after a rollback runs what was gone back to', { timeout: 90_000 }, async () => {
  const port = await freePort();
  const project = makeProject({
    'app.js': answering('"one"', port),
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', minReady: 50, soak: 0 }),
  });
  const answer = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    return response.text();
  };
  const master = await startMaster({ cwd: project.folder, args: [] });
  for (const version of ['one', 'two']) {
    project.write({ 'app.js': answering(JSON.stringify(version), port) });
    const deploy = await master.run('deploy', 'shop', '--message', `it is ${version}`);
    expect(deploy.code, deploy.stderr).toBe(0);
    expect(await answer()).toBe(version);
  }
  const rollback = await master.run('rollback');
  expect(rollback.code, rollback.stderr).toBe(0);
  expect(rollback.stdout).toMatch(
    /generation 4 serves release [0-9a-f]{8} \((.*; )?it is one\), the old workers have gone/,
  );
  expect(await answer()).toBe('one');
  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  await startMaster({ cwd: project.folder, args: ['shop'], world: master.world });
  expect(await answer()).toBe('one');
});
