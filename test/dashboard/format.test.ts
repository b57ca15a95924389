import { describe, expect, test } from 'vitest';
import { formatCount, formatMs, formatRate, formatShare } from '../../src/dashboard/pure/format.js';
import { plainText } from '../../src/dashboard/pure/plain-text.js';
import { sentencesOf } from '../../src/dashboard/pure/sentences.js';

describe('a rate', () => {
  test.for([
    [null, '–'],
    [Number.NaN, '–'],
    [0, '0'],
    [0.04, '<0.1'],
    [0.44, '0.4'],
    [9.96, '10'],
    [812.4, '812'],
    [9_999.4, '9,999'],
    [12_345, '12.3k'],
    [999_951, '1.0M'],
  ] as const)('of %s reads %s', ([value, text]) => {
    expect(formatRate(value)).toBe(text);
  });
});

describe('a count', () => {
  test.for([
    [null, '–'],
    [0, '0'],
    [3, '3'],
    [9_999, '9,999'],
    [12_345, '12.3k'],
  ] as const)('of %s has no parts: %s', ([value, text]) => {
    expect(formatCount(value)).toBe(text);
  });
});

test('several things that are said one after another are sentences', () => {
  expect(sentencesOf(['Connected again.', 'shop serves', 'on its way…'])).toBe(
    'Connected again. shop serves. on its way…',
  );
  expect(sentencesOf(['shop serves'])).toBe('shop serves');
});

describe('a time', () => {
  test.for([
    [null, '–'],
    [0, '0 ms'],
    [0.423, '0.42 ms'],
    [0.996, '1.0 ms'],
    [9.96, '10 ms'],
    [123.4, '123 ms'],
    [999.6, '1.0 s'],
  ] as const)('of %s ms reads %s', ([value, text]) => {
    expect(formatMs(value)).toBe(text);
  });
});

describe('a share', () => {
  test.for([
    [null, '–'],
    [0, '0 %'],
    [0.0004, '<0.1 %'],
    [0.012, '1.2 %'],
    [0.05, '5 %'],
    [0.5, '50 %'],
    [1, '100 %'],
  ] as const)('of %s reads %s', ([value, text]) => {
    expect(formatShare(value)).toBe(text);
  });

  test('that is not all never reads 100 %', () => {
    expect(formatShare(0.9996)).toBe('99.9 %');
    expect(formatShare(0.9999)).toBe('99.9 %');
  });
});

describe('text of an app', () => {
  test('loses the colours of a terminal', () => {
    expect(plainText('\u001b[31mred\u001b[0m \u001b]0;title\u0007plain')).toBe('red plain');
  });

  test('shows what would turn the order of letters around, hide or break a line', () => {
    expect(plainText('a\u202eb\u200bc\nd')).toBe('a�b�c�d');
  });

  test('keeps tabs, markup and other scripts as they are', () => {
    expect(plainText('a\tb <b>ß 漢字 🚀</b>')).toBe('a\tb <b>ß 漢字 🚀</b>');
  });

  test('is cut where it has no end', () => {
    expect(plainText('x'.repeat(5_000))).toHaveLength(2_001);
  });
});
