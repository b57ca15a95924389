/** Of an env file, Node's parser says what is set; the lines that it passes over are told. */
import { parseEnv } from 'node:util';
import { describe, expect, test } from 'vitest';
import { readEnvFile } from '../../../src/master/planning/env-file.js';

describe('a line is told of, by its number', () => {
  test.each([
    ['without =', 'A=1\nSECRET hunter2\nB=2', [2]],
    ['without a name', '=1\nA=1', [1]],
    ['that exports what is not set there', 'export A=1\nexport B\n', [2]],
    ['with a colon, as in YAML', 'A: 1\nB=2', [1]],
    ['after a value over several lines', 'A="one\ntwo"\nGARBAGE', [3]],
    ['after a quote that nothing closes', `A='one\nGARBAGE\nB=2`, [2]],
    ['with the line ends of Windows', 'A=1\r\nGARBAGE\r\nB=2\r\n', [2]],
    ['each of several', 'X\n\nY\nA=1\nZ', [1, 3, 5]],
  ])('%s', (_, text, unread) => {
    expect(readEnvFile(text).unread).toEqual(unread);
  });
});

describe('nothing is told of', () => {
  test.each([
    ['variables, with and without a value', 'A=1\nB=\n C = 3 # why\nexport D=4\n'],
    ['comments and empty lines', '# A\n\n   # B\n\t\nA=1'],
    ['a value over several lines', 'A="one\ntwo\n# three"\nB=`x\ny`\nC=3'],
    ['quotes inside quotes', `A="it's"\nB='say "so"'\nC=1`],
    ['a value with =', 'A=b=c\nURL="x?y=z"'],
    ['an empty file', ''],
  ])('%s', (_, text) => {
    expect(readEnvFile(text).unread).toEqual([]);
  });
});

test("what is set is what Node's own parser says", () => {
  const text = `A=1\nGARBAGE\nB="two\nlines"\nC='unclosed\nD=4 # why`;
  expect(readEnvFile(text).env).toEqual(parseEnv(text));
});
