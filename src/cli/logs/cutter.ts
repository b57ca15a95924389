/** Runs in the CLI. Cuts what is read of one log file into lines, and looks up the origin of each. Pure. */
import type { IndexEntry } from '../../shared/log-index.js';
import { entryAt } from '../../shared/log-index.js';
import type { LogLine } from './line.js';

const NEWLINE = 10;
/** What never ends is cut here, in bytes. */
const LONGEST_LINE = 16 * 2 ** 20;

export class Cutter {
  private rest: Buffer[] = [];
  private restBytes = 0;

  /** @param offset of the first byte that comes */
  constructor(
    private offset: number,
    public entries: IndexEntry[],
  ) {}

  /** Where the line begins that is not whole yet. */
  get position(): number {
    return this.offset;
  }

  *take(chunk: Buffer): Generator<LogLine> {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      yield this.line(chunk.subarray(from, end), false);
      from = end + 1;
    }
    if (from === chunk.length) return;
    this.rest.push(chunk.subarray(from));
    this.restBytes += chunk.length - from;
    if (this.restBytes > LONGEST_LINE) yield this.line(Buffer.alloc(0), true);
  }

  /** The end of a line that has none. */
  *end(): Generator<LogLine> {
    if (this.restBytes > 0) yield this.line(Buffer.alloc(0), true);
  }

  private line(last: Buffer, unfinished: boolean): LogLine {
    const bytes = this.rest.length === 0 ? last : Buffer.concat([...this.rest, last]);
    const entry = entryAt(this.entries, this.offset);
    this.offset += bytes.length + (unfinished ? 0 : 1);
    this.rest = [];
    this.restBytes = 0;
    return { bytes, unfinished, origin: entry ? { at: entry.at, writer: entry.writer, stream: entry.stream } : null };
  }
}
