/**
 * The index of a log file: who has written which bytes of it, and when. The file itself stays plain lines. Pure.
 *
 * One line an entry: `offset length instant slot.generation stream`, the master's own with `-` for the worker. It may lack entries (a file
 * that others have written to, a disk that was full): what no entry covers is of unknown origin.
 */
import type { LogStream, LogWriter } from './log-messages.js';

export interface IndexEntry {
  offset: number;
  length: number;
  /** In ms since 1970. */
  at: number;
  writer: LogWriter;
  stream: LogStream;
}

export const indexLine = ({ offset, length, at, writer, stream }: IndexEntry): string =>
  `${offset} ${length} ${at} ${writer === null ? '-' : `${writer.slot}.${writer.generation}`} ${stream}\n`;

const LINE = /^(\d+) (\d+) (\d+) (?:-|(\d+)\.(\d+)) (out|err)$/;

/** Lines that are no entries, or are cut short, are passed over. In the order of their offsets. */
export function parseIndex(text: string): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, offset, length, at, slot, generation, stream] = match;
    const writer = slot === undefined ? null : { slot: Number(slot), generation: Number(generation) };
    const entry = {
      offset: Number(offset),
      length: Number(length),
      at: Number(at),
      writer,
      stream: stream as LogStream,
    };
    // An earlier entry that reaches into this one is of a file that was cut.
    while (entries.length > 0 && entries.at(-1)!.offset + entries.at(-1)!.length > entry.offset) entries.pop();
    entries.push(entry);
  }
  return entries;
}

/** The entry that covers the byte at `offset`. */
export function entryAt(entries: IndexEntry[], offset: number): IndexEntry | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.offset <= offset) low = middle + 1;
    else high = middle;
  }
  const entry = entries[low - 1];
  return entry && offset < entry.offset + entry.length ? entry : undefined;
}
