/** A value of the environment leaves the worker by no command, no error and no file of zdsup. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { freePort } from '../helpers/ports.js';
import { makeProject } from '../helpers/project.js';
import type { Finished } from '../helpers/zdsup.js';
import { zdsup } from '../helpers/zdsup.js';

const SECRETS = ['hunter2-in-the-config', 'hunter2-in-the-file', 'hunter2-in-a-bad-line', 'hunter2-of-the-master'];
/** Part of each. */
const PLANTED = 'hunter2';

test('secrets are printed by no command, no error and no file', async () => {
  const [inConfig, inFile, inBadLine, ofMaster] = SECRETS as [string, string, string, string];
  const world = makeDaemonWorld({ MASTER_TOKEN: ofMaster, ZDSUP_DEBUG: '1' });
  const port = await freePort();
  const config = (env: object): string =>
    JSON.stringify({
      name: 'till',
      script: 'app.js',
      minReady: 0,
      soak: 0,
      envFile: '.env',
      env: { PORT: port, ...env },
    });
  const project = makeProject({
    'app.js': `
      const seen = [process.env.CONFIG_TOKEN, process.env.FILE_TOKEN, process.env.MASTER_TOKEN].map(String);
      require('node:http').createServer((_, response) => response.end(seen.join(' '))).listen(+process.env.PORT, '127.0.0.1');`,
    'zdsup.config.json': config({ CONFIG_TOKEN: inConfig }),
    '.env': `FILE_TOKEN=${inFile}\n${inBadLine}\n`,
  });
  const said: string[] = [];
  const run = async (...args: string[]): Promise<Finished> => {
    const finished = await zdsup(world, args, { cwd: project.folder });
    said.push(`zdsup ${args.join(' ')}\n${finished.stdout}${finished.stderr}`);
    return finished;
  };

  const started = await run('start', '--daemon');
  expect(started.code, started.stderr).toBe(0);
  expect(started.stderr).toContain('.env:2 is no NAME=value and sets nothing');
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  expect(await answer.text()).toBe(`${inConfig} ${inFile} ${ofMaster}`);

  // What people look at, with the names in it.
  expect((await run('describe')).stdout).toContain('CONFIG_TOKEN');
  expect((await run('describe', '--json')).stdout).toContain('FILE_TOKEN');
  await run('status', '--json');
  // A new variable and another value: the name is told.
  project.write({ 'zdsup.config.json': config({ CONFIG_TOKEN: `${inConfig}2`, OTHER_TOKEN: inConfig }) });
  expect((await run('check')).stdout).toContain('OTHER_TOKEN');
  expect((await run('reload')).code).toBe(0);
  // What cannot be: each with its name or place.
  for (const [text, place] of [
    [config({ CONFIG_TOKEN: { value: inConfig } }), 'env.CONFIG_TOKEN is an object'],
    [config({ CONFIG_TOKEN: `${inConfig}\0` }), 'env.CONFIG_TOKEN is a string with a NUL byte'],
    [config({}).replace('"env"', `"env": ${inConfig}, "other"`), 'near line 1'],
    [config({}).replace('"env":', '"env": "TOKEN='.concat(inConfig, '", "other":')), 'unknown key other'],
  ]) {
    project.write({ 'zdsup.config.json': text! });
    const refused = await run('reload', '--json');
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain(place);
  }
  project.write({ 'zdsup.config.json': config({}), '.env': `FILE_TOKEN=${inFile}\0\n` });
  expect((await run('reload')).stderr).toContain('.env:1 has a NUL byte');
  const rollouts = JSON.parse((await run('history', '--json')).stdout) as { id: string }[];
  await run('history', String(Object.values(rollouts)[0]?.id ?? ''));
  await run('history');
  await run('logs', '--events', '--json');
  await run('logs', '-n', '1000');
  expect((await run('stop')).code).toBe(0);
  await run('describe', '--json');

  expect(said.filter((text) => text.includes(PLANTED))).toEqual([]);
  const files = readdirSync(world.home, { recursive: true, encoding: 'utf8' })
    .map((name) => join(world.home, name))
    .filter((path) => statSync(path).isFile());
  const named = (path: string): string => relative(world.home, path);
  expect(files.map(named)).toContain('apps/till.json');
  expect(files.filter((path) => readFileSync(path, 'latin1').includes(PLANTED)).map(named)).toEqual([]);
  expect(files.filter((path) => (statSync(path).mode & 0o077) !== 0).map(named)).toEqual([]);
});
