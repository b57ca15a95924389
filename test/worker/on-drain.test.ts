/** What an app hands to `onDrain` of zdsup/worker: the real preload in a process of its own, which a master's messages come to. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startObserved } from '../helpers/observed-worker.js';
import { until } from '../helpers/until.js';

const WORKER = fileURLToPath(new URL('../../dist/app/worker.cjs', import.meta.url));

const RETIRE = { cmd: 'NODE_ZDSUP', act: 'retire', closeIdle: true, handover: false };

interface Lone {
  retire(deadlineMs: number): void;
  /** The master has gone. */
  orphan(): void;
  /** What it has said to its stdout and stderr by its end. */
  ended(): Promise<{ code: number | null; said: string[]; stderr: string }>;
  said(line: string): Promise<unknown>;
}

async function startLone(app: string): Promise<Lone> {
  const { child } = await startObserved(
    `const { onDrain } = require(${JSON.stringify(WORKER)});
     const say = (line) => require('node:fs').writeSync(1, line + '\\n');
     require('node:http').createServer().listen(process.env.PORT, () => process.send('up'));
     ${app}`,
    { silent: true },
  );
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (chunk) => (stdout += chunk));
  child.stderr!.on('data', (chunk) => (stderr += chunk));
  // Not `close`, which does not come where this end has hung up.
  const closed = Promise.all([once(child, 'exit'), once(child.stdout!, 'end'), once(child.stderr!, 'end')]);
  const lines = (): string[] => stdout.split('\n').filter(Boolean);
  return {
    retire: (deadlineMs) => void child.send({ ...RETIRE, deadlineMs } as never),
    orphan: () => child.disconnect(),
    async ended() {
      const [[code]] = (await closed) as [[number | null], unknown, unknown];
      return { code, said: lines(), stderr };
    },
    said: (line) => until(`it says ${line}`, lines, (seen) => seen.includes(line)),
  };
}

test('each callback is called once, in order; the drain waits for what they return, and their errors are told and change nothing', async () => {
  const worker = await startLone(`
    onDrain(() => say('first'));
    const twice = () => say('twice');
    onDrain(twice);
    onDrain(twice);
    onDrain(() => { throw new Error('thrown'); });
    onDrain(async () => { throw new Error('rejected'); });
    onDrain(() => Promise.reject(Object.create(null)));
    onDrain(() => say('taken back'))();
    onDrain(async ({ deadlineMs, signal }) => {
      onDrain(() => say('late'));
      onDrain(twice);
      await new Promise((settle) => setTimeout(settle, 200));
      say('waited for, ' + signal.aborted + ', ' + (deadlineMs > 9_000 && deadlineMs <= 10_000));
    });
    onDrain(() => say('last'));
    process.on('SIGTERM', () => { say('SIGTERM'); process.exit(0); });`);
  worker.retire(10_000);
  const { code, said, stderr } = await worker.ended();
  expect(said).toEqual(['first', 'twice', 'late', 'last', 'waited for, false, true', 'SIGTERM']);
  expect(stderr.match(/an onDrain callback failed/g)).toHaveLength(3);
  expect(stderr).toContain('Error: thrown');
  expect(stderr).toContain('Error: rejected');
  expect(code).toBe(0);
});

test('one that never settles holds the worker up until the drain deadline, which its signal tells; then it goes on', async () => {
  const worker = await startLone(`
    onDrain(({ signal }) => new Promise(() => signal.addEventListener('abort', () => say('deadline'))));
    process.on('SIGTERM', () => { say('SIGTERM'); process.exit(0); });`);
  worker.retire(300);
  const { said, stderr } = await worker.ended();
  expect(said).toEqual(['deadline', 'SIGTERM']);
  expect(stderr).toContain('1 of its onDrain callbacks has not settled by the drain deadline');
});

test('a stop that comes upon the drain calls nobody again, and brings the deadline closer', async () => {
  const worker = await startLone(`onDrain(() => { say('called'); return new Promise(() => {}); });`);
  worker.retire(60_000);
  await worker.said('called');
  worker.retire(100);
  expect(await worker.ended()).toMatchObject({ code: 0, said: ['called'] });
});

test('they are called in a worker whose master has died', async () => {
  const worker = await startLone(`onDrain(async () => say('called'));`);
  worker.orphan();
  expect(await worker.ended()).toMatchObject({ code: 0, said: ['called'] });
});

test('outside zdsup it is imported as inside, from both kinds of modules, and does nothing', () => {
  const { ZDSUP_SLOT: _, ZDSUP_RELEASE: __, ...env } = process.env;
  const body = `console.log(slot, release, typeof onDrain(() => console.log('called')));`;
  const run = (...args: string[]): string => execFileSync(process.execPath, args, { env, encoding: 'utf8' });
  const esm = `import { onDrain, release, slot } from ${JSON.stringify(WORKER)};${body}`;
  expect(run('-e', `const { onDrain, release, slot } = require(${JSON.stringify(WORKER)});${body}`)).toBe(
    'null null function\n',
  );
  expect(run('--input-type=module', '-e', esm)).toBe('null null function\n');
});

test('what is no function is refused where it is handed in', async () => {
  const { onDrain } = (await import(WORKER)) as { onDrain(callback: unknown): unknown };
  expect(() => onDrain(undefined)).toThrow(new TypeError('onDrain: the callback is no function'));
});
