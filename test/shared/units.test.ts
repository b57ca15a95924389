import { describe, expect, test } from 'vitest';
import { formatDuration, formatSize, parseDuration, parseShare, parseSize } from '../../src/shared/units.js';

describe('a duration as people write it', () => {
  test.for([
    ['30s', 30_000],
    ['500ms', 500],
    ['2m', 120_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['0s', 0],
    ['0.25s', 250],
    [' 10s ', 10_000],
    ['250', 250],
    [250, 250],
    [0, 0],
  ] as const)('%j is %d ms', ([written, ms]) => {
    expect(parseDuration(written)).toBe(ms);
  });

  test.for(['', 's', '-1s', '1 s', '10sec', '1d', 's10', '1e3', '1s2s', 'NaN', '1,5s'])('%j is none', (written) => {
    expect(parseDuration(written)).toBeNull();
  });

  test.for([-1, Number.NaN, Number.POSITIVE_INFINITY])('nor is the number %d', (written) => {
    expect(parseDuration(written)).toBeNull();
  });
});

describe('a share as people write it', () => {
  test.for([
    ['5%', 0.05],
    ['0.1 %', 0.001],
    ['100%', 1],
    ['0%', 0],
    [0.05, 0.05],
    [0, 0],
  ] as const)('%j is %d', ([written, share]) => {
    expect(parseShare(written)).toBeCloseTo(share, 12);
  });

  test.for(['', '5', '%', '-1%', '1,5%', -1, Number.NaN])('%j is none', (written) => {
    expect(parseShare(written)).toBeNull();
  });
});

describe('a duration as people read it', () => {
  const SECOND = 1_000;
  const MINUTE = 60 * SECOND;
  const HOUR = 60 * MINUTE;
  const DAY = 24 * HOUR;

  test.for([
    [0, '0 ms'],
    [0.4, '0 ms'],
    [250, '250 ms'],
    [999, '999 ms'],
    [SECOND, '1.0 s'],
    [1_250, '1.3 s'],
    [12_400, '12 s'],
    [59 * SECOND, '59 s'],
    [MINUTE, '1 min'],
    [3 * MINUTE + 5 * SECOND, '3 min 5 s'],
    [HOUR, '1 h'],
    [2 * HOUR + 10 * MINUTE, '2 h 10 min'],
    [2 * HOUR + 59 * SECOND, '2 h'],
    [3 * DAY + 4 * HOUR, '3 d 4 h'],
    [400 * DAY, '400 d'],
  ] as const)('%d ms is %j', ([ms, read]) => {
    expect(formatDuration(ms)).toBe(read);
  });

  test.for([
    [59_999, '1 min'],
    [HOUR - 1, '1 h'],
  ] as const)('%d ms is rounded into the next unit: %j', ([ms, read]) => {
    expect(formatDuration(ms)).toBe(read);
  });
});

describe('a size as people write it', () => {
  test.for([
    ['512mb', 512 * 2 ** 20],
    ['1.5GB', 1.5 * 2 ** 30],
    ['64 kb', 65_536],
    ['100b', 100],
    ['4096', 4_096],
    [4_096, 4_096],
    [0, 0],
    ['512M', 512 * 2 ** 20],
    ['64KiB', 64 * 2 ** 10],
  ] as const)('%j is %d bytes', ([written, bytes]) => {
    expect(parseSize(written)).toBe(bytes);
  });

  test.for(['', 'mb', '-1mb', '1tb', '1e3', '50%', '1,5mb', '1mbit'])('%j is none', (written) => {
    expect(parseSize(written)).toBeNull();
  });

  test.for([-1, Number.NaN, Number.POSITIVE_INFINITY])('nor is the number %d', (written) => {
    expect(parseSize(written)).toBeNull();
  });

  test.for([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_536, '1.5 kB'],
    [10 * 2 ** 20, '10 MB'],
    [3 * 2 ** 30, '3 GB'],
  ] as const)('%d bytes are told as %s', ([bytes, told]) => {
    expect(formatSize(bytes)).toBe(told);
  });
});
