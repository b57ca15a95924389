/** What changes something takes no app for granted that merely was started once. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { chooseToChange } from '../../src/client/app-to-change.js';
import type { StartRequest } from '../../src/shared/app-record.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';

let home: string;
const elsewhere = (files: Record<string, string> = {}): string => makeProject(files).folder;

beforeEach(() => {
  home = temporaryFolder();
  vi.stubEnv('ZDSUP_HOME', home);
  return () => vi.unstubAllEnvs();
});

function remember(name: string, request: Partial<StartRequest>): void {
  mkdirSync(join(home, 'apps'), { recursive: true });
  const startedAt = '2026-01-01T12:00:00.000Z';
  const record = {
    ...{ name, startedAt, masterPid: 1, version: '0.1.0', daemon: true, logFile: null, logFormat: null },
    request: { overrides: {}, baseDir: '/srv', ...request },
    ended: { at: startedAt, how: 'stopped', reason: null },
  };
  writeFileSync(join(home, 'apps', `${name}.json`), JSON.stringify(record));
}

/** As a master would answer. */
async function run(name: string): Promise<void> {
  mkdirSync(join(home, 'run'), { recursive: true });
  const server = createServer((socket) => socket.end()).listen(join(home, 'run', `${name}.sock`));
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
}

const chosen = async (here: string): Promise<string> => (await chooseToChange('deploy', here)).name;

test('the only one that is remembered is not meant in a folder that is not its own', async () => {
  remember('shop', { baseDir: '/srv/shop' });
  await expect(chooseToChange('deploy', elsewhere())).rejects.toMatchObject({
    code: 'ZDSUP_APP_AMBIGUOUS',
    exitStatus: 2,
    message: expect.stringContaining('known: shop (which does not run)'),
    hint: 'name it: zdsup deploy shop; zdsup start <script> starts one of this folder',
  });
});

test.for([
  ['that it was started from', (folder: string) => ({ baseDir: folder, overrides: { script: 'bin/www' } })],
  ['of its config', (folder: string) => ({ configPath: join(folder, 'zdsup.config.js') })],
  ['of its script', (folder: string) => ({ baseDir: '/', overrides: { script: join(folder, 'app.js') } })],
] as const)('it is meant in the folder %s, whatever its name', async ([, of]) => {
  const folder = elsewhere({ 'package.json': '{"name": "other"}' });
  remember('shop', of(folder));
  remember('blog', {});
  await run('blog');
  expect(await chosen(folder)).toBe('shop');
});

test('the only one that runs is meant where nothing says that another app lies there', async () => {
  remember('shop', { baseDir: '/srv/shop' });
  remember('blog', { baseDir: '/srv/blog' });
  await run('shop');
  expect(await chosen(elsewhere())).toBe('shop');
  for (const [sign, start] of [
    ['package.json', 'zdsup start <script>'],
    ['server.mjs', 'zdsup start server.mjs'],
    ['zdsup.config.ts', 'zdsup start'],
  ] as const)
    await expect(chosen(elsewhere({ [sign]: '{}' }))).rejects.toMatchObject({
      code: 'ZDSUP_APP_AMBIGUOUS',
      message: expect.stringContaining(`which has a ${sign} of its own (known: blog (which does not run), shop)`),
      hint: `name it: zdsup deploy <app>; ${start} starts one of this folder`,
    });
});

test('of two that were started from one folder it is the one that runs, else nobody knows', async () => {
  const folder = elsewhere({ 'package.json': '{}' });
  for (const name of ['one', 'two']) remember(name, { baseDir: folder });
  await expect(chosen(folder)).rejects.toMatchObject({ message: 'which app? one, two are known' });
  await run('two');
  expect(await chosen(folder)).toBe('two');
});
