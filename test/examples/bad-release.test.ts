/** examples/bad-release: the commands of its README, one after the other, as they stand. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { commandsOf, copyExample } from '../helpers/examples.js';
import { freePort } from '../helpers/ports.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { BIN } from '../helpers/zdsup.js';

test('bad-release: the reload to a release that cannot start exits 1 and says why, and the old one serves on', async () => {
  const [world, port, project] = [makeDaemonWorld(), await freePort(), copyExample('bad-release')];
  mkdirSync(project.path('bin'));
  writeFileSync(project.path('bin/zdsup'), `#!/bin/sh\nexec '${process.execPath}' '${BIN}' "$@"\n`, { mode: 0o755 });
  const env = { ...world.env, PORT: String(port), PATH: `${project.path('bin')}:${world.env.PATH}` };
  const run = (command: string): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], {
      cwd: project.path('bad-release'),
      env: { ...env, PWD: project.path('bad-release') },
      encoding: 'utf8',
    });
    return { status, output: stdout + stderr };
  };
  onTestFinished(() => void run('zdsup stop'));
  const answer = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text();

  const [first, start, second, reload, status, stop, ...others] = commandsOf('bad-release');
  expect(others).toEqual([]);
  expect(run(first!).status).toBe(0);
  const started = run(start!);
  expect(started.status, started.output).toBe(0);
  expect(await answer()).toBe('release 1\n');
  expect(run(second!).status).toBe(0);
  const failed = run(reload!);
  expect(failed.status, failed.output).toBe(1);
  expect(failed.output).toContain('chekout');
  expect(failed.output).toContain('generation 1 goes on serving');
  expect(await answer()).toBe('release 1\n');
  const seen = run(status!);
  expect(seen.output).toMatch(/^bad-release-example {2}running {2}generation 1/);
  expect(run(stop!).status).toBe(0);
});
