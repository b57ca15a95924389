/**
 * Runs in the CLI. The terminal while `status --watch` has it: its other screen, without a cursor, keys as they are pressed. Whatever ends the command, the
 * terminal is as it was before, and the last frame stays on it.
 */
import { constants } from 'node:os';
import type { Frame, Size } from './frame.js';
import type { Painted } from './paint.js';
import { paint, toRows } from './paint.js';

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

const CTRL_C = '\x03';
const CTRL_Z = '\x1a';
const CTRL_BACKSLASH = '\x1c';
const QUITS = ['q', 'Q', '\x04'];

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
type Ending = (typeof ENDING)[number];

export interface ScreenEvents {
  /** It has another size, or is there again after a Ctrl-Z: draw. */
  changed(): void;
  /** @param status for the shell */
  ended(status: number): void;
}

export class Screen {
  private painted: Painted | null = null;
  private last: Frame | null = null;
  private isOn = false;
  private readonly stdin = process.stdin.isTTY ? process.stdin : null;
  private readonly handlers: [NodeJS.Signals | 'exit', () => void][];

  constructor(private readonly events: ScreenEvents) {
    this.handlers = [
      ...ENDING.map((name): [Ending, () => void] => [name, () => events.ended(128 + constants.signals[name])]),
      ['SIGCONT', () => this.enter()],
      ['SIGTSTP', () => this.suspend(process.pid)],
      ['exit', () => this.leave()], // Also of a command that fails.
    ];
  }

  get size(): Size {
    const { columns, rows } = process.stdout;
    return { columns: columns || 80, rows: rows || 24 }; // A terminal may have none: a serial line, say.
  }

  begin(): void {
    for (const [name, handler] of this.handlers) process.on(name, handler);
    process.stdout.on('resize', this.repaint);
    this.stdin?.on('data', this.onKeys).on('error', this.hungUp).on('end', this.hungUp);
    this.enter();
  }

  draw(frame: Frame): void {
    if (!this.isOn) return;
    const rows = toRows(frame, this.size);
    const bytes = paint(this.painted, rows, this.size);
    this.painted = rows;
    this.last = frame;
    if (bytes !== '') process.stdout.write(bytes);
  }

  end(): void {
    this.leave();
    for (const [name, handler] of this.handlers) process.off(name, handler);
    process.stdout.off('resize', this.repaint);
    this.stdin?.off('data', this.onKeys).pause(); // An error of it goes on to be heard: it would be thrown.
  }

  private readonly hungUp = (): void => this.events.ended(128 + constants.signals.SIGHUP);

  private readonly repaint = (): void => {
    this.painted = null;
    this.events.changed();
  };

  private enter(): void {
    // First: continued in the background, it stops here again, and has not touched the shell's screen. Also after a SIGCONT without a stop: the shell may have
    // set it otherwise.
    this.stdin?.setRawMode(true);
    if (!this.isOn) process.stdout.write(ENTER);
    this.isOn = true;
    this.repaint();
  }

  private leave(): void {
    if (!this.isOn) return;
    this.isOn = false;
    this.stdin?.setRawMode(false);
    process.stdout.write(`${LEAVE}${(this.last?.lines ?? []).map((line) => `${line}\n`).join('')}`);
  }

  private readonly onKeys = (bytes: Buffer): void => {
    // Several may come at once; what begins with an escape is one key, as an arrow is.
    const keys = bytes.toString('latin1');
    if (keys.includes(CTRL_C)) this.events.ended(128 + constants.signals.SIGINT);
    else if (keys.includes(CTRL_BACKSLASH)) this.events.ended(128 + constants.signals.SIGQUIT);
    else if (QUITS.some((key) => !keys.startsWith('\x1b') && keys.includes(key))) this.events.ended(0);
    else if (keys.includes(CTRL_Z)) this.suspend(0);
  };

  /**
   * Of a Ctrl-Z, as the terminal does it by itself where keys are not read one by one: the whole job stops, a shell script around it too. Else this process
   * alone, as whoever has sent the signal wants it.
   * @param whom as of kill(2)
   */
  private suspend(whom: number): void {
    this.leave();
    const [, heard] = this.handlers.find(([name]) => name === 'SIGTSTP')!;
    process.off('SIGTSTP', heard); // While nobody hears it, it does what it always does: it stops.
    process.kill(whom, 'SIGTSTP');
    process.on('SIGTSTP', heard);
    setImmediate(() => this.enter()); // Where nobody could continue it, the kernel has not stopped it.
  }
}
