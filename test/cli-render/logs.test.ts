import { describe, expect, test } from 'vitest';
import { Cutter } from '../../src/cli/logs/cutter.js';
import type { LogLine, Origin } from '../../src/cli/logs/line.js';
import { byTime, isWanted } from '../../src/cli/logs/line.js';
import { asJson, asWritten, forPeople } from '../../src/cli/logs/render.js';
import { wantedBy } from '../../src/cli/logs/wanted.js';
import { styles } from '../../src/cli/render/style.js';

const from = (slot: number, generation: number, at: number): Origin => ({
  at,
  writer: { slot, generation },
  stream: 'out',
});
const line = (text: string, origin: Origin | null = null): LogLine => ({
  bytes: Buffer.from(text),
  unfinished: false,
  origin,
});

describe('what is cut into lines', () => {
  test('is the same wherever the pieces end, with the origin of each line and its end missing or not', () => {
    const text = Buffer.from('first\nsecönd\n\nlast');
    const entries = [{ offset: 6, length: 8, at: 5, writer: { slot: 2, generation: 3 }, stream: 'out' as const }];
    for (let size = 1; size <= text.length; size++) {
      const cutter = new Cutter(0, entries);
      const lines: LogLine[] = [];
      for (let at = 0; at < text.length; at += size) lines.push(...cutter.take(text.subarray(at, at + size)));
      lines.push(...cutter.end());
      expect(lines.map(({ bytes, unfinished, origin }) => [bytes.toString(), unfinished, origin?.at])).toEqual([
        ['first', false, undefined],
        ['secönd', false, 5],
        ['', false, undefined],
        ['last', true, undefined],
      ]);
    }
  });
});

describe('lines that are wanted', () => {
  const told = line('GET /a 500', from(1, 7, 1_000));
  test.for([
    [{}, true],
    [{ worker: 1 }, true],
    [{ worker: 0 }, false],
    [{ generation: 7, worker: 1 }, true],
    [{ generation: 8 }, false],
    [{ since: 1_000 }, true],
    [{ since: 1_001 }, false],
    [{ grep: /5\d\d$/ }, true],
    [{ grep: /^POST/ }, false],
  ] as const)('%j', ([wanted, is]) => {
    expect(isWanted(told, wanted)).toBe(is);
  });

  test('of a line of unknown origin nobody knows the worker or the time', () => {
    for (const wanted of [{ worker: 1 }, { generation: 7 }, { since: 0 }])
      expect(isWanted(line('x'), wanted)).toBe(false);
    expect(isWanted(line('x'), { grep: /x/ })).toBe(true);
  });

  test('what is asked for is a duration or an instant, and a regular expression', () => {
    expect(wantedBy({ since: '10m' }, 1_000_000).since).toBe(400_000);
    expect(wantedBy({ since: '2026-11-26T09:00:00Z' }, 0).since).toBe(Date.UTC(2026, 10, 26, 9));
    expect(() => wantedBy({ since: 'yesterday' }, 0)).toThrow('neither a duration nor an instant');
    expect(() => wantedBy({ grep: '(' }, 0)).toThrow('--grep: ');
  });
});

test('lines of two files come in the order of their time, those of unknown origin behind the line before them', () => {
  const out = [line('a', from(0, 1, 1)), line('b', from(0, 1, 5))];
  const errors = [line('c', from(0, 1, 3)), line('?'), line('d', from(0, 1, 6))];
  expect(byTime([out, errors]).map(({ bytes }) => bytes.toString())).toEqual(['a', 'c', '?', 'b', 'd']);
});

describe('a line is shown', () => {
  test('as it was written, byte for byte', () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0d]);
    expect(asWritten({ bytes, unfinished: false, origin: null })).toEqual(Buffer.from([0xff, 0x00, 0x0d, 0x0a]));
    expect(asWritten({ bytes, unfinished: true, origin: null })).toEqual(bytes);
  });

  test('as JSON, with what is known of it', () => {
    const json = asJson('api');
    expect(JSON.parse(String(json(line('x', from(2, 7, 0)))))).toEqual({
      app: 'api',
      line: 'x',
      time: '1970-01-01T00:00:00.000Z',
      worker: 2,
      generation: 7,
      stream: 'stdout',
    });
    expect(JSON.parse(String(json(line('x'))))).toEqual({ app: 'api', line: 'x' });
    expect(JSON.parse(String(json(line('x', { at: 0, writer: null, stream: 'err' }))))).toMatchObject({ worker: null });
  });

  test("for people with its worker's label, and pino's lines pretty: that is loaded for the first of them", async () => {
    let loaded = 0;
    const render = forPeople(styles({ isTTY: false } as never), async () => {
      loaded += 1;
      return () => 'PRETTY\n';
    });
    expect(await render(line('plain', from(2, 7, 0)))).toBe('7.2 | plain\n');
    expect(await render(line('{"level":"info","time":1,"msg":"not in numbers"}'))).toContain('{"level"');
    expect(loaded).toBe(0);
    expect(await render(line('{"level":30,"time":1,"msg":"hello"}', from(0, 1, 0)))).toBe('1.0 | PRETTY\n');
    await render(line('{"level":30,"time":1,"msg":"hello"}'));
    expect(loaded).toBe(1);
  });
});
