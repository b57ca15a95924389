/** The code of docs/api.md is run: its blocks that begin with a file's name, as these files, in one folder and in their order. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';
import type { Finished, World } from '../helpers/zdsup.js';
import { finished, zdsup } from '../helpers/zdsup.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(`${ROOT}/docs/api.md`, 'utf8');

const files = Object.fromEntries(
  [...PAGE.matchAll(/^```js\n(\/\/ ([\w.]+)\n[\s\S]*?)^```/gm)].map(([, code, name]) => [name!, code!]),
);

interface Place {
  world: World;
  project: Project;
}

/** A package that has zdsup installed, and an app that the page's programs start. */
async function makePlace(): Promise<Place> {
  const port = await freePort();
  const world = makeDaemonWorld({ PORT: String(port) });
  const project = makeProject({
    ...files,
    'package.json': '{"name": "shop", "type": "module"}',
    'zdsup.config.js': `import { defineConfig } from 'zdsup';
      export default defineConfig({ name: 'shop', script: 'server.js', minReady: 0, soak: 0 });`,
  });
  mkdirSync(project.path('node_modules'));
  symlinkSync(ROOT, project.path('node_modules/zdsup'));
  return { world, project };
}

async function run({ world, project }: Place, name: string): Promise<Finished> {
  const child = spawn(process.execPath, [name], {
    cwd: project.folder,
    env: { ...world.env, PWD: project.folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return finished(child);
}

test('the programs that the page has are these', () => {
  expect(Object.keys(files)).toEqual([
    'serve.mjs',
    'foreground.mjs',
    'release.mjs',
    'canary.mjs',
    'status.cjs',
    'server.js',
  ]);
});

test('they compile under strict, as TypeScript too', () => {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  // What requires is judged as it is: in TypeScript `require` would have no types.
  const sources = Object.entries(files).map(([name, code]): [string, string] => [
    name.replace(/\.m?js$/, '.mts'),
    name.endsWith('.cjs') ? `// @ts-check\n${code}` : code,
  ]);
  const compilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, allowJs: true, types: ['node'] },
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2023'] },
  };
  const project = makeProject({
    ...Object.fromEntries(sources),
    'package.json': '{"name": "shop", "type": "module"}',
    'tsconfig.json': JSON.stringify({ compilerOptions, files: sources.map(([name]) => name) }),
  });
  mkdirSync(project.path('node_modules/@types'), { recursive: true });
  symlinkSync(ROOT, project.path('node_modules/zdsup'));
  symlinkSync(`${ROOT}/node_modules/@types/node`, project.path('node_modules/@types/node'));
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', project.folder], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test.concurrent.each<[string, NodeJS.Signals, (pid: number) => number]>([
  ['Ctrl-C, which reaches the app as well', 'SIGINT', (pid) => -pid],
  ['kill, which reaches the program alone', 'SIGTERM', (pid) => pid],
])('foreground.mjs waits for the app after %s', async (_, signal, whom) => {
  const { world, project } = await makePlace();
  const child = spawn(process.execPath, ['foreground.mjs'], {
    cwd: project.folder,
    env: { ...world.env, PWD: project.folder },
    detached: true, // A process group of its own, as a shell gives it one.
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = finished(child);
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  await until('it serves', () => said.includes('shop serves\n'));
  process.kill(whom(child.pid!), signal);
  const { code, stdout, stderr } = await ended;
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/\nslot 0 leaves, within \d+ s\n(.*\n)*shop has answered what was in flight\n$/);
});

test.concurrent('serve.mjs starts, reloads and stops an app of its own', async () => {
  const { code, stdout, stderr } = await run(await makePlace(), 'serve.mjs');
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/generation 1 serves with 2 workers\n(.*\n)*shop serves, its master is process \d+\n/);
  expect(stdout).toContain('generation 2 serves, no request was lost\n');
  // What the app itself says comes out of this program as well.
  expect(stdout.match(/^slot [01] leaves, within \d+ s$/gm)).toHaveLength(4);
});

test.concurrent('release.mjs starts the daemon or reloads it, canary.mjs brings in more, status.cjs looks', async () => {
  const place = await makePlace();
  const first = await run(place, 'release.mjs');
  expect(first, first.stderr).toMatchObject({ code: 0, stdout: 'shop runs\n' });
  const second = await run(place, 'release.mjs');
  expect(second.code, second.stderr).toBe(0);
  expect(second.stdout).toMatch(/\ngeneration 2 serves, the old workers have gone\n$/);
  const canary = await run(place, 'canary.mjs');
  expect(canary.code, canary.stderr).toBe(0);
  expect(canary.stdout).toBe(`${"canary { '2': 95, '3': 5 }\n".repeat(2)}generation 3 has all of the traffic\n`);
  const status = await run(place, 'status.cjs');
  expect(status, status.stderr).toMatchObject({ code: 0, stdout: 'shop is running, 1 workers\n' });
  place.project.write({ 'server.js': "console.error('last words');\nprocess.exit(3);\n" });
  const bad = await run(place, 'release.mjs');
  expect(bad.code).toBe(1);
  expect(bad.stderr).toMatch(/^ZDSUP_ROLLOUT_FAILED .*exited with code 3.*last words\n$/s);
  expect((await zdsup(place.world, ['stop', 'shop'])).code).toBe(0);
});
