import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { makeProgress } from '../../src/cli/render/progress.js';
import type { Progress, ProgressKind } from '../../src/shared/control-protocol.js';
import { HOSTILE, steering } from '../helpers/hostile-text.js';

const step = (kind: ProgressKind, message: string, counts: Partial<Progress> = {}): Progress => ({
  type: 'progress',
  at: '2026-01-01T00:00:00.000Z',
  kind,
  message,
  ...counts,
});

let written: string[];

beforeEach(() => {
  vi.useFakeTimers();
  written = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('off a terminal', () => {
  test('each step is a plain line with the name of the app', () => {
    const view = makeProgress('api', 'lines');
    view.show(step('prepared', 'generation 2: starting 2 workers'));
    view.show(step('worker-ready', 'worker 0 of generation 2 is ready'));
    view.end();
    expect(written).toEqual(['api: generation 2: starting 2 workers\n', 'api: worker 0 of generation 2 is ready\n']);
  });

  test('nothing is written for scripts', () => {
    const view = makeProgress('api', 'none');
    view.show(step('prepared', 'generation 2'));
    view.end();
    expect(written).toEqual([]);
  });
});

test.for(['lines', 'live'] as const)('what an app says steers no terminal (%s)', (mode) => {
  const view = makeProgress('api', mode);
  view.show(step('worker-ready', `failed: ${HOSTILE}\nnext`));
  view.show(step('warning', HOSTILE));
  view.end();
  const own = written.map((text) => text.replaceAll('\r\x1b[K', ''));
  expect(steering(own.join(''))).toEqual([]);
  expect(own[0]).toContain('evil red next');
});

describe('on a terminal', () => {
  const CLEAR = '\r\x1b[K';

  test('one line is redrawn in place, with the time that has passed', () => {
    const view = makeProgress('api', 'live');
    view.show(step('prepared', 'generation 2: starting'));
    expect(written).toEqual([`${CLEAR}api 0.0 s  generation 2: starting`]);
    vi.advanceTimersByTime(2_000);
    expect(written.at(-1)).toBe(`${CLEAR}api 2.0 s  generation 2: starting`);
    view.end();
  });

  test('a bar shows how many of the new workers serve, and stays on the steps that do not count', () => {
    const view = makeProgress('api', 'live');
    view.show(step('worker-active', 'takes traffic', { activeCount: 1, wantedCount: 4 }));
    expect(written.at(-1)).toBe(`${CLEAR}api [#####...............] 1/4  0.0 s  takes traffic`);
    view.show(step('worker-retired', 'drains'));
    expect(written.at(-1)).toBe(`${CLEAR}api [#####...............] 1/4  0.0 s  drains`);
    view.show(step('worker-active', 'takes traffic', { activeCount: 4, wantedCount: 4 }));
    expect(written.at(-1)).toBe(`${CLEAR}api [####################] 4/4  0.0 s  takes traffic`);
    view.end();
  });

  test('the line that says who serves stays; the rest is cleared at the end', () => {
    const view = makeProgress('api', 'live');
    view.show(step('serving', 'generation 2 serves'));
    expect(written.at(-1)).toBe('\n');
    view.end();
    expect(written.at(-1)).toBe('\n');

    const other = makeProgress('api', 'live');
    other.show(step('draining', 'drains'));
    other.end();
    expect(written.at(-1)).toBe(CLEAR);
  });

  test('a line never wraps: it is cut at the width of the terminal', () => {
    const { columns } = process.stderr;
    process.stderr.columns = 40;
    try {
      const view = makeProgress('api', 'live');
      view.show(step('failed', 'x'.repeat(200)));
      expect(written.at(-1)).toHaveLength(CLEAR.length + 39);
      view.end();
    } finally {
      process.stderr.columns = columns;
    }
  });

  test('nothing is drawn after the end', () => {
    const view = makeProgress('api', 'live');
    view.show(step('draining', 'drains'));
    view.end();
    const count = written.length;
    vi.advanceTimersByTime(60_000);
    expect(written).toHaveLength(count);
    expect(vi.getTimerCount()).toBe(0);
  });
});
