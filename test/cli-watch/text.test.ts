import { expect, test } from 'vitest';
import { clip, columnsOf, wrap } from '../../src/cli/watch/text.js';

const RED = '\x1b[31m';
const PLAIN = '\x1b[39m';
const RESET = '\x1b[0m';

test('styles take no column, and some characters take two or none', () => {
  expect(columnsOf(`${RED}ab${PLAIN}`)).toBe(2);
  expect(columnsOf('東京')).toBe(4);
  expect(columnsOf('🚀')).toBe(2);
  expect(columnsOf('e\u0301')).toBe(1);
});

test('what is too long ends with an ellipsis, within the columns', () => {
  expect(clip('abcdef', 6)).toBe('abcdef');
  expect(clip('abcdef', 5)).toBe('abcd…');
  expect(clip('東京東京', 6), 'no half of a character').toBe('東京…');
  expect(clip(`${RED}abcdef${PLAIN}`, 4), 'the colour ends with it').toBe(`${RED}abc…${RESET}`);
});

test('a long text goes on below, indented, and breaks between words', () => {
  expect(wrap('canary  one two three four', 14, 8)).toEqual([
    'canary  one',
    '        two',
    '        three',
    '        four',
  ]);
  expect(wrap('short', 14, 8)).toEqual(['short']);
  expect(wrap('a extraordinarily b', 8, 2), 'no word is longer than a line').toEqual(['a', '  extra…', '  b']);
});

test('a colour goes on in the next line', () => {
  expect(wrap(`${RED}one two${PLAIN} three`, 5, 0)).toEqual([`${RED}one${RESET}`, `${RED}two${PLAIN}`, 'three']);
});
