/** What workers write is in the files: whole, in order, all of it; and no disk, no reader and no death of a process holds up the app. */
import { execFileSync, spawn } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setInterval as ticks } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ask } from '../../src/client/control-client.js';
import { killOwn, temporaryFolder } from '../helpers/cleanup.js';
import { goneFrom } from '../helpers/daemons.js';
import { freePort } from '../helpers/ports.js';
import { shoutsIn, shoutsOf } from '../helpers/shouts.js';
import { onTestFinished } from '../helpers/side-by-side.js';
import { until } from '../helpers/until.js';
import type { Master } from '../helpers/zdsup.js';
import { BIN, startMaster } from '../helpers/zdsup.js';

/** How long the workers write: 10 for the whole promise. */
const SECONDS = Number(process.env.LOG_SECONDS ?? 1);
/** It is asked every 2 s, and replaced after 5 questions without an answer. */
const HUNG_FOR_MS = 30_000;
const APP = fileURLToPath(new URL('../fixtures/shouting-app/app.cjs', import.meta.url));

interface Scene {
  master: Master;
  /** Of stdout, and of stderr. */
  log: string;
  errors: string;
  shout(): void;
  answers(): Promise<number>;
}

async function start(
  log: object,
  options: { seconds?: number; least?: number; instances?: number; folder?: string } = {},
): Promise<Scene> {
  const { seconds = SECONDS, least = 0, instances = 2, folder = temporaryFolder() } = options;
  const file = join(folder, 'out.log');
  const cwd = temporaryFolder();
  const config = {
    name: 'shouts',
    script: APP,
    instances,
    minReady: 0,
    log: { out: file, error: join(folder, 'error.log'), ...log },
  };
  writeFileSync(join(cwd, 'zdsup.config.json'), JSON.stringify(config));
  const port = await freePort();
  const env = { PORT: String(port), SHOUT_MS: String(seconds * 1_000), SHOUT_LINES: String(least) };
  const master = await startMaster({ cwd, args: [], env });
  return {
    master,
    log: file,
    errors: join(folder, 'error.log'),
    shout() {
      for (const pid of master.liveWorkerPids) process.kill(pid, 'SIGUSR2');
    },
    answers: async () => Number(await (await fetch(`http://127.0.0.1:${port}/`)).text()),
  };
}

const logProcessOf = (master: Master): number =>
  Number(
    readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, 'utf8')
      .split(' ')
      .find((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('zdsup shouts log')),
  );

/** All that was written is in the files when the log process has ended. */
async function stopped(master: Master): Promise<void> {
  const logger = logProcessOf(master);
  process.kill(master.pid, 'SIGTERM');
  await master.exited();
  await goneFrom(logger);
}

const statusMs = async (master: Master): Promise<number> => {
  const before = performance.now();
  await ask(join(master.world.home, 'run', 'shouts.sock'), { command: 'status' });
  return performance.now() - before;
};

/** `zdsup logs -f`, whose output goes to a file: a reader as fast as any. */
async function followed(master: Master): Promise<{ pid: number; text(): string }> {
  const path = join(temporaryFolder(), 'seen');
  const child = spawn(process.execPath, [BIN, 'logs', 'shouts', '-f', '-n', '1000'], {
    env: master.world.env,
    stdio: ['ignore', openSync(path, 'w'), 'inherit'],
  });
  onTestFinished(() => killOwn(child.pid));
  const text = (): string => readFileSync(path, 'utf8');
  await until('it has begun', text, (seen) => seen !== '');
  return { pid: child.pid!, text };
}

const rested = (errors: string): number => readFileSync(errors, 'utf8').match(/ rests$/gm)?.length ?? 0;

