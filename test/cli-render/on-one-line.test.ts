/** What an app says of itself, as a terminal may be given it. */
import { expect, test } from 'vitest';
import { allOnOneLine, inLines } from '../../src/cli/render/on-one-line.js';
import { HOSTILE } from '../helpers/hostile-text.js';

test('it can neither steer the terminal nor break a line', () => {
  const said = { reason: 'it threw:\r\n\x1b[2Jboom\u2028\u009b2J', count: 1 };
  expect(allOnOneLine(said)).toEqual({ reason: 'it threw: boom ', count: 1 });
});

test('it cannot turn the order of letters around', () => {
  expect(allOnOneLine(['a\u202efdp\u202c', '\u2067b\u2069', '\u200fc'])).toEqual(['a fdp ', ' b ', ' c']);
  expect(allOnOneLine(['e\u0301, שלום']), 'what is written so stays').toEqual(['e\u0301, שלום']);
});

test('words of several lines keep them and their tabs, and nothing else that steers', () => {
  expect(inLines(`one\r\n\ttwo ${HOSTILE}\n\n  three`)).toBe('one\n\ttwo  ]0;title evil red\n\n  three');
});

test('what would take long to look through does not', () => {
  const startedAt = performance.now();
  inLines(`${'\x1b['.repeat(50_000)}\x1b[${'1;'.repeat(50_000)}`);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});
