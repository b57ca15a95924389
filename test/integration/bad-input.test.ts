/** What is wrong is named where it lies: file, key, line, and what was meant; nothing that runs is touched by it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAlive, killOwn } from '../helpers/cleanup.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { expectRefusal } from '../helpers/refusal.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Finished, Master } from '../helpers/zdsup.js';
import { makeWorld, startMaster, zdsup } from '../helpers/zdsup.js';

const APP = { 'app.js': "require('node:http').createServer().listen(0);" };

const config = (more: object): Record<string, string> => ({
  ...APP,
  'zdsup.config.json': JSON.stringify({ script: 'app.js', ...more }),
});

const CONFIGS: [what: string, files: Record<string, string>, says: RegExp][] = [
  [
    'an unknown key inside another',
    config({ ready: { deadlin: '2s' } }),
    /unknown key ready\.deadlin \(ZDSUP_CONFIG_INVALID\)\nhint: did you mean deadline\?/,
  ],
  [
    'a wrong value inside another',
    config({ backoff: { initial: '2 parsecs' } }),
    /backoff\.initial is "2 parsecs" \(ZDSUP_CONFIG_INVALID\)\nhint: allowed: a duration/,
  ],
  [
    'an unknown key in one app of several',
    { ...APP, 'zdsup.config.json': JSON.stringify({ apps: [{ script: 'app.js' }, { script: 'app.js', mane: 'b' }] }) },
    /unknown key apps\[1\]\.mane \(ZDSUP_CONFIG_INVALID\)\nhint: did you mean name\?/,
  ],
  ['no script', { 'zdsup.config.json': '{}' }, /script is missing \(ZDSUP_CONFIG_INVALID\)\nhint: .*script: 'app\.js'/],
  [
    'a script that is spelt wrong',
    config({ script: 'ap.js' }),
    /no such script: \S+ap\.js \(ZDSUP_SCRIPT_MISSING\)\nhint: did you mean app\.js\?/,
  ],
  [
    'a syntax error (ESM)',
    { 'zdsup.config.mjs': '// 1\n// 2\nexport default { script: };' },
    /threw SyntaxError: .* \(\S+zdsup\.config\.mjs:3\) \(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a syntax error (CommonJS)',
    { 'zdsup.config.cjs': '// 1\nmodule.exports = { script: };' },
    /threw SyntaxError: .* \(\S+zdsup\.config\.cjs:2\) \(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'an import that is not there',
    { 'zdsup.config.mjs': "import './vault.js';\nexport default {};" },
    /Cannot find module '\S+vault\.js'.*\(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a promise that fails by itself',
    {
      ...APP,
      'zdsup.config.mjs':
        "Promise.reject(new Error('no vault'));\nawait new Promise((resolve) => setTimeout(resolve, 500));\nexport default { script: 'app.js' };",
    },
    /threw Error: no vault \(\S+zdsup\.config\.mjs:1\S*\) \(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a getter that throws',
    { ...APP, 'zdsup.config.mjs': "export default { get script() { throw new Error('no vault'); } };" },
    /threw Error: no vault \(\S+zdsup\.config\.mjs:1\S*\) \(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'an object that contains itself',
    {
      ...APP,
      'zdsup.config.mjs': "const app = { script: 'app.js', env: {} };\napp.env.app = app;\nexport default app;",
    },
    /env\.app is the object that it lies in \(ZDSUP_CONFIG_INVALID\)/,
  ],
];

test.concurrent.each(CONFIGS)('a config with %s is refused with the place', async (_what, files, says) => {
  const project = makeProject(files);
  expectRefusal(await zdsup(makeWorld(), ['start'], { cwd: project.folder }), 2, says);
});

test.concurrent('a config that talks to its parent as an app would is none the worse for it', async () => {
  const project = makeProject({
    ...APP,
    'zdsup.config.mjs': "process.send?.('ready');\nexport default { name: 'talks', script: 'app.js', minReady: 0 };",
  });
  expect((await (await startMaster({ cwd: project.folder, args: [] })).status()).name).toBe('talks');
});

const STARTS: [what: string, files: Record<string, string>, args: string[], says: RegExp][] = [
  [
    'a config file that is spelt wrong',
    { ...APP, 'prod.config.js': '' },
    ['prd.config.js'],
    /no such config file: \S+prd\.config\.js \(ZDSUP_CONFIG_MISSING\)\nhint: did you mean prod\.config\.js\?/,
  ],
  [
    'a folder that has a config file',
    { 'shop/zdsup.config.mjs': '', 'shop/app.js': '' },
    ['shop'],
    /shop is a folder, not a script \(ZDSUP_SCRIPT_NOT_A_FILE\)\nhint: .*zdsup start shop\/zdsup\.config\.mjs/,
  ],
  [
    '--only and no config file',
    APP,
    ['app.js', '--only', 'shop'],
    /--only shop picks an app of a config file, and none was given \(ZDSUP_USAGE\)\nhint: .*--name/,
  ],
  [
    'an option that has no value',
    APP,
    ['app.js', '-i'],
    /'-i, --instances <n>' argument missing \(ZDSUP_USAGE\)\nhint: zdsup start --help/,
  ],
  [
    'a duration that is none',
    APP,
    ['app.js', '--drain-timeout', 'soon'],
    /drainTimeout is "soon" \(ZDSUP_CONFIG_INVALID\)\nhint: allowed: a duration/,
  ],
  [
    'an option of the wrong choice',
    APP,
    ['app.js', '--log-format', 'xml'],
    /'xml' is invalid\. Allowed choices are json, pretty\. \(ZDSUP_USAGE\)/,
  ],
];

test.concurrent.each(STARTS)('start with %s is refused', async (_what, files, args, says) => {
  const project = makeProject(files);
  expectRefusal(await zdsup(makeWorld(), ['start', ...args], { cwd: project.folder }), 2, says);
});

test.concurrent('TypeScript starts where this Node runs it, and is refused with the ways out where it does not', async () => {
  const project = makeProject({
    'app.ts': "import { createServer } from 'node:http';\nconst port: number = 0;\ncreateServer().listen(port);\n",
  });
  const args = ['app.ts', '--name', 'typed'];
  if (process.allowedNodeEnvironmentFlags.has('--experimental-strip-types')) {
    const master = await startMaster({ cwd: project.folder, args });
    expect((await master.status()).workers).toMatchObject([{ state: 'active', restarts: 0 }]);
    return;
  }
  expectRefusal(
    await zdsup(makeWorld(), ['start', ...args], { cwd: project.folder }),
    2,
    /does not run TypeScript by itself, and \S+app\.ts has no tsx beside it \(ZDSUP_ENTRY_TYPESCRIPT\)\nhint: npm install tsx, or use Node 22\.18 or newer/,
  );
});

test.concurrent('a state folder that cannot be used is refused with what would mend it', async () => {
  const project = makeProject({ ...APP, 'a-file': '', 'home/run/x': '' });
  chmodSync(project.path('home/run'), 0o500);
  const start = (home: string): Promise<Finished> =>
    zdsup(makeWorld({ ZDSUP_HOME: project.path(home) }), ['start', 'app.js', '--name', 'shop'], {
      cwd: project.folder,
    });
  const readOnly = await start('home');
  chmodSync(project.path('home/run'), 0o700);
  expectRefusal(
    readOnly,
    2,
    /home\/run: EACCES \(ZDSUP_STATE_UNWRITABLE\)\nhint: chmod u\+rwx \S+home\/run, or set ZDSUP_HOME to another folder/,
  );
  expectRefusal(
    await start('a-file'),
    2,
    /a-file\/run: ENOTDIR \(ZDSUP_STATE_UNWRITABLE\)\nhint: set ZDSUP_HOME to another folder/,
  );
});

interface Scene {
  master: Master;
  project: Project;
  /** The very same worker serves. */
  untouched(): Promise<void>;
}