test(`two workers write as fast as they can, twice for ${SECONDS} s, through rotations, a reload and two readers, of which one stands still`, {
  timeout: 60_000 + 10_000 * SECONDS,
}, async () => {
  const { master, log, errors, shout } = await start({ maxSize: '2mb', keep: 100_000 });
  const [reader, stalled] = await Promise.all([followed(master), followed(master)]);
  process.kill(stalled.pid, 'SIGSTOP');
  shout();
  const times: number[] = [];
  for await (const _ of ticks(100)) {
    times.push(await statusMs(master));
    if (rested(errors) === 2) break;
  }
  shout();
  expect((await master.run('reload')).code).toBe(0);
  const second = master.liveWorkerPids;
  shout();
  await until(
    'they have written for their time',
    () => readFileSync(errors, 'utf8'),
    (text) => second.every((pid) => text.includes(`${pid} rests`)),
    30_000 + 2_000 * SECONDS,
  );
  await stopped(master);
  const { lines, files, wrong, ends } = shoutsOf(log);
  const told = `${lines} lines in ${files} files, status in ${times.map(Math.round).join(' ')} ms`;
  expect(wrong, told).toEqual([]);
  expect(ends.size, told).toBe(4);
  expect(files, told).toBeGreaterThan(process.env.LOG_SECONDS ? 3 : 1); // A starved host writes as much in a second as there is time for.
  // By itself, each; beside other tests, half of them.
  const sorted = times.toSorted((a, b) => a - b);
  expect(sorted[process.env.LOG_SECONDS ? times.length - 1 : Math.floor(times.length / 2)], told).toBeLessThan(200);
  process.kill(stalled.pid, 'SIGCONT');
  for (const { text } of [reader, stalled]) {
    await until(
      'the reader has seen all of it',
      () => shoutsIn(text()),
      (seen) => seen.lines === lines || seen.wrong.length > 0,
      30_000,
    );
    expect(shoutsIn(text()).wrong).toEqual([]);
  }
  if (process.env.LOG_SECONDS) console.log(told);
});

/** Of each worker, in lines: for a disk of 6 MB and a queue of 4. */
const MORE_THAN_FITS = 100_000;

const dropped = (text: string): number[] =>
  [...text.matchAll(/"kind":"lines-dropped","lines":(\d+)/g)].map(([, count]) => Number(count));

/** What the app must go on doing while nothing can be written. */
async function goesOn({ master, errors, answers, shout }: Scene): Promise<void> {
  shout();
  expect(master.liveWorkerPids).toContain(await answers());
  const snapshot = await until(
    'lines are dropped',
    async () => await master.status(),
    ({ log }) => (log?.droppedLines ?? 0) > 0,
    30_000,
  );
  expect(snapshot.log?.files).toHaveLength(2);
  expect(master.liveWorkerPids).toContain(await answers());
  await until(
    'they rest: nobody has held them up',
    () => rested(errors),
    (count) => count === 2,
    30_000 + 2_000 * SECONDS,
  );
  expect((await master.run('reload')).code).toBe(0);
}

test('a full disk: the app goes on, and what found no room is counted, in the status and in the file (as root alone)', {
  concurrent: true,
  skip: process.getuid?.() !== 0,
}, async () => {
  const folder = temporaryFolder();
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]);
  onTestFinished(() => void execFileSync('umount', ['-l', disk]));
  const scene = await start({ out: join(disk, 'out.log'), rotate: false }, { folder, least: MORE_THAN_FITS });
  await goesOn(scene);
  const { master } = scene;
  const out = join(disk, 'out.log');
  expect((await master.run('status')).stdout).toMatch(
    /^log +cannot be written: no space left on the disk; [\d,]+ lines dropped/m,
  );
  const full = readFileSync(out, 'utf8');
  const before = shoutsIn(full);
  truncateSync(out);
  await until(
    'the file tells of the gap',
    () => dropped(readFileSync(out, 'utf8')),
    (told) => told.length > 0,
  );
  const { log } = await until(
    'the trouble is over',
    () => master.status(),
    (seen) => seen.log?.trouble === null,
  );
  await stopped(master);
  // What was cut in two by the full disk goes on where the cut file begins.
  const cut = full.slice(full.lastIndexOf('\n') + 1) + readFileSync(out, 'utf8').split('\n')[0];
  expect(cut).toMatch(/^\d+ \d+ x{60}$/);
  const after = shoutsIn(readFileSync(out, 'utf8').slice(readFileSync(out, 'utf8').indexOf('\n') + 1), true);
  expect({ before: before.wrong, after: after.wrong }).toEqual({ before: [], after: [] });
  expect(dropped(readFileSync(out, 'utf8')).reduce((sum, count) => sum + count)).toBe(log?.droppedLines);
  expect(log?.trouble).toBeNull();
});

