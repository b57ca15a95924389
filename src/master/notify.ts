/**
 * Runs in the master. Speaks the notify protocol (sd_notify(3)): what is to be said waits in a short queue, one message is under way at a time, and of what
 * only describes the newest wins. Node opens no unix datagram socket: the unit's `OpenFile=` hands one over, connected; elsewhere the program
 * `systemd-notify` sends each message. Neither holds the master up: a manager that does not read stalls only this queue.
 */
import { execFile } from 'node:child_process';
import { write } from 'node:fs';

/** Assignments, by name. */
export type Notice = Record<string, string | number>;
export type Send = (message: string) => Promise<void>;

/** Of these none is passed over, and their order stays: the manager follows them. */
const CHANGES = ['READY', 'RELOADING', 'STOPPING'];
const isChange = (notice: Notice): boolean => CHANGES.some((name) => name in notice);

export class Notifier {
  private readonly waiting: Notice[] = [];
  private sending: Promise<void> | null = null;

  /** @param failed hears why a message could not be sent */
  constructor(
    private readonly send: Send,
    private readonly failed: (why: string) => void,
  ) {}

  tell(notice: Notice): void {
    const last = this.waiting.at(-1);
    if (last && !(isChange(last) && isChange(notice))) Object.assign(last, notice);
    else this.waiting.push({ ...notice });
    this.sending ??= this.sendAll();
  }

  /** Settles when all was said that was to be, or could not be. */
  async said(): Promise<void> {
    await this.sending;
  }

  private async sendAll(): Promise<void> {
    // Told in one turn, said in one message.
    await Promise.resolve();
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      try {
        await this.send(messageOf(next));
      } catch (error) {
        this.failed((error as Error).message);
      }
    }
    this.sending = null;
  }
}

/** A value is one line: what a worker has said may be in it. */
export const messageOf = (notice: Notice): string =>
  Object.entries(notice)
    .map(([name, value]) => `${name}=${String(value).replaceAll(/\s*\n\s*/g, ' ')}`)
    .join('\n');

/** Through a socket that is connected to the manager already: no process, and the manager need hear nobody but the master. */
export const sendByDescriptor =
  (fd: number): Send =>
  (message) =>
    // Off the event loop, since the socket blocks.
    new Promise((resolve, reject) => write(fd, message, (error) => (error ? reject(error) : resolve())));

/** One that has not come to its end by then is given up, in ms. */
const PROGRAM_TIMEOUT_MS = 5_000;

/** The program waits until the manager has read what it said: a message of a process that has gone could not be told whose it is. */
export const sendByProgram =
  (socket: string, path: string | undefined): Send =>
  (message) =>
    new Promise((resolve, reject) => {
      execFile(
        'systemd-notify',
        message.split('\n'),
        {
          env: { NOTIFY_SOCKET: socket, PATH: path ?? '/usr/bin:/bin' },
          timeout: PROGRAM_TIMEOUT_MS,
          killSignal: 'SIGKILL',
        },
        (error) => (error ? reject(error) : resolve()),
      );
    });