async function running(): Promise<Scene> {
  const port = await freePort();
  const project = makeProject({
    'app.js': answering('process.pid', port),
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', minReady: 0 }),
  });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const { workers } = await master.status();
  return {
    master,
    project,
    async untouched() {
      const now = await master.status();
      expect(now).toMatchObject({ state: 'running', masterPid: master.pid, generation: 1 });
      expect(now.workers.map(({ pid, restarts }) => ({ pid, restarts }))).toEqual([
        { pid: workers[0]!.pid, restarts: 0 },
      ]);
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe(String(workers[0]!.pid));
    },
  };
}

test.concurrent('what is asked of an app that does not run names the one that is spelt alike', async () => {
  const { master, untouched } = await running();
  for (const command of ['reload', 'stop', 'status'])
    expectRefusal(
      await master.run(command, 'sohp'),
      3,
      /sohp is not running \(running: shop\) \(ZDSUP_APP_NOT_RUNNING\)\nhint: did you mean shop\?/,
    );
  await untouched();
});

test.concurrent('a second start of one name is refused with 4, and the first goes on', async () => {
  const { master, untouched } = await running();
  for (const args of [[], ['app.js', '--name', 'shop']])
    expectRefusal(
      await master.run('start', ...args),
      4,
      /shop is running already \(ZDSUP_APP_RUNNING\)\nhint: zdsup reload shop/,
    );
  await untouched();
});

