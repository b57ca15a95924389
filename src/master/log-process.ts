/**
 * Runs in the master. Its log process: started here, given the read ends of pipes, started again where it dies. The master keeps every read end too,
 * and reads none: so the workers' pipes outlast a log process, and what lies in them goes to the next one.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { holdPipe, pipeHandle } from '../node-internals/pipes.cjs';
import type { LogNews, LogOrder, LogState, LogStream, LogTarget, LogWriter } from '../shared/log-messages.js';
import type { LastWords } from './worker-output.js';

const ENTRY = fileURLToPath(new URL('../logger/main.js', import.meta.url));
/** A heap of this size is enough for its queues, in MB. */
const HEAP_MB = 64;
/** How long the last words of a process that has ended are waited for: a grandchild may hold its pipe open. In ms. */
const LAST_WORDS_MS = 500;
/** One that ends so soon after its start is not started again before this has passed, the first time excepted. In ms. */
const RESTART_MS = 1_000;
/** It is asked this often whether it is alive, and one that leaves so many in a row unanswered is replaced. In ms. */
const PING_MS = 2_000;
const MOST_UNANSWERED = 5;
/** For what is to be in the files before the master ends, in ms. */
const FLUSH_MS = 1_000;

interface Carried {
  pipe: Socket;
  order: Extract<LogOrder, { act: 'carry' }>;
  ended(lines: string[]): void;
}

export interface LogOutlook extends LogState {
  /** Of the log process, by itself or by somebody's hand. */
  restarts: number;
}

export class LogProcess {
  private child: ChildProcess | null = null;
  private readonly carried = new Map<number, Carried>();
  private readonly answers = new Map<number, () => void>();
  private nextId = 1;
  private nextSeq = 1;
  private startedAt = 0;
  private endedSoon = false;
  private unanswered = 0;
  private closing = false;
  private restarts = 0;
  /** Of those before the one that runs. */
  private before = { droppedLines: 0, droppedBytes: 0 };
  private state: LogState = { droppedLines: 0, droppedBytes: 0, trouble: null };
  private readonly pings: NodeJS.Timeout;

  /** @param tell what people should know, in words */
  constructor(
    private readonly app: string,
    private tell: (message: string) => void = () => {},
  ) {
    this.start();
    this.pings = setInterval(() => this.ping(), PING_MS).unref();
  }

  get outlook(): LogOutlook {
    const { trouble } = this.state;
    const droppedLines = this.before.droppedLines + this.state.droppedLines;
    return {
      droppedLines,
      droppedBytes: this.before.droppedBytes + this.state.droppedBytes,
      trouble,
      restarts: this.restarts,
    };
  }

  onTrouble(tell: (message: string) => void): void {
    this.tell = tell;
  }

  /**
   * From here on the log process reads from that pipe.
   * @param fd its read end; it is taken over
   */
  carry(fd: number, writer: LogWriter, stream: LogStream, target: LogTarget): LastWords {
    const id = this.nextId++;
    let words: string[] = [];
    let end: () => void;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const one: Carried = {
      pipe: holdPipe(fd),
      order: { act: 'carry', id, writer, stream, target },
      ended(lines) {
        words = lines;
        end();
      },
    };
    this.carried.set(id, one);
    this.hand(one);
    return { lines: () => words, complete: () => within(LAST_WORDS_MS, over) };
  }

  /** Files are closed and opened by their names. */
  reopen(): void {
    this.send({ act: 'reopen' });
  }

  /** Settles when all that was written until now is in the files, or the disk does not take it. Never rejects. */
  async flush(): Promise<void> {
    const seq = this.nextSeq++;
    const answered = new Promise<void>((resolve) => {
      this.answers.set(seq, resolve);
    });
    this.send({ act: 'flush', seq });
    await within(FLUSH_MS, answered);
    this.answers.delete(seq);
  }

  /** It goes on by itself until its last pipe has ended. */
  close(): void {
    this.closing = true;
    clearInterval(this.pings);
    if (this.child?.connected) this.child.disconnect();
  }

  private start(): void {
    this.startedAt = performance.now();
    this.unanswered = 0;
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, ENTRY, this.app], {
      cwd: '/',
      env: {},
      // A session of its own: what ends the process group of the master must not end it first.
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.child = child;
    child.unref();
    child.channel?.unref();
    child.on('error', () => this.gone(child, 'could not be started'));
    child.on('message', (news: LogNews) => this.receive(news));
    child.on('exit', (code, signal) => this.gone(child, signal ?? `code ${code}`));
    for (const one of this.carried.values()) this.hand(one);
  }

  private gone(child: ChildProcess, how: string): void {
    if (this.child !== child) return;
    this.child = null;
    if (this.closing) return;
    this.restarts += 1;
    this.before.droppedLines += this.state.droppedLines;
    this.before.droppedBytes += this.state.droppedBytes;
    this.state = { droppedLines: 0, droppedBytes: 0, trouble: null };
    for (const answered of this.answers.values()) answered();
    const isSoon = performance.now() - this.startedAt < RESTART_MS;
    const wait = isSoon && this.endedSoon ? RESTART_MS : 0;
    this.endedSoon = isSoon;
    setTimeout(() => this.startAgain(how), wait).unref();
  }

  private startAgain(how: string): void {
    if (this.closing) return;
    this.start();
    this.tell(`the log process ended (${how}), another one goes on: what it had read and not yet written is lost`);
  }

  private hand({ order, pipe }: Carried): void {
    this.send(order, pipeHandle(pipe));
  }

  private send(order: LogOrder, handle?: unknown): void {
    if (this.child?.connected) this.child.send(order, handle as never, {}, () => {});
  }

  private receive(news: LogNews): void {
    switch (news.act) {
      case 'ended': {
        const one = this.carried.get(news.id);
        this.carried.delete(news.id);
        one?.pipe.destroy();
        one?.ended(news.lines);
        break;
      }
      case 'flushed':
        this.answers.get(news.seq)?.();
        break;
      case 'pong':
        this.unanswered = 0;
        break;
      case 'state':
        this.noteState(news);
        break;
    }
  }

  private noteState({ droppedLines, droppedBytes, trouble }: LogState): void {
    const had = this.state.trouble;
    this.state = { droppedLines, droppedBytes, trouble };
    if (trouble !== null && trouble !== had)
      this.tell(
        `the log cannot be written: ${trouble}; the app goes on, and lines that find no room are dropped and counted`,
      );
  }

  private ping(): void {
    if (this.unanswered >= MOST_UNANSWERED) this.child?.kill('SIGKILL'); // Its pipes would fill, and hold up the app.
    this.unanswered += 1;
    this.send({ act: 'ping', seq: this.nextSeq++ });
  }
}

async function within(ms: number, settled: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([settled, late]);
  clearTimeout(timer);
}
