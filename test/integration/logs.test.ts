/** What a daemon writes is found again: its last lines, however long the log is, and what it writes from then on. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { indexPath } from '../../src/shared/log-names.js';
import { killOwn } from '../helpers/cleanup.js';
import { goneFrom, logPath, makeDaemonWorld, recordOf, recordPath } from '../helpers/daemons.js';
import { answering, makeProject } from '../helpers/project.js';
import { Terminal } from '../helpers/pty.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { World } from '../helpers/zdsup.js';
import { BIN, startMaster, zdsup } from '../helpers/zdsup.js';

const CONFIG = JSON.stringify({ name: 'talks', script: 'app.js', minReady: 0 });

/** A daemon that has run once and is stopped, with a log of the test's own making. */
async function withLog(text: string): Promise<{ world: World; log: string }> {
  const world = makeDaemonWorld();
  const { folder } = makeProject({ 'app.js': answering("''", 0), 'zdsup.config.json': CONFIG });
  expect(await zdsup(world, ['start', '--daemon'], { cwd: folder })).toMatchObject({ code: 0 });
  const { masterPid } = recordOf(world, 'talks');
  await zdsup(world, ['stop', 'talks']);
  await goneFrom(masterPid); // Its very last line comes after the answer to the stop.
  const log = logPath(world, 'talks');
  writeFileSync(log, text);
  rmSync(indexPath(log), { force: true }); // It knows of what was in it before.
  return { world, log };
}

interface Following {
  child: ChildProcess;
  text(): string;
  shows(text: string): Promise<string>;
}

