/** A master in a systemd unit speaks the notify protocol. Here a program in the place of `systemd-notify` writes down what it is given; test/systemd has the real one. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import { startMaster } from '../helpers/zdsup.js';

test('ready when the first generation serves, reloading around each rollout, alive while all is well, stopping; and no worker can speak in its name', async () => {
  const folder = temporaryFolder();
  const notes = join(folder, 'notes');
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\n(printf '%s|' "$NOTIFY_SOCKET" "$@"; echo) >> ${notes}\n`);
  chmodSync(join(folder, 'systemd-notify'), 0o755);
  const said = (): string[] => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : []);
  const port = await freePort();
  const spoken = 'Object.keys(process.env).filter((name) => /^(NOTIFY|LISTEN|WATCHDOG)_/.test(name))';
  const project = makeProject({
    'app.js': `setTimeout(() => { ${answering(spoken, port)} }, 400);`,
    'zdsup.config.json': '{"name": "shop", "script": "app.js", "minReady": 0, "soak": 0}',
  });
  const master = await startMaster({
    cwd: project.folder,
    args: [],
    env: {
      NOTIFY_SOCKET: '/nobody',
      WATCHDOG_USEC: '600000',
      LISTEN_FDS: '1',
      LISTEN_PID: '1',
      PATH: `${folder}:${process.env.PATH}`,
    },
  });
  await until('it is ready', said, (lines) => lines.some((line) => line.includes('READY=1')));
  const first = said();
  expect(first.at(-1)).toMatch(/^\/nobody\|.*STATUS=generation 1, 1 worker\|/);
  expect(first.slice(0, -1).join()).not.toContain('READY'); // Nothing before it served.
  expect(first[0], 'a boot may take its time').toContain('EXTEND_TIMEOUT_USEC=60000000');
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('');
  await until('it is told to be alive', said, (lines) =>
    lines.slice(first.length).some((line) => line.includes('WATCHDOG=1')),
  );

  const before = said().length;
  expect((await master.run('reload')).code).toBe(0);
  await until(
    'it is ready again',
    () => said().slice(before),
    (lines) => lines.some((line) => line.includes('READY=1')),
  );
  const reload = said().slice(before).join('\n');
  expect(reload).toMatch(/RELOADING=1\|MONOTONIC_USEC=\d+\|[\s\S]*READY=1\|[\s\S]*generation 2/);

  project.write({ 'app.js': 'process.exit(1)' });
  const beforeBad = said().length;
  expect((await master.run('reload')).code).toBe(1);
  await until(
    'it is ready as before',
    () => said().slice(beforeBad),
    (lines) => lines.some((line) => /READY=1\|.*generation 2/.test(line)),
  );

  expect((await master.run('stop')).code).toBe(0);
  await master.exited();
  const stops = said().filter((line) => line.includes('STOPPING'));
  expect(stops).toHaveLength(1);
  expect(stops[0]).toMatch(/STOPPING=1\|STATUS=stopping.*\|EXTEND_TIMEOUT_USEC=3\d{7}\|/); // 25 s and 10.
});

test('where the manager cannot be told, the log says so once, and the app runs', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering('1', port) });
  const master = await startMaster({
    cwd: project.folder,
    args: ['app.js'],
    env: { NOTIFY_SOCKET: '/nobody', PATH: '/nowhere' },
  });
  await master.seen('the warning', ({ msg }) => msg.includes('the service manager cannot be told'));
  expect((await master.run('reload')).code).toBe(0);
  expect(master.log.filter(({ msg }) => msg.includes('the service manager cannot be told'))).toHaveLength(1);
});
