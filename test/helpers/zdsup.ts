/** Runs the real `zdsup` command: masters that live as long as the test, and commands that end by themselves. */

import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { AppSnapshot, Snapshot } from '../../src/shared/snapshot.js';
import { killOwn, temporaryFolder } from './cleanup.js';
import { isLeftOf } from './kernel.js';
import { onTestFinished } from './side-by-side.js';
import { onlyAppOf } from './status.js';
import { until } from './until.js';

export const BIN = fileURLToPath(new URL('../../bin/zdsup.js', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** One line of the master's own log. */
export interface LogLine {
  time: string;
  level: string;
  msg: string;
  kind?: string;
  generation?: number;
  slot?: number;
  pid?: number;
}

export interface World {
  home: string;
  env: NodeJS.ProcessEnv;
  /** The executable. */
  bin: string;
}

/** A state folder of the test's own. */
export function makeWorld(env: Record<string, string> = {}, bin: string = BIN): World {
  const home = temporaryFolder();
  // What this run was started with: `CI` takes colours away as `NO_COLOR` does.
  const { ZDSUP_HOME: _, NO_COLOR: __, CI: ___, ...rest } = process.env;
  return { home, env: { ...rest, ZDSUP_HOME: home, ...env }, bin };
}

/** Runs a command to its end. */
export async function zdsup(
  world: World,
  args: string[],
  options: { cwd?: string; node?: string[] } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [...(options.node ?? []), world.bin, ...args], {
    cwd: options.cwd ?? world.home,
    env: { ...world.env, PWD: options.cwd ?? world.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return finished(child);
}

/** What it has written, once it has ended; with the test it ends anyway. */
export async function finished(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Finished> {
  onTestFinished(() => killOwn(child.exitCode === null ? child.pid : undefined));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export class Master {
  readonly log: LogLine[] = [];
  /** What came on stderr and is no log line: the workers' own, or a final error. */
  readonly stderrLines: string[] = [];
  readonly stdoutLines: string[] = [];
  private closed = false;
  private readonly watchers = new Set<() => void>();

  constructor(
    readonly world: World,
    readonly child: ChildProcess,
    readonly cwd: string,
  ) {
    createInterface({ input: child.stderr! }).on('line', (line) => this.take(line));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      this.stdoutLines.push(line);
      this.wake();
    });
    child.on('exit', () => this.wake());
    child.on('close', () => {
      this.closed = true;
      this.wake();
    });
    onTestFinished(() => this.end());
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Ids of all workers this master has ever forked. */
  get workerPids(): number[] {
    return this.log.flatMap((line) => (line.kind === 'worker-started' && line.pid ? [line.pid] : []));
  }

  /** Of them, those that are left. Ids are used again, within minutes on a busy host. */
  get liveWorkerPids(): number[] {
    return this.workerPids.filter((pid) => isLeftOf(pid, this.pid, `ZDSUP_HOME=${this.world.home}`));
  }

  /** The first log line from `from` on for which `isIt` holds, seen already or still to come. */
  async seen(what: string, isIt: (line: LogLine) => boolean, withinMs = 15_000, from = 0): Promise<LogLine> {
    return this.wait(what, () => this.log.slice(from).find(isIt), withinMs);
  }

  async serving(generation: number, withinMs = 15_000): Promise<void> {
    await this.seen(
      `generation ${generation} serves`,
      (line) => line.kind === 'serving' && line.generation === generation,
      withinMs,
    );
  }

  /** Waits for a line of the app's stdout. */
  async printed(text: string, withinMs = 15_000): Promise<string> {
    return this.wait(`stdout says ${text}`, () => this.stdoutLines.find((line) => line.includes(text)), withinMs);
  }

  /** Settles when the master and all that wrote to its output have ended. */
  async exited(withinMs = 30_000): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    await this.wait('the master ends', () => this.closed || undefined, withinMs);
    return { code: this.child.exitCode, signal: this.child.signalCode };
  }

  run(...args: string[]): Promise<Finished> {
    return zdsup(this.world, args, { cwd: this.cwd });
  }

  async status(): Promise<AppSnapshot> {
    const app = await this.statusIfAny();
    if (!app) throw new Error(`the app is not running\n${this.transcript()}`);
    return app;
  }

  /** Asks until the snapshot is as wanted; while the master does not answer yet, it is not. */
  async statusUntil(what: string, isRight: (app: AppSnapshot) => boolean, withinMs?: number): Promise<AppSnapshot> {
    const found = await until(
      what,
      () => this.statusIfAny(),
      (app) => app !== undefined && isRight(app),
      withinMs,
    );
    return found!;
  }

  private async statusIfAny(): Promise<AppSnapshot | undefined> {
    // A process for each look would take the time of what is looked at: the command is for what is not plain.
    const running = await onlyAppOf(this.world.home);
    if (running) return running;
    const { stdout, stderr, code } = await this.run('status', '--json');
    if (code !== 0) throw new Error(`status: exit ${code}, ${stdout}${stderr}`);
    return (JSON.parse(stdout) as Snapshot).apps[0];
  }

  /** As the OOM killer does: its orphans may go on for a while, and hold its output open. */
  async killed(): Promise<void> {
    const gone = once(this.child, 'exit');
    killOwn(this.pid);
    await gone;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** All that was written so far, for the message of a failed assertion. */
  transcript(): string {
    return [...this.log.map((line) => line.msg), ...this.stderrLines].join('\n');
  }

  private take(line: string): void {
    try {
      const parsed = JSON.parse(line) as LogLine & { name?: string };
      if (parsed.name === 'zdsup') this.log.push(parsed);
      else this.stderrLines.push(line);
    } catch {
      this.stderrLines.push(line);
    }
    this.wake();
  }

  private wake(): void {
    for (const watcher of this.watchers) watcher();
  }

  private wait<T>(what: string, look: () => T | undefined, withinMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const found = look();
        if (found !== undefined) finish(() => resolve(found));
        else if (this.closed) finish(() => reject(new Error(`the master ended before: ${what}\n${this.transcript()}`)));
      };
      const timer = setTimeout(
        () => finish(() => reject(new Error(`not within ${withinMs} ms: ${what}\n${this.transcript()}`))),
        withinMs,
      );
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.watchers.delete(check);
        act();
      };
      this.watchers.add(check);
      check();
    });
  }

  private async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const closed = once(this.child, 'exit');
      killOwn(this.pid);
      await closed;
    }
    for (const pid of this.liveWorkerPids) killOwn(pid);
  }
}

export interface StartOptions {
  world?: World;
  cwd: string;
  args: string[];
  env?: Record<string, string>;
  /** Wait until the first generation serves. @default true */
  wait?: boolean;
}

/** `zdsup start ...` in the foreground, off a terminal. */
export async function startMaster({
  world = makeWorld(),
  cwd,
  args,
  env = {},
  wait = true,
}: StartOptions): Promise<Master> {
  const child = spawn(process.execPath, [world.bin, 'start', ...args], {
    cwd,
    env: { ...world.env, PWD: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A session of its own: no terminal of the developer's is in play, and signals reach this process alone.
    detached: true,
  });
  const master = new Master(world, child, cwd);
  if (wait) await master.serving(1);
  return master;
}
