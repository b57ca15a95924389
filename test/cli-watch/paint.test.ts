import { expect, test } from 'vitest';
import { paint, toRows } from '../../src/cli/watch/paint.js';

const SIZE = { columns: 10, rows: 4 };
const rows = (lines: string[], footer: string | null = 'q quits'): string[] => toRows({ lines, footer }, SIZE);

const ESCAPE = '\x1b';
const [BEGIN, END] = ['\x1b[?2026h', '\x1b[?2026l'];
const ESCAPES = new RegExp(`${ESCAPE}\\[(\\?\\d+[hl]|(\\d+);1H|K|2J)`, 'y');

/** What a terminal of this size shows: as much of one as is used. */
function shownAfter(before: string[], bytes: string): string[] {
  const shown = [...before];
  let [row, column] = [0, 0];
  for (let at = 0; at < bytes.length; ) {
    ESCAPES.lastIndex = at;
    const found = ESCAPES.exec(bytes);
    if (found === null) {
      const line = shown[row]!.padEnd(column);
      shown[row] = line.slice(0, column) + bytes[at]! + line.slice(column + 1);
      column += 1;
      at += 1;
      if (column > SIZE.columns) throw new Error(`row ${row} is too long`);
      continue;
    }
    at += found[0].length;
    if (found[2] !== undefined) [row, column] = [Number(found[2]) - 1, 0];
    // In the last column the cursor has not moved on: its character is cleared.
    if (found[1] === 'K') shown[row] = shown[row]!.slice(0, Math.min(column, SIZE.columns - 1));
    if (found[1] === '2J') shown.fill('');
  }
  return shown;
}

test('the first frame clears what was there', () => {
  const after = rows(['one', 'two']);
  expect(shownAfter(['old old', 'old', 'old', 'old'], paint(null, after, SIZE))).toEqual(['one', 'two', '', 'q quits']);
});

test('from one frame to the next, only what differs is written', () => {
  const [before, after] = [rows(['one', 'a long one', 'three']), rows(['one', 'short', 'ten chars!'])];
  const bytes = paint(before, after, SIZE);
  expect(shownAfter(before, bytes)).toEqual(after);
  expect(bytes).not.toContain('one');
  expect(bytes, 'nothing is cleared and drawn again').not.toContain('\x1b[2J');
  expect(paint(after, after, SIZE), 'and nothing where nothing does').toBe('');
});

test('lines that are gone are cleared', () => {
  const [before, after] = [rows(['one', 'two', 'three']), rows(['one'])];
  expect(shownAfter(before, paint(before, after, SIZE))).toEqual(['one', '', '', 'q quits']);
});

test('a terminal that can shows it as one', () => {
  const bytes = paint(rows(['one']), rows(['two']), SIZE);
  expect([bytes.slice(0, BEGIN.length), bytes.slice(-END.length)]).toEqual([BEGIN, END]);
});

test('there are as many rows as the terminal has, the footer in the last', () => {
  expect(rows(['1', '2', '3', '4', '5'])).toEqual(['1', '2', '3', 'q quits']);
  expect(rows(['1', '2', '3', '4', '5'], null)).toEqual(['1', '2', '3', '4']);
});
