/** A terminal of a given size, as tmux has it: typed into, looked at as a person sees it, made larger and smaller. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { temporaryFolder } from './cleanup.js';
import { onTestFinished } from './side-by-side.js';
import { until } from './until.js';
import type { World } from './zdsup.js';

/** The shell's prompt: the exit status of the command before. */
const PROMPT = /\[(\d+)\]>$/;

export class Tmux {
  private readonly folder = temporaryFolder();

  constructor(world: World, size: { columns: number; rows: number }, cwd: string) {
    // Of its own: nobody's settings, and nobody's sessions are in play.
    const env = { ...world.env, PS1: '[$?]> ', TERM: 'xterm-256color', PWD: cwd, TMUX: '' };
    const session = ['new-session', '-d', '-x', String(size.columns), '-y', String(size.rows)];
    execFileSync('tmux', ['-S', this.socket, '-f', '/dev/null', ...session, 'bash', '--norc', '--noprofile', '-i'], {
      cwd,
      env,
    });
    onTestFinished(() => void this.tmux('kill-server')); // It hangs up on all that runs in it.
    this.tmux('pipe-pane', '-o', `cat > '${this.rawPath}'`);
  }

  /** All that was written to the terminal, as it came. */
  get rawPath(): string {
    return join(this.folder, 'raw');
  }

  private get socket(): string {
    return join(this.folder, 'socket');
  }

  /** Types a command and Enter, once the shell waits for one. */
  async run(command: string): Promise<void> {
    await this.prompt();
    this.tmux('send-keys', '-l', command);
    this.tmux('send-keys', 'Enter');
  }

  /** A key by tmux's name: `q`, `C-c`. */
  press(key: string): void {
    this.tmux('send-keys', key);
  }

  resize(columns: number, rows: number): void {
    this.tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What is on it, line by line. */
  lines(): string[] {
    return this.tmux('capture-pane', '-p').replace(/\n$/, '').split('\n');
  }

  /** Waits until it is on it; all lines then. */
  async seen(what: string | RegExp, withinMs?: number): Promise<string[]> {
    const isThere = (lines: string[]): boolean =>
      typeof what === 'string' ? lines.join('\n').includes(what) : what.test(lines.join('\n'));
    return until(`the terminal shows ${what}`, () => this.lines(), isThere, withinMs);
  }

  /** Waits until the shell is back; the exit status of what ran. */
  async prompt(): Promise<number> {
    const last = (lines: string[]): string => lines.filter((line) => line !== '').at(-1) ?? '';
    const lines = await until(
      'the prompt is back',
      () => this.lines(),
      (shown) => PROMPT.test(last(shown)),
    );
    return Number(PROMPT.exec(last(lines))![1]);
  }

  /** One of tmux's formats, such as `alternate_on`. */
  property(name: string): string {
    return this.tmux('display-message', '-p', `#{${name}}`).trim();
  }

  private tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.socket, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }
}
