/** The package as its users' compilers and loaders see it, by its `exports`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Project } from '../helpers/project.js';
import { makeProject } from '../helpers/project.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FIXTURES = join(ROOT, 'test/fixtures/types');
const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** What `npm install zdsup` makes, and the types of Node. */
function install(files: Record<string, string> = {}): Project {
  const project = makeProject(files);
  mkdirSync(project.path('node_modules/@types'), { recursive: true });
  symlinkSync(ROOT, project.path('node_modules/zdsup'));
  symlinkSync(join(ROOT, 'node_modules/@types/node'), project.path('node_modules/@types/node'));
  return project;
}

const STRICT = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false, types: ['node'] };

test.each([
  ['node16', { module: 'node16' }, ['esm.mts', 'commonjs.cts']],
  ['bundler', { module: 'esnext', moduleResolution: 'bundler' }, ['esm.mts']],
])('its types hold for programs compiled with moduleResolution %s, declarations checked', (_, how, files) => {
  const project = install();
  for (const file of files) cpSync(join(FIXTURES, file), project.path(file));
  const compilerOptions = { ...STRICT, target: 'es2022', lib: ['es2023'], ...how };
  project.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
  const { stdout, status } = spawnSync(process.execPath, [TSC, '-p', project.folder], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test('import and require give the same names, without a warning, and load nothing behind them', () => {
  const NAMES = 'connect defineConfig isZdsupError start | onDrain release slot';
  const show = `console.log([a, b].map((one) => Object.keys(one).filter((key) => !['default', 'module.exports', '__esModule'].includes(key)).sort().join(' ')).join(' | '));`;
  // What `require` has loaded is listed there, also of what `import` has loaded as CommonJS.
  const loaded = `console.error(Object.keys(require.cache).map((path) => path.replace(/.*\\/zdsup\\/|.*\\/dist\\//, '')).join(' '));`;
  const project = install({
    'esm.mjs': `import * as a from 'zdsup'; import * as b from 'zdsup/worker'; ${show}`,
    'commonjs.cjs': `const a = require('zdsup'); const b = require('zdsup/worker'); ${show} ${loaded}`,
  });
  const run = (name: string): string =>
    execFileSync(process.execPath, [project.path(name)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  expect(run('esm.mjs')).toBe(`${NAMES}\n`);
  const { stdout, stderr } = spawnSync(process.execPath, [project.path('commonjs.cjs')], { encoding: 'utf8' });
  expect(stdout).toBe(`${NAMES}\n`);
  expect(stderr.trim().split(' ').slice(1)).toEqual(['index.cjs', 'app/worker.cjs', 'shared/drain-registry.cjs']);
});