test.concurrent('a disk that stands still: the app goes on, and so does the file once it moves again', async () => {
  const folder = temporaryFolder();
  const out = join(folder, 'out.log');
  execFileSync('mkfifo', [out]); // A write to it does not return until somebody reads.
  const scene = await start({ rotate: false }, { folder, least: MORE_THAN_FITS });
  await goesOn(scene);
  const text: Buffer[] = [];
  const reading = createReadStream(out).on('data', (chunk) => text.push(chunk as Buffer));
  onTestFinished(() => void reading.destroy());
  const told = await until(
    'the file tells of the gap',
    () => dropped(Buffer.concat(text).toString()),
    (found) => found.length > 0,
  );
  await until(
    'the status has the same count',
    async () => (await scene.master.status()).log?.droppedLines,
    (count) => count === told.reduce((sum, one) => sum + one),
  );
  await stopped(scene.master);
  expect(shoutsIn(Buffer.concat(text).toString(), true).wrong).toEqual([]);
});

test.concurrent('a crash right after more lines than a pipe holds loses none, and its last words are in the report; a killed log process loses no worker', async () => {
  const { master, log, errors, answers } = await start({});
  const [first, second] = master.liveWorkerPids as [number, number];
  const old = logProcessOf(master);
  process.kill(old, 'SIGKILL');
  process.kill(first, 'SIGWINCH');
  await master.seen('it says so', ({ msg }) => msg.includes('the log process ended (SIGKILL), another one goes on'));
  await master.seen('the crash is told', ({ kind }) => kind === 'worker-exited');
  const { exits } = JSON.parse((await master.run('describe', '--json')).stdout) as {
    exits: { pid: number; stderr: string[] }[];
  };
  expect(exits.find(({ pid }) => pid === first)?.stderr).toEqual(
    expect.arrayContaining(['last words', 'Error: boom', `Node.js ${process.version}`]),
  );
  expect((await master.status()).log).toMatchObject({ restarts: 1, droppedLines: 0 });
  process.kill(second, 'SIGUSR2');
  await until(
    'the other one writes on',
    () => rested(errors),
    (count) => count === 1,
  );
  expect(await answers()).toBeGreaterThan(0);
  await stopped(master);
  const { wrong, ends } = shoutsOf(log);
  expect({ wrong, crashed: ends.get(String(first)) }).toEqual({ wrong: [], crashed: 20_001 });
});

test.concurrent('a log process that hangs is replaced: until then the app waits, and nothing is lost', async () => {
  const { master, log, errors, shout, answers } = await start({});
  const pids = master.liveWorkerPids;
  const begun = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  await until('what they said at first is written', begun, (text) => pids.every((pid) => text.includes(`${pid} 0 `)));
  process.kill(logProcessOf(master), 'SIGSTOP');
  shout();
  await master.seen('it is replaced', ({ msg }) => msg.includes('the log process ended (SIGKILL)'), HUNG_FOR_MS);
  await until(
    'they have written all',
    () => rested(errors),
    (count) => count === pids.length,
  );
  expect(await answers()).toBeGreaterThan(0);
  expect((await master.status()).log).toMatchObject({ restarts: 1, droppedLines: 0 });
  await stopped(master);
  expect(shoutsOf(log).wrong).toEqual([]);
});

test.concurrent('a master that is killed: what its orphans write until their end is in the file, and the log process ends after them', async () => {
  const { master, log } = await start({});
  const workers = master.liveWorkerPids;
  const logger = logProcessOf(master);
  process.kill(master.pid, 'SIGKILL');
  for (const pid of [...workers, logger]) await goneFrom(pid);
  const { wrong, ends } = shoutsOf(log);
  expect({ wrong, ended: [...ends.keys()].map(Number).sort() }).toEqual({ wrong: [], ended: workers.sort() });
});

test.concurrent('USR1 has the files opened anew, and a file that is renamed or cut without it is noticed', async () => {
  const { master, log, errors } = await start({ rotate: false });
  const [pid] = master.liveWorkerPids as [number];
  const saidIn = (text: string, path = log): Promise<string> =>
    until(
      `${path} has ${text}`,
      () => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
      (seen) => seen.includes(text),
    );
  await saidIn(`${pid} 0 `);
  renameSync(log, `${log}.1`);
  process.kill(master.pid, 'SIGUSR1');
  await until('there is a new one', () => existsSync(log));
  renameSync(errors, `${errors}.1`);
  process.kill(pid, 'SIGUSR2');
  await saidIn(`${pid} rests`, errors);
  await stopped(master);
  const text = readFileSync(`${log}.1`, 'utf8') + readFileSync(log, 'utf8');
  expect(shoutsIn(text).wrong).toEqual([]);
  expect(shoutsIn(text).lines).toBeGreaterThan(100);
});
