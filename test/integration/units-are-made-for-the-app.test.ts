/** `zdsup systemd` where no systemd runs: the unit of an app is shown, and what makes no sense is refused. test/systemd has the rest. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const RUNS_SYSTEMD = existsSync('/run/systemd/system');

test('the unit of a script has its arguments and the time that its config needs, and is printed as JSON too', async () => {
  const world = makeWorld();
  const project = makeProject({
    'my app/zdsup.config.json': '{"name": "shop", "script": "a.js", "drainTimeout": "2m", "killTimeout": "10s"}',
    'my app/a.js': '',
  });
  const cwd = project.path('my app');
  const shown = await zdsup(world, ['systemd', 'print', 'zdsup.config.json', '--user', '--', '--port', '80'], { cwd });
  expect(shown.code, shown.stderr).toBe(0);
  const bin = `${process.execPath} ${world.bin}`;
  expect(shown.stdout).toContain(
    `ExecStart=${bin} start "${join(cwd, 'zdsup.config.json')}" --as-unit shop -- --port 80\n`,
  );
  expect(shown.stdout).toContain('TimeoutStopSec=135s\n'); // 2 min, 10 s, and 5.
  const json = await zdsup(world, ['systemd', 'print', '--user', '--json', '--socket', '80', '127.0.0.1:81'], { cwd });
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: true,
    app: 'shop',
    units: [
      { name: 'zdsup-shop.service', text: expect.stringContaining('Requires=zdsup-shop.socket') },
      { name: 'zdsup-shop.socket', text: expect.stringContaining('ListenStream=80\nListenStream=127.0.0.1:81\n') },
    ],
  });
});

test('the unit of an app that runs starts it as it was started, and has its own addresses for the socket', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering('1', port) });
  const master = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'shop', '-i', '2'] });
  const { stdout, code, stderr } = await zdsup(master.world, ['systemd', 'print', 'shop', '--user', '--socket']);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('app.js --as-unit shop --name shop --instances 2\n');
  expect(stdout).toContain(`ListenStream=${port}\n`);
});

const REFUSED: [string[], number, string][] = [
  [['print', 'nosuch.js'], 2, 'ZDSUP_SCRIPT_MISSING'],
  [['print', 'zdsup.config.js'], 2, 'ZDSUP_CONFIG_MISSING'],
  [['print', 'app.js', '--socket', 'localhost:80'], 2, 'ZDSUP_USAGE'],
  [['print', 'app.js', '--socket', '70000'], 2, 'ZDSUP_USAGE'],
  [['print', 'app.js', '--socket'], 2, 'ZDSUP_USAGE'], // It does not run.
  [['print', 'app.js', '--run-as', 'nobody-of-that-name'], 2, 'ZDSUP_USAGE'],
  [['print', 'app.js', '--only', 'a'], 2, 'ZDSUP_USAGE'],
  [['remove', 'app.js'], 2, 'ZDSUP_USAGE'],
];

test('what makes no sense is refused, with one clear error', async () => {
  const world = makeWorld();
  const { folder } = makeProject({ 'app.js': '' });
  for (const [args, status, expected] of REFUSED) {
    const { code, stdout } = await zdsup(world, ['systemd', ...args, '--json'], { cwd: folder });
    expect([code, (JSON.parse(stdout) as { error: { code: string } }).error.code], args.join(' ')).toEqual([
      status,
      expected,
    ]);
  }
});

test.skipIf(RUNS_SYSTEMD)(
  'without systemd there is nothing to install into, and the hint says what to do',
  async () => {
    const world = makeWorld();
    const { folder } = makeProject({ 'app.js': '' });
    for (const verb of ['install', 'uninstall']) {
      const { code, stderr } = await zdsup(world, ['systemd', verb, 'app.js'], { cwd: folder });
      expect(code).toBe(1);
      expect(stderr).toMatch(/systemd does not run here.*\nhint: zdsup systemd print/);
    }
  },
);