function follow(world: World, ...args: string[]): Following {
  const child = spawn(process.execPath, [BIN, 'logs', 'talks', '-f', ...args], {
    env: world.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => killOwn(child.exitCode === null && child.signalCode === null ? child.pid : undefined));
  let text = '';
  child.stdout!.on('data', (chunk) => (text += chunk));
  return {
    child,
    text: () => text,
    shows: (wanted) =>
      until(
        `it shows ${wanted}`,
        () => text,
        (seen) => seen.includes(wanted),
      ),
  };
}

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

test.concurrent('the last lines are shown, 20 of them or as many as are wanted', async () => {
  const { world, log } = await withLog(numbered(1, 50));
  const shown = async (...args: string[]): Promise<string> => (await zdsup(world, ['logs', 'talks', ...args])).stdout;
  expect(await shown()).toBe(numbered(31, 50));
  expect(await shown('-n', '3')).toBe(numbered(48, 50));
  expect(await shown('--lines', '500')).toBe(numbered(1, 50));
  expect(await shown('-n', '0')).toBe('');
  appendFileSync(log, 'unfinished');
  expect(await shown('-n', '2')).toBe('line 50\nunfinished');
  expect(
    (await shown('-n', '2', '--json'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { app: 'talks', line: 'line 50' },
    { app: 'talks', line: 'unfinished' },
  ]);
  expect((await zdsup(world, ['logs'])).stdout, 'the only app needs no name').toMatch(/^line 32\n/);
});

test.concurrent('where no line matches, it says so on stderr, and what was asked for', async () => {
  const { world } = await withLog(numbered(1, 5));
  const none = async (...args: string[]) => zdsup(world, ['logs', 'talks', ...args]);
  for (const flags of [
    ['--worker', '9'],
    ['--generation', '9', '--grep', 'line'],
    ['--grep', 'lime'],
    ['--since', '0s'],
  ])
    expect(await none(...flags)).toEqual({
      ...{ code: 0, stdout: '' },
      stderr: expect.stringContaining(`no line of the log of talks matches ${flags.join(' ')}\n`) as string,
    });
  expect(await none('--grep', 'line 3')).toEqual({ code: 0, stdout: 'line 3\n', stderr: '' });
  expect(await none('-n', '0', '--grep', 'line 3')).toEqual({ code: 0, stdout: '', stderr: '' });
});

test.concurrent('a log of hundreds of MB is read from its end', async () => {
  const { world, log } = await withLog('');
  truncateSync(log, 700 * 2 ** 20); // A hole: it takes no room, and is longer than any string may be.
  appendFileSync(log, `\n${'x'.repeat(200_000)}\n${numbered(1, 2)}`);
  const { code, stdout } = await zdsup(world, ['logs', 'talks', '-n', '3'], { node: ['--max-old-space-size=64'] });
  truncateSync(log, 0);
  expect(code).toBe(0);
  expect(stdout === `${'x'.repeat(200_000)}\n${numbered(1, 2)}`, `${stdout.length} characters`).toBe(true);
});

test.concurrent('-f shows what is written from then on, and survives a cut and a rotation of the file', async () => {
  const { world, log } = await withLog(numbered(1, 5));
  const following = follow(world, '-n', '1');
  await following.shows('line 5\n');
  appendFileSync(log, 'written later\n');
  await following.shows('written later\n');
  truncateSync(log, 0);
  appendFileSync(log, 'after the cut\n');
  await following.shows('after the cut\n');
  renameSync(log, `${log}.1`);
  appendFileSync(`${log}.1`, 'to the old file still\n');
  writeFileSync(log, 'in the new file\n');
  await following.shows('in the new file\n');
  rmSync(log);
  writeFileSync(log, 'and once more\n');
  await following.shows('and once more\n');
  expect(following.text()).toBe(
    'line 5\nwritten later\nafter the cut\nto the old file still\nin the new file\nand once more\n',
  );
});

test.concurrent('-f waits for a log that is not there yet, and follows an app through its stop and its next start', async () => {
  const { world, log } = await withLog('');
  rmSync(log);
  expect(await zdsup(world, ['logs', 'talks'])).toEqual({
    code: 0,
    stdout: '',
    stderr: `talks has no log yet: ${log}\n`,
  });
  const following = follow(world);
  expect((await zdsup(world, ['start', 'talks'])).code).toBe(0);
  await following.shows('generation 1 serves');
  await zdsup(world, ['stop', 'talks']);
  await following.shows('"msg":"stopped"');
});

test.concurrent('-f ends by Ctrl-C as tail -f does, and when its reader leaves', async () => {
  const { world, log } = await withLog(numbered(1, 5));
  const interrupted = follow(world);
  await interrupted.shows('line 5\n');
  interrupted.child.kill('SIGINT');
  expect(await once(interrupted.child, 'exit')).toEqual([null, 'SIGINT']);
  const left = follow(world);
  await left.shows('line 5\n');
  const exited = once(left.child, 'exit');
  left.child.stdout!.destroy();
  await until(
    'it notices',
    () => {
      appendFileSync(log, 'more\n');
      return left.child.exitCode;
    },
    (code) => code !== null,
  );
  expect(await exited).toEqual([0, null]);
});

test.concurrent("on a terminal the master's own lines are told for people, the app's as they are", async () => {
  const own = { level: 'info', time: '2026-01-01T12:00:00.000Z', app: 'talks', name: 'zdsup', kind: 'serving' };
  const { world } = await withLog(
    `${JSON.stringify({ ...own, msg: 'generation 1 serves' })}\n{"level":"info","msg":"mine"}\n`,
  );
  const terminal = new Terminal(world);
  const from = await terminal.zdsup('logs talks');
  expect(await terminal.prompt(from)).toBe(0);
  expect(terminal.lines(from).slice(0, 2)).toEqual([
    expect.stringMatching(/^\[\d\d:00:00\] talks: generation 1 serves$/),
    '{"level":"info","msg":"mine"}',
  ]);
});

test.concurrent('of an app in the foreground it says where to look, and exits 3', async () => {
  const world = makeDaemonWorld();
  const { folder } = makeProject({ 'app.js': answering("''", 0), 'zdsup.config.json': CONFIG });
  const master = await startMaster({ world, cwd: folder, args: [] });
  const { code, stdout, stderr } = await master.run('logs');
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  expect(stderr).toMatch(/^error: talks is no daemon: .*\(ZDSUP_LOG_ELSEWHERE\)\nhint: .*(journalctl|terminal)/);
  expect((await zdsup(world, ['logs', 'nobody'])).code).toBe(3);
});

test.concurrent('whatever the record says, the log is the one in the state folder', async () => {
  const { world } = await withLog('the log\n');
  writeFileSync(recordPath(world, 'talks'), JSON.stringify({ ...recordOf(world, 'talks'), logFile: '/etc/hostname' }));
  expect((await zdsup(world, ['logs', 'talks'])).stdout).toBe('the log\n');
});

test.concurrent('without a name it is the log of the only app that runs, also beside others that are remembered', async () => {
  const { world } = await withLog('the log\n');
  const { folder } = makeProject({ 'app.js': answering("''", 0) });
  const master = await startMaster({ world, cwd: folder, args: ['app.js', '--name', 'runs'] });
  expect((await zdsup(world, ['logs'], { cwd: '/' })).stderr).toContain('runs is no daemon');
  expect((await master.run('stop', 'runs')).code).toBe(0);
  expect((await zdsup(world, ['logs'], { cwd: '/' })).stderr).toMatch(/which app\? runs, talks are known/);
});

test.concurrent('lines are told apart by worker, generation and time, also in what was rotated and compressed', async () => {
  const world = makeDaemonWorld();
  const app = `for (let i = 0; i < 20; i++) console.log('line ' + i + ' of ' + process.env.ZDSUP_GENERATION + '.' + process.env.ZDSUP_SLOT);
console.error(JSON.stringify({ level: 30, time: Date.now(), pid: process.pid, msg: 'of pino' }));
${answering("''", 0)}`;
  const config = { name: 'talks', script: 'app.js', instances: 2, minReady: 0, log: { maxSize: '1kb', keep: 1000 } };
  const { folder } = makeProject({ 'app.js': app, 'zdsup.config.json': JSON.stringify(config) });
  expect(await zdsup(world, ['start', '--daemon'], { cwd: folder })).toMatchObject({ code: 0 });
  expect(await zdsup(world, ['reload', 'talks'])).toMatchObject({ code: 0 });
  const terminal = new Terminal(world);
  const begin = await terminal.zdsup('logs talks -n 1000 --grep pino');
  expect(await terminal.prompt(begin)).toBe(0);
  expect(
    terminal.lines(begin).filter((line) => /^[12]\.[01] \| \[\d\d:\d\d:\d\d\.\d{3}\] INFO: of pino$/.test(line)),
  ).toHaveLength(4);
  const { masterPid } = recordOf(world, 'talks');
  await zdsup(world, ['stop', 'talks']);
  await goneFrom(masterPid);
  const shown = async (...args: string[]): Promise<string[]> =>
    (await zdsup(world, ['logs', 'talks', '-n', '1000', ...args])).stdout.trim().split('\n');
  const lines = (from: number, of: string): string[] =>
    Array.from({ length: 20 - from }, (_, index) => `line ${from + index} of ${of}`);
  expect(await shown('--grep', '^line .* of 1.0$')).toEqual(lines(0, '1.0'));
  expect(await shown('--generation', '2', '--worker', '1', '--grep', '^line')).toEqual(lines(0, '2.1'));
  expect(await shown('--generation', '2', '--worker', '1', '--grep', '^line', '-n', '3')).toEqual(lines(17, '2.1'));
  const [first] = (await shown('--worker', '0', '--json')).map((line) => JSON.parse(line) as { time: string });
  expect(first).toEqual({
    app: 'talks',
    line: 'line 0 of 1.0',
    time: expect.any(String),
    worker: 0,
    generation: 1,
    stream: 'stdout',
  });
  // Of the same worker: which of two begins to write first, the host decides.
  const own = (await shown('--worker', '1', '--json')).map(
    (line) => JSON.parse(line) as { line: string; time: string },
  );
  const sevenSince = (line: string): Promise<string[]> =>
    shown('--since', own.find((one) => one.line === line)!.time, '--worker', '1', '--grep', ' 7 of ');
  expect(await sevenSince('line 0 of 1.1')).toEqual(['line 7 of 1.1', 'line 7 of 2.1']);
  expect(await sevenSince('line 0 of 2.1')).toEqual(['line 7 of 2.1']);
  expect(
    (await zdsup(world, ['logs', 'talks', '--since', '10m', '--grep', 'of 2.0$'])).stdout.trim().split('\n'),
  ).toEqual(lines(0, '2.0'));
  expect(await shown('--since', '0s')).toEqual(['']);
  expect((await zdsup(world, ['logs', 'talks', '--since', 'noon'])).code).toBe(2);
});
