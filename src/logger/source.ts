/** Runs in the log process. One pipe of a worker's: cut into whole lines, for all workers write to the same file. The last lines of a stderr are kept for reports. */
import type { Socket } from 'node:net';
import { rest } from '../node-internals/pipes.cjs';
import type { LogStream, LogWriter } from '../shared/log-messages.js';
import type { LogFile } from './log-file.js';

/** How long the end of a line is waited for, in ms. */
const REST_OF_LINE_MS = 500;
/** What is longer without a line's end may be parted by another worker's lines, in bytes. */
const LONGEST_WHOLE_LINE = 256 * 1024;
/** Lines kept of a stderr, each up to so many characters. */
const KEPT_LINES = 40;
const KEPT_LINE_LENGTH = 2_000;
const KEPT_BYTES = KEPT_LINES * KEPT_LINE_LENGTH;
const NEWLINE = 10;
/** A worker that writes line after line would be read line after line: so many in a row, in ms apart, ... */
const BRISK_MS = 2;
const BRISK_READS = 8;
/** ... and it is given this long to write some more at once, in ms: a pipe has room for what comes in that time. */
const BREATH_MS = 1;
const LARGE_READ = 32 * 1024;

export class Source {
  private rest: Buffer[] = [];
  private restBytes = 0;
  private timer: NodeJS.Timeout | null = null;
  private tail: Buffer[] = [];
  private tailBytes = 0;
  private readAt = 0;
  private brisk = 0;

  constructor(
    private readonly pipe: Socket,
    private readonly writer: LogWriter,
    private readonly stream: LogStream,
    readonly file: LogFile,
    ended: (lines: string[]) => void,
  ) {
    pipe.on('error', () => {}); // Its end follows.
    pipe.on('data', (chunk: Buffer) => this.take(chunk));
    pipe.on('close', () => {
      this.flush();
      ended(this.lastLines());
    });
  }

  goOn(): void {
    if (this.pipe.isPaused()) this.pipe.resume();
  }

  private take(chunk: Buffer): void {
    this.takeBreath(chunk.length);
    if (this.stream === 'err') this.keep(chunk);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const lineEnd = chunk.lastIndexOf(NEWLINE) + 1;
    if (lineEnd > 0) {
      const head = chunk.subarray(0, lineEnd);
      const begun = this.takeRest();
      this.pass(begun.length === 0 ? head : Buffer.concat([...begun, head]));
    }
    if (lineEnd === chunk.length) return;
    this.rest.push(chunk.subarray(lineEnd));
    this.restBytes += chunk.length - lineEnd;
    if (this.restBytes > LONGEST_WHOLE_LINE) this.flush();
    else this.timer = setTimeout(() => this.flush(), REST_OF_LINE_MS);
  }

  private takeBreath(bytes: number): void {
    const now = performance.now();
    this.brisk = now - this.readAt < BRISK_MS && bytes < LARGE_READ ? this.brisk + 1 : 0;
    this.readAt = now;
    if (this.brisk >= BRISK_READS) rest(this.pipe, BREATH_MS);
  }

  private takeRest(): Buffer[] {
    const { rest } = this;
    this.rest = [];
    this.restBytes = 0;
    return rest;
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.restBytes > 0) this.pass(Buffer.concat(this.takeRest()));
  }

  private pass(bytes: Buffer): void {
    const { writer, stream } = this;
    if (!this.file.push({ bytes, writer, stream, at: Date.now() })) this.pipe.pause();
  }

  /** A little more than is needed: it is cut when it is asked for. */
  private keep(chunk: Buffer): void {
    this.tail.push(chunk);
    this.tailBytes += chunk.length;
    while (this.tailBytes - this.tail[0]!.length > KEPT_BYTES) this.tailBytes -= this.tail.shift()!.length;
  }

  private lastLines(): string[] {
    const lines = Buffer.concat(this.tail).toString().split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    return lines.slice(-KEPT_LINES).map((line) => line.slice(0, KEPT_LINE_LENGTH));
  }
}
