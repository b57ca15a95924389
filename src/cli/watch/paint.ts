/**
 * Runs in the CLI. From one frame to the next, as one write: only lines that differ are written, each over the old one, and nothing is cleared that is then
 * drawn again. So nothing flickers, and little goes over ssh. Pure.
 */
import type { Frame, Size } from './frame.js';
import { columnsOf } from './text.js';

/** A terminal that knows it (DEC mode 2026) shows what is between as one; others ignore it. */
const [BEGIN, END] = ['\x1b[?2026h', '\x1b[?2026l'];
const CLEAR = '\x1b[2J';
const CLEAR_TO_END_OF_LINE = '\x1b[K';

/** Line by line, one for each row. */
export type Painted = string[];

export function toRows({ lines, footer }: Frame, { rows }: Size): Painted {
  const shown = lines.slice(0, footer === null ? rows : rows - 1);
  const all = [...shown, ...Array.from({ length: rows - shown.length }, () => '')];
  if (footer !== null) all[rows - 1] = footer;
  return all;
}

/** @param before null where it is not known what the terminal shows @returns empty where nothing differs */
export function paint(before: Painted | null, after: Painted, { columns }: Size): string {
  const changes = after.flatMap((line, row) => {
    if (line === (before?.[row] ?? '')) return [];
    // In the last column the cursor still stands on what it has written: that would be cleared.
    return [`\x1b[${row + 1};1H${line}${columnsOf(line) < columns ? CLEAR_TO_END_OF_LINE : ''}`];
  });
  if (before !== null && changes.length === 0) return '';
  return `${BEGIN}${before === null ? CLEAR : ''}${changes.join('')}${END}`;
}
