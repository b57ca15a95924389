import { describe, expect, test } from 'vitest';
import { table } from '../../src/cli/render/table.js';

describe('a table', () => {
  test('has text to the left and figures to the right, headings with them, two spaces apart', () => {
    const rows = [
      ['api', '1', '0.5 %', '9.1 MB'],
      ['a-longer-name', '12345', '100.0 %', '512.0 MB'],
    ];
    expect(table(['name', 'pid', 'cpu', 'memory'], rows)).toBe(
      [
        'name             pid      cpu    memory',
        'api                1    0.5 %    9.1 MB',
        'a-longer-name  12345  100.0 %  512.0 MB',
      ].join('\n'),
    );
  });

  test('takes a column with one word in it for text, and a dash for a figure', () => {
    expect(
      table(
        ['a', 'b'],
        [
          ['10', '-'],
          ['none', '200'],
        ],
      ),
    ).toBe(['a       b', '10      -', 'none  200'].join('\n'));
  });

  test('has no spaces at the end of a line', () => {
    expect(
      table(
        ['state', 'note'],
        [
          ['ok', ''],
          ['draining', 'soon'],
        ],
      ),
    ).not.toMatch(/ $/m);
  });

  test('without rows is its headings', () => {
    expect(table(['slot', 'pid'], [])).toBe('slot  pid');
  });
});
