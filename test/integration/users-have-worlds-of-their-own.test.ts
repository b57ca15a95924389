/** Several masters and several users on one host: each sees and steers its own; root sees and steers all. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../src/shared/snapshot.js';
import { killOwn } from '../helpers/cleanup.js';
import { makeDaemonWorld } from '../helpers/daemons.js';
import { ALICE, BOB, canBecomeOthers, openFolder } from '../helpers/other-user.js';
import { freePorts } from '../helpers/ports.js';
import { answering, makeProject } from '../helpers/project.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import type { Finished } from '../helpers/zdsup.js';
import { BIN, makeWorld, zdsup } from '../helpers/zdsup.js';

const COUNT = 10;

test('ten masters of one user are started, listed and stopped', async () => {
  const world = makeDaemonWorld();
  const ports = await freePorts(COUNT);
  const project = makeProject({ 'app.js': answering('process.env.ZDSUP_APP', 'process.env.PORT') });
  const names = ports.map((_, index) => `app${index}`);
  const run = (...args: string[]): Promise<Finished> => zdsup(world, args, { cwd: project.folder });
  // Side by side: by one command they are started one after another.
  const apps = names.map((name, index) => ({ name, script: 'app.js', minReady: 0, env: { PORT: ports[index] } }));
  project.write({ 'zdsup.config.json': JSON.stringify({ apps }) });
  const started = await Promise.all(names.map((name) => run('start', '--daemon', '--only', name)));
  expect(started.map(({ code }) => code)).toEqual(names.map(() => 0));

  const { apps: listed } = JSON.parse((await run('list', '--json')).stdout) as Snapshot;
  expect(listed.map(({ name, state }) => `${name} ${state}`)).toEqual(names.map((name) => `${name} running`));
  const answers = await Promise.all(ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/`)).text()));
  expect(answers).toEqual(names);

  const stopped = await run('stop', 'all');
  expect(stopped.code, stopped.stderr).toBe(0);
  const rest = JSON.parse((await run('list', '--json')).stdout) as Snapshot;
  expect(rest.apps.map(({ state }) => state)).toEqual(names.map(() => 'stopped'));
});

test.skipIf(!canBecomeOthers)('two users neither see nor steer each other, and root does both', async () => {
  const folder = openFolder();
  const [alicePort, bobPort] = await freePorts(2);
  cpSync(makeProject({ 'app.js': answering('process.getuid()', 'process.env.PORT') }).folder, folder, {
    recursive: true,
  });
  const { ZDSUP_HOME: _, XDG_STATE_HOME: __, ...env } = makeWorld().env;
  const homeOf = (uid: number): string => join(folder, `home-${uid}`);
  for (const uid of [ALICE, BOB, 0]) {
    mkdirSync(homeOf(uid), { mode: 0o700 });
    chownSync(homeOf(uid), uid, uid);
  }
  const as = async (uid: number, args: string[], more: Record<string, string> = {}): Promise<Finished> => {
    const child = spawn(process.execPath, [BIN, ...args], {
      ...(uid === 0 ? {} : { uid, gid: uid }),
      cwd: folder,
      env: { ...env, HOME: homeOf(uid), PWD: folder, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const [code] = (await once(child, 'close')) as [number];
    return { code, stdout, stderr };
  };
  const start = async (uid: number, name: string, port: number): Promise<void> => {
    const args = ['start', 'app.js', '--name', name, '--daemon', '--json'];
    const { code, stdout } = await as(uid, args, { PORT: String(port) });
    expect(code, stdout).toBe(0);
    const { masterPid } = JSON.parse(stdout) as { masterPid: number };
    onTestFinished(() => killOwn(masterPid)); // Its workers are orphans then, and have nothing in flight.
  };
  const namesOf = async (uid: number, more: Record<string, string> = {}): Promise<string[]> => {
    const { stdout } = await as(uid, ['list', '--json'], more);
    return (JSON.parse(stdout) as Snapshot).apps.flatMap(({ name, state }) => (state === 'stopped' ? [] : [name]));
  };
  await Promise.all([start(ALICE, 'shop', alicePort!), start(BOB, 'shop', bobPort!)]);

  expect(await namesOf(ALICE)).toEqual(['shop']);
  expect(await namesOf(BOB)).toEqual(['shop']);
  // Nor where one names the other's folder.
  const bobs = { ZDSUP_HOME: join(homeOf(BOB), '.local', 'state', 'zdsup') };
  for (const args of [['status'], ['stop', 'shop'], ['resurrect'], ['start', 'app.js', '--name', 'mine']]) {
    const { code, stderr } = await as(ALICE, args, bobs);
    expect(code, stderr).toBe(2);
    expect(stderr).toMatch(new RegExp(`belongs to user ${BOB}, .*ZDSUP_STATE_FOREIGN`));
    expect(stderr).toContain('hint: run as its owner, or set ZDSUP_HOME to a folder of your own\n');
  }
  // Where a folder cannot be made, nobody is told to open what is somebody else's.
  const below = { ZDSUP_HOME: join(folder, 'mine') };
  const made = await as(ALICE, ['start', 'app.js', '--name', 'mine'], below);
  expect(made).toMatchObject({ code: 2, stderr: expect.stringContaining('ZDSUP_STATE_UNWRITABLE') });
  expect(made.stderr).toContain('hint: set ZDSUP_HOME to another folder\n');
  expect(statSync(join(bobs.ZDSUP_HOME, 'run', 'shop.sock')).mode & 0o777).toBe(0o600);

  // Others may be on this host, too.
  expect(await namesOf(0)).toEqual(expect.arrayContaining([`${ALICE}/shop`, `${BOB}/shop`]));
  expect((await as(0, ['list'])).stdout).toContain(`${BOB}/shop  running`);
  expect((await as(0, ['describe', `${BOB}/shop`])).stdout).toContain('config in force');
  expect(await as(0, ['stop', 'shop'])).toMatchObject({ code: 2, stderr: expect.stringContaining('which app?') });
  expect(await as(0, ['logs', `${BOB}/shop`])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`runuser -u ${BOB} -- zdsup logs shop\n`),
  });
  expect((await as(0, ['reload', `${BOB}/shop`])).code).toBe(0);
  expect((await as(0, ['stop', `${ALICE}/shop`])).code).toBe(0);
  expect(await namesOf(ALICE)).toEqual([]);
  expect(await (await fetch(`http://127.0.0.1:${bobPort}/`)).text()).toBe(String(BOB));
  // In a world of its own root looks nowhere else.
  expect(await namesOf(0, { ZDSUP_HOME: homeOf(0) })).toEqual([]);
  expect((await as(BOB, ['stop'])).code).toBe(0);
});
