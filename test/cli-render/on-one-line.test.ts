/** What an app says of itself, as a terminal may be given it. */
import { expect, test } from 'vitest';
import { allOnOneLine } from '../../src/cli/render/on-one-line.js';

test('it can neither steer the terminal nor break a line', () => {
  const said = { reason: 'it threw:\r\n\x1b[2Jboom\u2028\u009b2J', count: 1 };
  expect(allOnOneLine(said)).toEqual({ reason: 'it threw: [2Jboom 2J', count: 1 });
});

test('it cannot turn the order of letters around', () => {
  expect(allOnOneLine(['a\u202efdp\u202c', '\u2067b\u2069', '\u200fc'])).toEqual(['a fdp ', ' b ', ' c']);
  expect(allOnOneLine(['e\u0301, שלום']), 'what is written so stays').toEqual(['e\u0301, שלום']);
});
