/** After the host, or a master, has died: `zdsup resurrect` brings back what ran, and nothing else. */
import { renameSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { AppRecord } from '../../src/shared/app-record.js';
import { killOwn } from '../helpers/cleanup.js';
import { goneFrom, makeDaemonWorld, recordOf, recordPath } from '../helpers/daemons.js';
import { freePorts } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { zdsup } from '../helpers/zdsup.js';

test('what ran when its master was killed is started again, each by itself; the rest is left and told', async () => {
  const world = makeDaemonWorld();
  const ports = await freePorts(4);
  const project = makeProject({ 'app.js': answering('"here"', 'process.env.PORT') });
  const apps = ['gone', 'killed', 'up', 'late'].map((name, index) => {
    project.write({ [`${name}.js`]: 'require("./app.js")' });
    return { name, script: `${name}.js`, minReady: 0, env: { PORT: ports[index] } };
  });
  project.write({ 'zdsup.config.json': JSON.stringify({ apps }) });
  const run = (...args: string[]) => zdsup(world, args, { cwd: project.folder });
  project.write({
    'late.js': 'if (!require("node:fs").existsSync("database")) throw new Error("no database"); require("./app.js")',
  });
  const started = await run('start', '--daemon');
  expect(started.code, started.stderr).toBe(1);

  for (const name of ['gone', 'killed']) {
    const { masterPid } = recordOf(world, name);
    killOwn(masterPid);
    await goneFrom(masterPid);
  }
  renameSync(project.path('gone.js'), project.path('away.js'));
  // As masters leave them: one was stopped, one ran in a terminal that was killed.
  const at = new Date().toISOString();
  const more: [string, Partial<AppRecord>][] = [
    ['stopped', { ended: { at, how: 'stopped', reason: null } }],
    ['terminal', { daemon: false }],
  ];
  for (const [name, how] of more)
    writeFileSync(recordPath(world, name), JSON.stringify({ ...recordOf(world, 'killed'), name, ...how }));

  const first = await run('resurrect', '--json');
  expect(JSON.parse(first.stdout)).toMatchObject([
    { app: 'gone', outcome: 'failed', exitStatus: 2, error: { code: 'ZDSUP_SCRIPT_MISSING' } },
    { app: 'killed', outcome: 'started', exitStatus: 0 },
    { app: 'late', outcome: 'failed', exitStatus: 1, error: { code: 'ZDSUP_ROLLOUT_FAILED' } },
    { app: 'terminal', outcome: 'left', note: expect.stringContaining('ran in the foreground') },
    { app: 'up', outcome: 'running', exitStatus: 0 },
  ]);
  expect(first.code).toBe(2);
  expect(recordOf(world, 'killed')).toMatchObject({ daemon: true, ended: null });
  expect(await (await fetch(`http://127.0.0.1:${ports[1]}/`)).text()).toBe('here');

  renameSync(project.path('away.js'), project.path('gone.js'));
  project.write({ database: '' }); // It was late at that boot.
  const second = await run('resurrect');
  expect(second.code, second.stderr).toBe(0);
  for (const name of ['gone', 'late']) expect(second.stdout).toContain(`${name}: runs as a daemon`);
  expect(second.stderr).toContain('note: terminal ran in the foreground and is left as it is');
  expect(second.stderr).toContain('gone: generation 1 serves with 1 worker');
  expect(await run('resurrect')).toMatchObject({
    code: 0,
    stdout: 'nothing to start again: gone, killed, late, up run already\n',
  });
  expect((await run('resurrect', '--print-crontab')).stdout).toMatch(
    new RegExp(
      `^@reboot ZDSUP_HOME=${world.home} .*/bin/zdsup\\.js resurrect >> ${world.home}/resurrect\\.log 2>&1\\n$`,
    ),
  );
  expect((await run('stop', 'all')).code).toBe(0);
});
