/** Bad input gets one clear error with a hint and DESIGN's exit status; nothing starts, nothing that runs is touched. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { expectRefusal } from '../helpers/refusal.js';
import type { Finished } from '../helpers/zdsup.js';
import { BIN, makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const APP = { 'app.js': "require('node:http').createServer().listen(0);" };

const STARTS: [what: string, files: Record<string, string>, args: string[], exitStatus: number, says: RegExp][] = [
  [
    'a script that is not there',
    APP,
    ['ap.js'],
    2,
    /no such script: \S+ap\.js \(ZDSUP_SCRIPT_MISSING\)\nhint: did you mean app\.js\?/,
  ],
  [
    'a folder',
    { 'src/index.js': '' },
    ['src'],
    2,
    /src is a folder, not a script \(ZDSUP_SCRIPT_NOT_A_FILE\)\nhint: .*zdsup start src\/index\.js/,
  ],
  ...['abc', '0', '65536', '-1', '80.5'].map((given): (typeof STARTS)[number] => [
    `a port of --http that is none: ${given}`,
    APP,
    ['app.js', `--http=${given}`],
    2,
    /'--http <port>' argument '.*' is invalid\. Allowed is a port from 1 to 65535\. \(ZDSUP_USAGE\)\nhint: zdsup start --help/,
  ]),
  ['nothing at all', APP, [], 2, /nothing to start.*\(ZDSUP_USAGE\)\nhint: zdsup start app\.js/],
  [
    'a config file that is not there',
    APP,
    ['no.config.js'],
    2,
    /no such config file: \S+no\.config\.js \(ZDSUP_CONFIG_MISSING\)/,
  ],
  [
    'a config that throws',
    { 'zdsup.config.mjs': "\nthrow new Error('no vault');" },
    [],
    2,
    /threw Error: no vault \(\S+zdsup\.config\.mjs:2(:\d+)?\) \(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a config that exits',
    { 'zdsup.config.mjs': 'process.exit(0);' },
    [],
    2,
    /ended the process \(exit code 0\).*\(ZDSUP_CONFIG_EXITED\)/,
  ],
  [
    'a config that awaits for ever',
    { 'zdsup.config.mjs': 'await new Promise(() => {});' },
    [],
    2,
    /never returns: .*\(ZDSUP_CONFIG_TIMEOUT\)/,
  ],
  [
    'a config that goes on for ever',
    { 'zdsup.config.mjs': 'setInterval(() => {}, 1000); await new Promise(() => {});' },
    [],
    2,
    /did not return within 10 s \(ZDSUP_CONFIG_TIMEOUT\)/,
  ],
  [
    'a config that exports nothing (ESM)',
    { 'zdsup.config.mjs': 'const config = {};' },
    [],
    2,
    /exports nothing \(ZDSUP_CONFIG_EMPTY\)/,
  ],
  [
    'a config that exports nothing (CommonJS)',
    { 'zdsup.config.cjs': 'const config = {};' },
    [],
    2,
    /exports nothing \(ZDSUP_CONFIG_EMPTY\)/,
  ],
  [
    'a config that is no JSON',
    { 'zdsup.config.json': '{"script": "app.js",}' },
    [],
    2,
    /zdsup\.config\.json: .*JSON.*\(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a config with a function in it',
    { 'zdsup.config.mjs': 'export default { script: "app.js", env: { PORT: () => 1 } };' },
    [],
    2,
    /env\.PORT is a function \(ZDSUP_CONFIG_INVALID\)/,
  ],
  ['a config that is a list', { 'zdsup.config.json': '[1]' }, [], 2, /the config is \[1\] \(ZDSUP_CONFIG_INVALID\)/],
  [
    'an unknown key',
    { ...APP, 'zdsup.config.json': '{"script": "app.js", "instence": 2}' },
    [],
    2,
    /unknown key instence \(ZDSUP_CONFIG_INVALID\)\nhint: did you mean instances\?/,
  ],
  [
    'a wrong type',
    { ...APP, 'zdsup.config.json': '{"script": "app.js", "instances": "two"}' },
    [],
    2,
    /instances is "two" \(ZDSUP_CONFIG_INVALID\)\nhint: allowed: a whole number from 1/,
  ],
  [
    'surge and unavailable both 0',
    { ...APP, 'zdsup.config.json': '{"script": "app.js", "surge": 0, "unavailable": 0}' },
    [],
    2,
    /surge and unavailable are both 0.*\(ZDSUP_CONFIG_INVALID\)\nhint: set surge to at least 1/,
  ],
  [
    '-i 0',
    APP,
    ['app.js', '-i', '0'],
    2,
    /instances is 0 \(ZDSUP_CONFIG_INVALID\)\nhint: allowed: a whole number from 1/,
  ],
  ['-i -3', APP, ['app.js', '-i', '-3'], 2, /instances is -3 \(ZDSUP_CONFIG_INVALID\)/],
  ['--name all', APP, ['app.js', '--name', 'all'], 2, /name is "all" \(ZDSUP_CONFIG_INVALID\)/],
  ['-i 1.5', APP, ['app.js', '-i', '1.5'], 2, /instances is 1\.5 \(ZDSUP_CONFIG_INVALID\)/],
  ['a name that cannot be one', APP, ['app.js', '--name', 'My App'], 2, /name is "My App" \(ZDSUP_CONFIG_INVALID\)/],
  [
    'several apps and no choice',
    { ...APP, 'zdsup.config.json': '{"apps": [{"name": "a", "script": "app.js"}, {"name": "b", "script": "app.js"}]}' },
    [],
    2,
    /has 2 apps: a, b.*\(ZDSUP_USAGE\)\nhint: .*--only/,
  ],
  [
    'a choice that is none',
    { ...APP, 'zdsup.config.json': '{"apps": [{"name": "a", "script": "app.js"}]}' },
    ['--only', 'c'],
    2,
    /has no app c; it has a \(ZDSUP_USAGE\)/,
  ],
  [
    'an env file that is not there',
    { ...APP, 'zdsup.config.json': '{"script": "app.js", "envFile": ".env"}' },
    [],
    2,
    /cannot read the env file \S+\.env: ENOENT \(ZDSUP_ENV_FILE\)/,
  ],
  [
    'an env file with a NUL byte',
    { ...APP, 'zdsup.config.json': '{"script": "app.js", "envFile": ".env"}', '.env': 'A=1\nB=\0' },
    [],
    2,
    /\.env:2 has a NUL byte, which no variable can hold \(ZDSUP_ENV_FILE\)/,
  ],
  [
    'a working folder that is not there',
    APP,
    ['app.js', '--cwd', 'nowhere'],
    2,
    /the folder \S+nowhere is not there \(ZDSUP_CWD_MISSING\)/,
  ],
];

test.concurrent.each(STARTS)('start with %s', async (_what, files, args, exitStatus, says) => {
  const project = makeProject(files);
  const world = makeWorld();
  expectRefusal(await zdsup(world, ['start', ...args], { cwd: project.folder }), exitStatus, says);
  expect((await zdsup(world, ['status'])).stdout).toContain('no app is running');
});

const COMMANDS: [args: string[], exitStatus: number, says: RegExp][] = [
  [['relaod'], 2, /unknown command 'relaod'[\s\S]*Did you mean reload/],
  [['reload', '--jsno'], 2, /unknown option '--jsno'[\s\S]*Did you mean --json/],
  [['start', 'app.js', '-i', 'many'], 2, /'many' is invalid/],
  [['start', 'app.js', '-i', '0x2'], 2, /'0x2' is invalid/],
  [['reload', 'shop'], 3, /shop is not running \(no app is\) \(ZDSUP_APP_NOT_RUNNING\)/],
  [['stop', 'shop'], 3, /shop is not running/],
  [['status', 'shop'], 3, /shop is not running/],
  [['reload'], 3, /no app is running \(ZDSUP_APP_NOT_RUNNING\)/],
];

test.concurrent.each(COMMANDS)('zdsup %s', async (args, exitStatus, says) => {
  expectRefusal(await zdsup(makeWorld(), args), exitStatus, says);
});

test.concurrent('a Node that is too old gets a clear word', async () => {
  const project = makeProject({ 'old.cjs': "Object.defineProperty(process.versions, 'node', { value: '18.19.0' });" });
  const refused = await zdsup(makeWorld(), ['status'], { node: ['--require', project.path('old.cjs')] });
  expectRefusal(refused, 2, /zdsup needs Node 20\.19 or newer, this is v\S+ \(ZDSUP_NODE_UNSUPPORTED\)/);
});

test.concurrent('a state folder that cannot be made or written, of someone else, or too long a path', async () => {
  const project = makeProject(APP);
  const start = (home: string): Promise<Finished> =>
    zdsup(makeWorld({ ZDSUP_HOME: home }), ['start', 'app.js', '--name', 'shop'], { cwd: project.folder });
  const readOnly = join(temporaryFolder(), 'home');
  mkdirSync(join(readOnly, 'run'), { recursive: true });
  chmodSync(join(readOnly, 'run'), 0o500);
  expectRefusal(await start(readOnly), 2, /cannot use the state folder \S+run: EACCES \(ZDSUP_STATE_UNWRITABLE\)/);
  project.write({ 'a-file': '' });
  expectRefusal(
    await start(project.path('a-file')),
    2,
    /cannot use the state folder \S+: ENOTDIR \(ZDSUP_STATE_UNWRITABLE\)/,
  );
  expectRefusal(await start('/proc/nowhere'), 2, /cannot use the state folder \S+: \w+ \(ZDSUP_STATE_UNWRITABLE\)/);
  expectRefusal(
    await start(join(temporaryFolder(), 'x'.repeat(100))),
    2,
    /at most 107 are allowed: \S+ \(ZDSUP_SOCKET_PATH_LONG\)/,
  );
  if (process.geteuid?.() !== 0) return; // Only root can give a folder away.
  const foreign = join(temporaryFolder(), 'home');
  mkdirSync(join(foreign, 'run'), { recursive: true });
  chownSync(join(foreign, 'run'), 65_534, 65_534);
  expectRefusal(await start(foreign), 2, /belongs to user 65534, zdsup runs as user 0 \(ZDSUP_STATE_FOREIGN\)/);
});

test.concurrent('a port in use fails the start with the reason', async () => {
  const port = await freePort();
  const other = createServer().listen(port);
  const project = makeProject({ 'app.js': answering("''", port) });
  const { code, stderr } = await zdsup(makeWorld(), ['start', 'app.js', '--name', 'taken'], { cwd: project.folder });
  other.close();
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`EADDRINUSE: address already in use :::${port}`));
  expect(stderr).toMatch(
    new RegExp(
      `error: worker 0 of generation 1 exited with code 1 before it was ready: it could not listen on port ${port}: EADDRINUSE \\(ZDSUP_ROLLOUT_FAILED\\)`,
    ),
  );
});

test.concurrent('a port in use is named also where the app passes over it in silence, as Express 5 does', async () => {
  const port = await freePort();
  const other = createServer().listen(port);
  const project = makeProject({
    'app.js': `require('node:http').createServer().listen(${port}).on('error', () => {});`,
  });
  const { code, stderr } = await zdsup(makeWorld(), ['start', 'app.js', '--name', 'taken'], { cwd: project.folder });
  other.close();
  expect(code).toBe(1);
  expect(stderr).toContain(`exited with code 0 before it was ready: it could not listen on port ${port}: EADDRINUSE`);
});

test.concurrent('a shell in a folder that was deleted is told so', async () => {
  const project = makeProject({ 'gone/x': '' });
  const ran = spawnSync(
    'sh',
    [
      '-c',
      'cd gone && rm -r ../gone && for command in "start app.js" check reload; do "$0" "$1" $command; echo "$?"; done',
      process.execPath,
      BIN,
    ],
    { cwd: project.folder, env: { ...process.env, ZDSUP_HOME: makeWorld().home }, encoding: 'utf8' },
  );
  expect(ran.stdout).toBe('2\n2\n3\n'); // What runs is looked for first.
  expect(ran.stderr.match(/the current folder has been deleted \(ZDSUP_CWD_MISSING\)\nhint: /g)).toHaveLength(2);
});

test.concurrent('of two starts of one name at the very same moment one wins, and the other is refused with 4', async () => {
  const port = await freePort();
  const project = makeProject({ 'app.js': answering('process.pid', port) });
  const world = makeWorld();
  const options = { world, cwd: project.folder, args: ['app.js', '--name', 'twin'], wait: false };
  const masters = await Promise.all([startMaster(options), startMaster(options)]);
  const [loser, winner] = await Promise.race(
    masters.map((master, index) => master.exited().then(() => [master, masters[1 - index]!] as const)),
  );
  expect((await loser.exited()).code).toBe(4);
  expect(loser.stderrLines.join('\n')).toMatch(
    /^error: twin is running already \(ZDSUP_APP_RUNNING\)\nhint: zdsup reload twin/m,
  );
  await winner.serving(1);
  expect((await winner.status()).masterPid).toBe(winner.pid);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(String((await winner.status()).workers[0]!.pid));
});

test.concurrent("a killed master's stale socket stands in nobody's way", async () => {
  const project = makeProject(APP);
  const first = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'stale'] });
  await first.killed();
  expect((await zdsup(first.world, ['status'])).stdout).toMatch(/^stale {2}crashed: its master \(pid \d+\) was killed/);
  const second = await startMaster({ cwd: project.folder, args: ['app.js', '--name', 'stale'], world: first.world });
  expect((await second.status()).masterPid).toBe(second.pid);
});

const RELOADS: [what: string, spoil: (path: (name: string) => string) => void, exitStatus: number, says: RegExp][] = [
  ['the script deleted', (path) => rmSync(path('app.js')), 2, /no such script: \S+app\.js \(ZDSUP_SCRIPT_MISSING\)/],
  [
    'the env file deleted',
    (path) => rmSync(path('.env')),
    2,
    /cannot read the env file \S+: ENOENT \(ZDSUP_ENV_FILE\)/,
  ],
  [
    'the config deleted',
    (path) => rmSync(path('zdsup.config.mjs')),
    2,
    /no such config file.*\(ZDSUP_CONFIG_MISSING\)/,
  ],
  [
    'a config that throws',
    (path) => writeFileSync(path('zdsup.config.mjs'), "throw new Error('half an edit');"),
    2,
    /half an edit.*\(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a config that exits',
    (path) => writeFileSync(path('zdsup.config.mjs'), 'process.exit(0);'),
    2,
    /\(ZDSUP_CONFIG_EXITED\)/,
  ],
  [
    'an unknown key',
    (path) => writeFileSync(path('zdsup.config.mjs'), 'export default { script: "app.js", srge: 1 };'),
    2,
    /unknown key srge \(ZDSUP_CONFIG_INVALID\)\nhint: did you mean surge\?/,
  ],
  [
    'another name',
    (path) => writeFileSync(path('zdsup.config.mjs'), 'export default { name: "other", script: "app.js" };'),
    2,
    /a reload cannot rename it \(ZDSUP_CONFIG_INVALID\)/,
  ],
];

test.concurrent.each(RELOADS)(
  'a reload with %s is refused, and the very same workers serve on',
  async (_what, spoil, exitStatus, says) => {
    const port = await freePort();
    const project = makeProject({
      'app.js': answering('process.pid', port),
      '.env': '',
      'zdsup.config.mjs': "export default { name: 'shop', script: 'app.js', envFile: '.env', minReady: 50 };",
    });
    const master = await startMaster({ cwd: project.folder, args: [] });
    const before = (await master.status()).workers;
    spoil(project.path);
    const { code, stderr } = await master.run('reload', 'shop');
    expect(stderr).toMatch(says);
    const [, message] = /^error: (.+) \(ZDSUP_\w+\)$/m.exec(stderr)!;
    expect(stderr.split(message!), 'it is told once').toHaveLength(2);
    expect(stderr).toMatch(/^hint: \S/m);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(exitStatus);
    expect((await master.status()).workers.map((worker) => worker.pid)).toEqual(before.map((worker) => worker.pid));
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(String(before[0]!.pid));
  },
);
