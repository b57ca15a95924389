/** `zdsup status --watch`: what a person sees at terminals of several sizes while things happen, and what scripts read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../src/shared/snapshot.js';
import { killOwn } from '../helpers/cleanup.js';
import { startLoad } from '../helpers/load/client.js';
import { keepAlive, perRequest } from '../helpers/load/exchanges.js';
import { freePort } from '../helpers/ports.js';
import type { Project } from '../helpers/project.js';
import { answering, makeProject } from '../helpers/project.js';
import { zdsupCommand } from '../helpers/pty.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { Tmux } from '../helpers/tmux.js';
import { until } from '../helpers/until.js';
import type { Master, World } from '../helpers/zdsup.js';
import { BIN, startMaster } from '../helpers/zdsup.js';

interface Scene {
  master: Master;
  project: Project;
  port: number;
}

async function start(config: Record<string, unknown> = {}, world?: World): Promise<Scene> {
  const port = await freePort();
  const project = makeProject({
    'app.js': answering('process.env.ZDSUP_GENERATION', port),
    'zdsup.config.json': JSON.stringify({ name: 'shop', script: 'app.js', instances: 2, minReady: 50, ...config }),
  });
  const options = { cwd: project.folder, args: [], ...(world ? { world } : {}) };
  return { master: await startMaster(options), project, port };
}

test.concurrent('a canary is followed at 80×24 and at 200×60, in place; the terminal is left as it was', async () => {
  const steps = [5, 50].map((weight) => ({ weight, pause: true }));
  const { master, project, port } = await start({ canary: { steps } });
  const loads = [startLoad({ port }, 2, perRequest()), startLoad({ port }, 2, keepAlive())];
  onTestFinished(async () => void (await Promise.all(loads.map((load) => load.stop()))));
  const usual = new Tmux(master.world, { columns: 80, rows: 24 }, project.folder);
  const large = new Tmux(master.world, { columns: 200, rows: 60 }, project.folder);
  const both = [usual, large];
  for (const terminal of both) await terminal.run(zdsupCommand('status --watch shop'));
  for (const terminal of both)
    await terminal.seen(/^traffic +[1-9]\d* req\/s, p50 [\d.]+ ms, p99 [\d.]+ ms, errors 0 %/m);
  expect(usual.property('alternate_on'), 'what was there before is kept').toBe('1');
  expect(usual.property('cursor_flag')).toBe('0');

  project.write({ 'app.js': `${answering('process.env.ZDSUP_GENERATION', port)}// The next release.` });
  expect((await master.run('reload')).code).toBe(0);
  for (const terminal of both) {
    await terminal.seen('rollout    to generation 2: canary, generation 1 95 %, generation 2 5 %');
    await terminal.seen(/^canary +step 1 of 2, waits for zdsup promote shop; (good|inconclusive): /m);
    await terminal.seen(/^ +1 +95 % +2 +[1-9]\d* .*\n +2 +5 % +1 +[1-9]/m); // The generations side by side.
  }
  expect((await large.seen(/ heap +cpu +memory/)).join('\n')).toMatch(
    /^\d\d:\d\d:\d\d {2}shop: generation 2 gets 5 %/m,
  );
  expect((await master.run('promote')).code).toBe(0);
  for (const terminal of both) await terminal.seen('generation 1 50 %, generation 2 50 %');
  expect((await master.run('promote')).code).toBe(0);
  for (const terminal of both) await terminal.seen(/^shop {2}running {2}generation 2 /m);
  await usual.seen(/^soak +generation 2 is on trial/m);

  usual.resize(40, 10);
  const small = await usual.seen('left out: ');
  expect(small).toHaveLength(10);
  expect(small[0]).toMatch(/^shop {2}running {2}generation 2/);
  expect(small[9]).toMatch(/^q quits; left out: \d/);
  usual.resize(20, 4);
  await usual.seen('20×4 is too small');
  usual.resize(80, 24);
  await usual.seen(/^slot .* memory$/m);
  usual.press('C-z');
  expect(await usual.prompt(), 'suspended').toBe(148);
  expect(usual.property('alternate_on')).toBe('0');
  await usual.run('fg');
  await usual.seen(/^q quits/m);

  usual.press('q');
  large.press('C-c');
  expect(await usual.prompt()).toBe(0);
  expect(await large.prompt()).toBe(130);
  for (const terminal of both) {
    expect(['alternate_on', 'cursor_flag'].map((name) => terminal.property(name))).toEqual(['0', '1']);
    expect(terminal.lines().join('\n'), 'the last frame stays').toMatch(/^shop {2}running {2}generation 2/m);
    await terminal.run('stty -a');
    await terminal.seen(/ icanon .* echo /s);
  }
  const raw = readFileSync(large.rawPath, 'latin1');
  expect(raw.split('\x1b[2J'), 'cleared once, at the beginning').toHaveLength(2);
  expect(raw.split('\x1b[?2026h').length, 'drawn many times').toBeGreaterThan(5);
});

test.concurrent('a master that ends is shown as stopped, and as itself when it is back', async () => {
  const { master, project } = await start();
  const terminal = new Tmux(master.world, { columns: 80, rows: 24 }, project.folder);
  await terminal.run(zdsupCommand('status -w'));
  await terminal.seen(/^shop {2}running {2}generation 1 .*\n(.*\n)*slot /m);
  master.signal('SIGTERM');
  const stopped = await terminal.seen(/^shop {2}stopped {2}[\d.]+ m?s ago/m);
  expect(stopped.join('\n'), 'nothing of before is left').not.toContain('slot');
  await master.exited();
  const again = await startMaster({ world: master.world, cwd: project.folder, args: [] });
  await terminal.seen(new RegExp(`^shop {2}running {2}generation 1 .* master ${again.pid},`, 'm'));
  killOwn(again.pid, 'SIGSTOP');
  await terminal.seen('shop  unresponsive');
  killOwn(again.pid, 'SIGCONT');
  await terminal.seen(/^shop {2}running/m);
});

test.concurrent('a Ctrl-Z that nobody could end again changes nothing', async () => {
  const { master, project } = await start();
  const terminal = new Tmux(master.world, { columns: 80, rows: 24 }, project.folder);
  // In place of the shell, which would be told of the stop: the kernel stops no such process.
  await terminal.run(`exec ${zdsupCommand('status --watch shop')}`);
  await terminal.seen(/^shop {2}running/m);
  const begins = (): number => readFileSync(terminal.rawPath, 'latin1').split('\x1b[?1049h').length - 1;
  expect(begins()).toBe(1);
  terminal.press('C-z');
  await until('it is there again', () => begins() === 2);
  expect(['alternate_on', 'cursor_flag'].map((name) => terminal.property(name))).toEqual(['1', '0']);
  await terminal.seen(/^shop {2}running/m);
});

test.concurrent('one that is stopped from outside gives the terminal back, and draws anew where it is continued', async () => {
  const { master, project } = await start();
  const terminal = new Tmux(master.world, { columns: 80, rows: 24 }, project.folder);
  const isGivenBack = (): boolean =>
    terminal.property('alternate_on') === '0' && terminal.property('cursor_flag') === '1';
  await terminal.run(`${zdsupCommand('status --watch shop')} & echo watched=$!=; fg`);
  await terminal.seen(/^q quits/m);
  const [, pid] = /watched=(\d+)=/.exec(readFileSync(terminal.rawPath, 'latin1'))!;
  const kernelSays = (): string => readFileSync(`/proc/${pid}/status`, 'latin1');
  /** How often it has had the processor. */
  const turns = (): number =>
    [...kernelSays().matchAll(/ctxt_switches:\t(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  for (let round = 0; round < 2; round++) {
    await terminal.seen(/^q quits/m);
    expect(isGivenBack()).toBe(false);
    killOwn(Number(pid), 'SIGTSTP');
    expect(await terminal.prompt(), 'stopped').toBe(148);
    expect(isGivenBack()).toBe(true);
    await terminal.run('stty -a');
    await terminal.seen(/ icanon .* echo /s);
    // In the background the screen is not its to draw on.
    const before = turns();
    killOwn(Number(pid), 'SIGCONT');
    await until('it has stopped again', () => turns() > before && /^State:\tT/m.test(kernelSays()));
    expect(isGivenBack()).toBe(true);
    await terminal.run('clear; fg');
  }
  await terminal.seen(/^q quits/m);
  terminal.press('q');
  expect(await terminal.prompt()).toBe(0);
  expect(isGivenBack()).toBe(true);
});

test.concurrent('scripts read a snapshot a line, with figures; a pipe gets frame after frame', async () => {
  const { master, project } = await start();
  const watch = (...args: string[]) => {
    const child = spawn(process.execPath, [BIN, 'status', '--watch', ...args], {
      cwd: project.folder,
      env: master.world.env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
    return { child, closed: once(child, 'exit') };
  };
  const json = watch('--json', 'shop');
  for await (const line of createInterface({ input: json.child.stdout })) {
    const { apps } = JSON.parse(line) as Snapshot;
    expect(apps.map(({ name, state }) => ({ name, state }))).toEqual([{ name: 'shop', state: 'running' }]);
    if (apps[0]!.figures && apps[0]!.workers.every(({ figures }) => figures)) break;
  }
  json.child.stdout.destroy(); // As head does.
  expect(await json.closed).toEqual([0, null]);

  const frames = watch();
  let text = '';
  for await (const line of createInterface({ input: frames.child.stdout })) {
    text += `${line}\n`;
    if (text.split('\n--- ').length > 3 && line.startsWith('slot')) break;
  }
  expect(text).toMatch(/^--- \d{4}-\d\d-\d\dT\S+Z\nshop {2}running/);
  expect(text, 'no terminal is steered').not.toContain('\x1b');
  frames.child.kill('SIGINT');
  expect(await frames.closed).toEqual([null, 'SIGINT']);
});

test.concurrent('one that is neither running nor remembered is an error, as of status', async () => {
  const { master } = await start();
  const { code, stderr } = await master.run('status', '--watch', 'shpo');
  expect(code).toBe(3);
  expect(stderr).toContain('did you mean shop?');
});
