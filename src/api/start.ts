/**
 * Runs in a program that uses the API. Starts `zdsup start --for-caller` (cli/commands/start-for-caller.ts) and waits until the app serves. Nothing of the master is loaded into the program; and
 * whenever a start rejects, the process that it has begun has ended before.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { logicalFolder } from '../client/apps.js';
import type { FailedResult } from '../shared/control-protocol.js';
import { ORDER_FD } from '../shared/daemon.js';
import { ZdsupError } from '../shared/errors.js';
import { notForked } from '../shared/not-forked.js';
import type { Served, StartAnswer, StartOrder } from '../shared/start-order.js';
import { ControlledApp } from './controlled-app.js';
import { isPlain, refuseOptions, shown, usage } from './options.js';
import type { App, ChildApp, StartOptions, StartTarget, StopResult, WorkOptions } from './types.js';

const BIN = fileURLToPath(new URL('../../bin/zdsup.js', import.meta.url));

export async function start(target?: StartTarget, options: StartOptions = {}): Promise<App | ChildApp> {
  refuseOptions('start', options);
  const order = orderOf(target, options);
  const { signal, daemon = false } = options;
  signal?.throwIfAborted();
  const child = launch(order, options);
  const exited = new Promise<number | null>((settle) => child.once('close', settle));
  const served = await outcomeOf(child, exited, options);
  if (!daemon) return new OwnApp(served, exited);
  await exited; // It has started the master, and has nothing left to do.
  return new ControlledApp(served.app, served.socketPath);
}

/** The master is this process's child. */
class OwnApp extends ControlledApp implements ChildApp {
  readonly masterPid: number;

  constructor(
    { app, socketPath, masterPid }: Served,
    readonly exited: Promise<number | null>,
  ) {
    super(app, socketPath);
    this.masterPid = masterPid;
  }

  override async stop(options: WorkOptions = {}): Promise<StopResult> {
    const result = await super.stop(options);
    await this.exited;
    return result;
  }
}

function orderOf(target: StartTarget | undefined, options: StartOptions): StartOrder {
  const { overrides = {}, args = [], only, cwd, daemon = false, inPlace = false, logFormat } = options;
  const isWhole = isPlain(target);
  if (isWhole && 'apps' in target)
    throw usage('start: the config has apps, and a start takes one', 'start each of them by itself');
  if (isWhole && only !== undefined)
    throw usage(`start: only ${only} picks an app of a config file, and none was given`, 'leave it out');
  return {
    ...(isWhole || target === undefined ? {} : { target: pathOf(target) }),
    isWhole,
    overrides: plain({ ...(isWhole ? (target as object) : {}), ...overrides }),
    args: [...args],
    only,
    baseDir: cwd === undefined ? logicalFolder() : resolve(cwd),
    daemon,
    inPlace,
    logFormat,
  };
}

function pathOf(target: unknown): string {
  if (typeof target === 'string') return target;
  if (target instanceof URL && target.protocol === 'file:') return fileURLToPath(target);
  throw usage(
    `start: ${target instanceof URL ? `a URL of ${target.protocol}` : shown(target)} is nothing to start`,
    'a string (a script, a config file, the name of an app), a file: URL, or the config as an object',
  );
}

/** As JSON has it: the config is read in another process, and again at each reload. */
function plain(config: object): Record<string, unknown> {
  const refused = (what: string): ZdsupError =>
    new ZdsupError({
      code: 'ZDSUP_CONFIG_INVALID',
      message: `start: ${what}: a config is plain data`,
      hint: 'text, numbers, booleans, lists and objects',
      exitStatus: 2,
    });
  try {
    const text = JSON.stringify(config, (key, value: unknown) => {
      if (['function', 'symbol', 'bigint'].includes(typeof value)) throw refused(`${key} is a ${typeof value}`);
      return value;
    });
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw error instanceof TypeError ? refused('the config has itself in it') : error;
  }
}

function launch(order: StartOrder, { env: given, output = 'inherit', daemon = false }: StartOptions): ChildProcess {
  const env = { ...(given ?? process.env) };
  if (env.ZDSUP_HOME) env.ZDSUP_HOME = resolve(env.ZDSUP_HOME); // It is read in another folder.
  const child = spawn(process.execPath, [BIN, 'start', '--for-caller'], {
    cwd: '/',
    env,
    // Ctrl-C reaches a child as it reaches this process; the start of a daemon is not to be half done by it.
    detached: daemon,
    stdio: ['ignore', output, output, 'ipc', 'pipe'],
  });
  (child.stdio[ORDER_FD] as Writable | null)?.on('error', () => {}).end(JSON.stringify(order));
  return child;
}

/** @throws ZdsupError what it came to; else the signal's reason, or what `onProgress` has thrown. The process has ended by then */
async function outcomeOf(
  child: ChildProcess,
  exited: Promise<number | null>,
  { signal, onProgress, daemon = false }: StartOptions,
): Promise<Served> {
  let givenUp: { why: unknown } | null = null;
  let outcome: Served | FailedResult | null = null;
  const giveUp = (why: unknown): void => {
    givenUp ??= { why };
    child.kill('SIGTERM');
  };
  const aborted = (): void => giveUp(signal!.reason);
  signal?.addEventListener('abort', aborted);
  const ready = new Promise<void>((settle, fail) => {
    child.on('message', (message) => {
      const answer = message as StartAnswer;
      if (answer.type !== 'progress') {
        outcome = answer;
        if (answer.type === 'served') settle();
        return;
      }
      try {
        if (!givenUp) onProgress?.(answer);
      } catch (error) {
        giveUp(error);
      }
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) fail(notForked(error));
    });
    void exited.then(() => settle());
  });
  try {
    await ready;
  } finally {
    signal?.removeEventListener('abort', aborted);
  }
  const { why } = (givenUp as { why: unknown } | null) ?? {};
  const result = outcome as Served | FailedResult | null;
  if (givenUp) {
    await exited;
    // It has begun to serve in the very moment in which it was given up.
    if (daemon && result?.type === 'served')
      await new ControlledApp(result.app, result.socketPath).stop().catch(() => {});
    throw why;
  }
  if (result?.type === 'served') return result;
  await exited;
  throw result === null ? died(child) : new ZdsupError(result.error, result.stderr);
}

const died = ({ signalCode, exitCode }: ChildProcess): ZdsupError =>
  new ZdsupError({
    code: 'ZDSUP_START_DIED',
    message: `the master ended before the app served (${signalCode ?? `code ${exitCode}`})`,
    hint: "its last words are on this process's stderr; of a daemon, in its log",
    exitStatus: 1,
  });
