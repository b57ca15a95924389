/**
 * Runs in the master. What workers write: on a terminal each line carries its worker's label, elsewhere stdout is
 * inherited (never seen here) and stderr passed through. The last stderr lines are kept for reports.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { styleText } from 'node:util';

/** Of stdout; stderr has labels where it is a terminal itself. */
export type OutputMode = 'labelled' | 'plain' | 'to-stderr';

export interface LastWords {
  lines(): string[];
  /** Settles when stderr has been read to its end, or {@link LAST_WORDS_MS} later. */
  complete(): Promise<void>;
}

/** Lines kept of each worker's stderr. */
const KEPT_LINES = 40;
/** A line is kept up to here, in characters. */
const KEPT_LINE_LENGTH = 2_000;
/** How long the pipes of a process that has ended may stay open (a grandchild holds them), in ms. */
export const LAST_WORDS_MS = 250;
/** How long the end of a line is waited for, in ms. */
const REST_OF_LINE_MS = 500;
/** What is longer without a line's end may be parted by another worker's lines, in bytes. */
const LONGEST_WHOLE_LINE = 256 * 1024;

const COLOURS = ['cyan', 'yellow', 'magenta', 'green', 'blue'] as const;

export function carryOutput(
  child: ChildProcess,
  worker: { slot: number; generation: number },
  mode: OutputMode,
): LastWords {
  const { stdout, stderr } = child;
  if (mode === 'labelled' && stdout) {
    const label = labelFor(worker, process.stdout);
    eachLine(stdout, (line) => process.stdout.write(`${label} ${line}\n`));
  }
  const kept: string[] = [];
  if (!stderr) return { lines: () => kept, complete: async () => {} };
  const label = process.stderr.isTTY ? labelFor(worker, process.stderr) : null;
  if (label === null) passOn(stderr);
  eachLine(stderr, (line) => {
    if (label !== null) process.stderr.write(`${label} ${line}\n`);
    kept.push(line.slice(0, KEPT_LINE_LENGTH));
    if (kept.length > KEPT_LINES) kept.shift();
  });
  return {
    lines: () => [...kept],
    async complete() {
      if (stderr.destroyed || stderr.readableEnded) return;
      await once(stderr, 'close', { signal: AbortSignal.timeout(LAST_WORDS_MS) }).catch(() => {});
    },
  };
}

/** Byte for byte, but in whole lines: all workers share one stderr, and what is read of a pipe ends anywhere. */
function passOn(from: Readable): void {
  let rest: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  let turn: NodeJS.Immediate | undefined;
  const flush = (): void => {
    if (rest.length > 0) write(from, rest);
    rest = Buffer.alloc(0);
  };
  // Where this process was late itself, the rest lies in the pipe already: one poll more reads it.
  const arm = (): void => {
    timer = setTimeout(() => {
      turn = setImmediate(() => (waiting.has(from) ? arm() : flush()));
    }, REST_OF_LINE_MS);
  };
  const disarm = (): void => {
    clearTimeout(timer);
    clearImmediate(turn);
  };
  from.on('data', (chunk: Buffer) => {
    disarm();
    const lineEnd = chunk.lastIndexOf('\n') + 1;
    if (lineEnd > 0) write(from, Buffer.concat([rest, chunk.subarray(0, lineEnd)]));
    rest = lineEnd > 0 ? chunk.subarray(lineEnd) : Buffer.concat([rest, chunk]);
    if (rest.length > LONGEST_WHOLE_LINE) flush();
    else if (rest.length > 0) arm();
  });
  from.on('close', () => {
    disarm();
    flush();
  });
}

const waiting = new Set<Readable>();

/** Whoever reads stderr and stalls holds up the workers that write, as their own pipe would, and fills no memory here. */
function write(from: Readable, bytes: Buffer): void {
  if (process.stderr.write(bytes)) return;
  if (waiting.size === 0) {
    process.stderr.once('drain', goOn);
    process.stderr.once('error', goOn); // Nobody reads any more.
  }
  waiting.add(from);
  from.pause();
}

function goOn(): void {
  process.stderr.off('drain', goOn);
  process.stderr.off('error', goOn);
  for (const stream of waiting) stream.resume();
  waiting.clear();
}

/** Not readline, which holds a line in memory until it ends: one that never does would end the master. */
export function eachLine(stream: Readable, take: (line: string) => void): void {
  const decoder = new StringDecoder();
  let rest = '';
  stream.on('error', () => {}); // The worker is gone; what it wrote until then was read.
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) take(line.replace(/\r$/, ''));
    if (rest.length <= LONGEST_WHOLE_LINE) return;
    take(rest);
    rest = '';
  });
  stream.on('end', () => {
    if (rest !== '') take(rest);
  });
}

/** Two generations overlap, so the label names both. */
function labelFor({ slot, generation }: { slot: number; generation: number }, to: NodeJS.WriteStream): string {
  const plain = `${generation}.${slot} |`;
  return to.hasColors?.() && !process.env.NO_COLOR
    ? styleText(COLOURS[slot % COLOURS.length]!, plain, { validateStream: false })
    : plain;
}
