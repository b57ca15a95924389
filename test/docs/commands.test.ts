/** Every command in the docs is run: the blocks marked `sh`, in their order, as a reader would type them. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { commandsIn, pages } from '../helpers/pages.js';
import { freePort } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

const SERVE = 'npm ci && npx zdsup start examples/hello-http/server.js -i 2';
const TEST = 'npm ci && npm test';
const INSTALL = 'npm install -g zdsup';

/** What git tracks, or would, in a folder of its own: what a fresh clone has. */
function freshClone(): string {
  const folder = temporaryFolder();
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(ROOT, file), join(folder, file), { verbatimSymlinks: true });
  }
  return folder;
}

/** A shell of its own process group; ended with all it has started. */
function shell(
  command: string,
  cwd: string,
  env: Record<string, string>,
): { child: ReturnType<typeof spawn>; output: () => string; finished: Promise<number | null> } {
  const child = spawn('bash', ['-c', command], {
    cwd,
    env: { ...process.env, PWD: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) killOwn(child.pid, 'SIGTERM');
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  return { child, output: () => text, finished: once(child, 'close').then(([code]) => code as number | null) };
}

const answers = async (port: number): Promise<string | null> =>
  fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).then(
    (response) => response.text(),
    () => null,
  );

test("the README's first command serves the example with 2 workers, from a fresh clone; Ctrl-C ends it", {
  timeout: 300_000,
}, async () => {
  expect(commandsIn(README)[0]).toBe(SERVE);
  const clone = freshClone();
  const port = await freePort();
  const home = temporaryFolder();
  // `exec`, so that the interrupt reaches npx as it would in a terminal.
  const serving = shell(SERVE.replace('npx', 'exec npx'), clone, { PORT: String(port), ZDSUP_HOME: home });
  await until(
    'it answers',
    () => answers(port),
    (body) => body?.startsWith('hello from process') ?? false,
    240_000,
  );
  const seen = new Set<string | null>();
  await until(
    'both workers answer',
    async () => seen.add(await answers(port)).size,
    (size) => size === 2,
  );
  process.kill(-serving.child.pid!, 'SIGINT'); // The terminal's Ctrl-C: to the whole group.
  await serving.finished;
  expect(await answers(port)).toBeNull();
  expect(serving.output()).toContain('stopped');
});

test("CI runs the README's own test command", () => {
  expect(commandsIn(README)[1]).toBe(TEST);
  expect(readFileSync(join(ROOT, '.ci/run'), 'utf8')).toContain(`bash -c '${TEST}'`);
});

test('the daily commands of the README work as they stand, with the packed tarball installed globally', {
  timeout: 300_000,
}, async () => {
  const daily = commandsIn(README).slice(2);
  expect(daily).toEqual([
    ...[INSTALL, 'zdsup start app.js -i 4', 'zdsup status', 'zdsup reload'],
    ...['zdsup check', 'zdsup reload --weight 5', 'zdsup canary 50', 'zdsup promote'],
    ...['zdsup reload --weight 20', 'zdsup abort'],
    ...['zdsup deploy', 'zdsup releases', 'zdsup rollback', 'zdsup history'],
    ...['zdsup scale 6', 'zdsup restart', 'zdsup stop'],
    ...['zdsup start app.js --daemon', 'zdsup logs', 'zdsup describe', 'zdsup stop', 'zdsup start shop'],
  ]);
  const prefix = temporaryFolder();
  const port = await freePort();
  const project = makeProject({ 'package.json': '{"name": "shop"}', 'app.js': answering('process.pid', port) });
  const { home } = makeDaemonWorld();
  const env = { PATH: `${prefix}/bin:${process.env.PATH}`, ZDSUP_HOME: home, npm_config_prefix: prefix };
  const [tarball] = JSON.parse(
    execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', prefix], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  ) as [{ filename: string }];
  const install = shell(INSTALL.replace('zdsup', join(prefix, tarball.filename)), project.folder, env);
  expect(await install.finished, install.output()).toBe(0);

  const master = shell(`exec ${daily[1]}`, project.folder, env);
  await until('it answers', () => answers(port));
  const run = async (command: string): Promise<string> => {
    const { finished, output } = shell(command, project.folder, env);
    expect(await finished, output()).toBe(0);
    return output();
  };
  await until('the first generation serves', master.output, (text) => text.includes('generation 1 serves'));
  expect(await run('zdsup status')).toMatch(/^shop {2}running {2}generation 1/);
  expect(await run('zdsup reload')).toContain('generation 2 serves, the old workers have gone');
  expect(await run('zdsup check')).toContain('ok: zdsup reload shop would let it in');
  expect(await run('zdsup reload --weight 5')).toContain('generation 3 gets 5 % of the traffic, generation 2 the rest');
  expect(await run('zdsup canary 50')).toContain('generation 3 gets 50 % of the traffic, generation 2 the rest');
  expect(await run('zdsup promote')).toContain('generation 3 serves, the old workers have gone');
  expect(await run('zdsup reload --weight 20')).toContain('generation 4 gets 20 % of the traffic');
  expect(await run('zdsup abort')).toContain('generation 4 was given up, generation 3 serves as before');
  expect(await run('zdsup deploy')).toMatch(
    /stored as release [0-9a-f]{8}.*generation 5 serves, the old workers have gone/s,
  );
  expect(await run('zdsup releases')).toMatch(/[0-9a-f]{8} {2}serves/);
  expect(await run('zdsup rollback')).toMatch(/generation 6 serves release .+, the old workers have gone/);
  expect(await run('zdsup history')).toMatch(/rollback.*succeeded/);
  expect(await run('zdsup scale 6')).toContain('shop: 6 workers serve');
  expect(await run('zdsup restart')).toContain('generation 7 serves, the old workers have gone');
  expect(await run('zdsup stop')).toContain('shop: stopped');
  expect(await master.finished, master.output()).toBe(0);

  expect(await run('zdsup start app.js --daemon')).toContain('shop: runs as a daemon (master ');
  expect(await run('zdsup logs')).toContain('generation 1 serves');
  expect(await run('zdsup describe')).toContain('config in force');
  expect(await run('zdsup stop')).toContain('shop: stopped');
  expect(await run('zdsup start shop')).toContain('shop: runs as a daemon (master ');
  expect(await answers(port)).not.toBeNull();
});

test('commands of the other pages are those of CI, or are run by the tests above', () => {
  const known = new Set([...commandsIn(README), 'npm ci', 'npm test']);
  for (const page of pages().filter((page) => page !== 'README.md'))
    expect(
      commandsIn(readFileSync(join(ROOT, page), 'utf8')).filter((command) => !known.has(command)),
      page,
    ).toEqual([]);
});