const RELOADS: [what: string, spoil: (project: Project) => void, says: RegExp][] = [
  [
    'a config that is no JSON any more',
    (project) => project.write({ 'zdsup.config.json': '<<<<<<< HEAD\n{"script": "app.js"}' }),
    /zdsup\.config\.json: .*JSON.*\(ZDSUP_CONFIG_THREW\)/,
  ],
  [
    'a wrong type inside another key',
    (project) => project.write({ 'zdsup.config.json': '{"script": "app.js", "ready": {"deadline": true}}' }),
    /ready\.deadline is true \(ZDSUP_CONFIG_INVALID\)\nhint: allowed: a duration/,
  ],
  [
    'a config that has become several apps',
    (project) => project.write({ 'zdsup.config.json': '{"apps": [{"script": "app.js"}, {"script": "app.js"}]}' }),
    /has 2 apps.*\(ZDSUP_USAGE\)/,
  ],
  [
    'a folder in place of the script',
    (project) => {
      rmSync(project.path('app.js'));
      mkdirSync(project.path('app.js'));
    },
    /app\.js is a folder, not a script \(ZDSUP_SCRIPT_NOT_A_FILE\)/,
  ],
  [
    'a working folder that is gone',
    (project) => project.write({ 'zdsup.config.json': '{"script": "app.js", "cwd": "gone"}' }),
    /the folder \S+gone is not there \(ZDSUP_CWD_MISSING\)/,
  ],
];

test.concurrent.each(RELOADS)(
  'a reload with %s is refused, and the very same worker serves on',
  async (_what, spoil, says) => {
    const { master, project, untouched } = await running();
    spoil(project);
    expectRefusal(await master.run('reload'), 2, says);
    await untouched();
  },
);

test.concurrent('a config that never returns holds up its own reload alone: the old worker serves, and the next reload goes through', async () => {
  const port = await freePort();
  const exporting = "export default { name: 'shop', script: 'app.js', minReady: 0 };";
  const project = makeProject({ 'app.js': answering('process.pid', port), 'zdsup.config.mjs': exporting });
  const master = await startMaster({ cwd: project.folder, args: [] });
  const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
  const before = await ask();
  project.write({ 'zdsup.config.mjs': 'setInterval(() => {}, 1000);\nawait new Promise(() => {});' });
  const reload = master.run('reload');
  await master.statusUntil('it is being prepared', (app) => app.rollout?.step === 'preparing');
  expect(await ask()).toBe(before);
  expectRefusal(
    await reload,
    2,
    /zdsup\.config\.mjs did not return within 10 s \(ZDSUP_CONFIG_TIMEOUT\)\nhint: .*take out what it waits for/,
  );
  expect(await ask()).toBe(before);
  project.write({ 'zdsup.config.mjs': exporting });
  expect((await master.run('reload')).code).toBe(0);
  expect(await ask()).not.toBe(before);
});

const LOOPING = "require('node:fs').writeFileSync(__dirname + '/looping', String(process.pid));\nfor (;;);";

const planner = (project: Project): Promise<number> =>
  until(
    'the config is being read',
    () => existsSync(project.path('looping')) && Number(readFileSync(project.path('looping'), 'utf8')),
  ) as Promise<number>;

test.concurrent('a config in an endless loop ends with the master that reads it', async () => {
  const project = makeProject({ ...APP, 'zdsup.config.cjs': "module.exports = { name: 'shop', script: 'app.js' };" });
  const master = await startMaster({ cwd: project.folder, args: [] });
  project.write({ 'zdsup.config.cjs': LOOPING });
  master.signal('SIGHUP');
  const pid = await planner(project);
  onTestFinished(() => killOwn(pid));
  expect((await master.run('stop')).code).toBe(0);
  await until('it has ended', () => !isAlive(pid), Boolean, 5_000);
});

test.concurrent('a config in an endless loop ends with the command that is left with Ctrl-C', async () => {
  const project = makeProject({ ...APP, 'zdsup.config.cjs': LOOPING });
  const starting = await startMaster({ cwd: project.folder, args: [], wait: false });
  const pid = await planner(project);
  onTestFinished(() => killOwn(pid));
  starting.signal('SIGINT');
  expect(await starting.exited()).toEqual({ code: null, signal: 'SIGINT' });
  await until('it has ended', () => !isAlive(pid), Boolean, 5_000);
});
