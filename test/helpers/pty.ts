/** A real terminal with a shell in it, as a person has it: typed into, read, and closed. */
import { readdirSync, readFileSync } from 'node:fs';
import { spawn } from '@lydell/node-pty';
import { killOwn } from './cleanup.js';
import { onTestFinished } from './side-by-side.js';
import { until } from './until.js';
import type { World } from './zdsup.js';
import { BIN } from './zdsup.js';

/** As it is typed into a shell. */
export const zdsupCommand = (args: string): string => `'${process.execPath}' '${BIN}' ${args}`;

/** The shell's prompt: the exit status of the command before. */
const PROMPT = /\[(\d+)\]> $/;

export class Terminal {
  /** All that was written to it, as it came. */
  raw = '';
  private readonly pty;
  private isOpen = true;

  constructor(world: World, options: { cwd?: string; env?: Record<string, string>; columns?: number } = {}) {
    const env = { ...world.env, PS1: '[$?]> ', TERM: 'xterm-256color', ...options.env };
    this.pty = spawn('bash', ['--norc', '--noprofile', '--noediting', '-i'], {
      cwd: options.cwd ?? world.home,
      env,
      name: env.TERM,
      cols: options.columns ?? 100,
    });
    this.pty.onData((data) => (this.raw += data));
    onTestFinished(() => this.end());
  }

  /** The shell's, which leads the terminal's session. */
  get shellPid(): number {
    return this.pty.pid;
  }

  /** Types a zdsup command and Enter; returns where in `raw` its output begins. */
  async zdsup(args: string): Promise<number> {
    return this.run(zdsupCommand(args));
  }

  /** Types a command and Enter, once the shell waits for one. */
  async run(command: string): Promise<number> {
    await this.prompt();
    this.pty.write(`${command}\r`);
    await this.seen('\n', this.raw.length); // The terminal's echo of it.
    return this.raw.length;
  }

  /** As a key is pressed: `\x03` is Ctrl-C. */
  press(keys: string): void {
    this.pty.write(keys);
  }

  async seen(what: string | RegExp, from = 0, withinMs?: number): Promise<void> {
    await until(
      `the terminal shows ${what}`,
      () => this.raw.slice(from),
      (raw) => (typeof what === 'string' ? raw.includes(what) : what.test(raw)),
      withinMs,
    );
  }

  /** Waits until the shell is back; the exit status of what ran. */
  async prompt(from = 0): Promise<number> {
    await this.seen(PROMPT, from, 30_000);
    return Number(PROMPT.exec(this.raw)![1]);
  }

  /** What a person sees of `raw` from there on, line by line: redrawn lines as they ended up, without colours. */
  lines(from = 0): string[] {
    return this.raw
      .slice(from)
      .replaceAll(COLOUR, '')
      .split('\n')
      .map((line) => line.split('\r').filter(Boolean).reduce(redraw, '').trimEnd());
  }

  /** Its window is closed, or the connection lost: the kernel hangs up on all that run in it. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    (this.pty as unknown as { destroy(): void }).destroy();
  }

  /** Ids of all processes that were started from here and live: those of the session, less the shell. */
  processes(): number[] {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== this.shellPid && sessionOf(pid) === this.shellPid);
  }

  private end(): void {
    for (const pid of [...this.processes(), this.shellPid]) killOwn(pid);
    this.close();
  }
}

const ESCAPE = String.fromCharCode(27);
const COLOUR = new RegExp(`${ESCAPE}\\[[\\d;]*m`, 'g');
const CLEAR_TO_END = `${ESCAPE}[K`;

/** Writes `text` over what a line shows, from its first column on. */
function redraw(shown: string, text: string): string {
  const [written = '', ...rest] = text.split(CLEAR_TO_END);
  return rest.length > 0 ? written + rest.join('') : written + shown.slice(written.length);
}

export const hasColour = (text: string): boolean => text.includes(`${ESCAPE}[3`);

/** The session a process belongs to; null where it has ended, or is a zombie. */
function sessionOf(pid: number): number | null {
  try {
    const [state, , , session] = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === 'Z' ? null : Number(session);
  } catch {
    return null;
  }
}
