import { describe, expect, test } from 'vitest';
import type { IndexEntry } from '../../src/shared/log-index.js';
import { entryAt, indexLine, parseIndex } from '../../src/shared/log-index.js';

const entry = (
  offset: number,
  length: number,
  writer: IndexEntry['writer'] = { slot: 1, generation: 7 },
): IndexEntry => ({
  offset,
  length,
  at: 1_764_148_800_123,
  writer,
  stream: writer === null ? 'err' : 'out',
});

describe('the index of a log', () => {
  test('is read back as it was written', () => {
    const entries = [entry(0, 10), entry(10, 5, null), entry(15, 100)];
    expect(parseIndex(entries.map(indexLine).join(''))).toEqual(entries);
  });

  test('passes over a line that was cut short by a full disk, or is none', () => {
    const whole = indexLine(entry(0, 10));
    expect(parseIndex(`${whole}15 9\n\nnonsense\n${indexLine(entry(20, 5))}25 7 17641`)).toEqual([
      entry(0, 10),
      entry(20, 5),
    ]);
  });

  test('forgets what was said of a file that was cut since', () => {
    const text = [entry(0, 100), entry(100, 100), entry(0, 30), entry(30, 10)].map(indexLine).join('');
    expect(parseIndex(text)).toEqual([entry(0, 30), entry(30, 10)]);
  });

  test('says who has written a byte, and of a gap that nobody knows', () => {
    const entries = [entry(0, 10), entry(20, 10)];
    expect([0, 9, 10, 19, 20, 29, 30].map((at) => entryAt(entries, at)?.offset)).toEqual([
      0,
      0,
      undefined,
      undefined,
      20,
      20,
      undefined,
    ]);
    expect(entryAt([], 0)).toBeUndefined();
  });
});
