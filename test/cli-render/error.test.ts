import { afterEach, describe, expect, test, vi } from 'vitest';
import { printError, renderError } from '../../src/cli/render/error.js';
import type { ErrorReport } from '../../src/shared/errors.js';
import { HOSTILE, steering } from '../helpers/hostile-text.js';

const REPORT: ErrorReport = {
  code: 'ZDSUP_ROLLOUT_FAILED',
  message: 'worker 0 of generation 2 exited with code 1 before it was ready',
  hint: 'generation 1 goes on serving',
  exitStatus: 1,
};

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe('an error', () => {
  test('says what, the code, and what to do next', () => {
    expect(renderError(REPORT, [])).toBe(
      'error: worker 0 of generation 2 exited with code 1 before it was ready (ZDSUP_ROLLOUT_FAILED)\n' +
        'hint: generation 1 goes on serving\n',
    );
  });

  test("has the worker's last words between the two", () => {
    expect(renderError(REPORT, ['Error: no database', '    at app.js:3'])).toBe(
      'error: worker 0 of generation 2 exited with code 1 before it was ready (ZDSUP_ROLLOUT_FAILED)\n' +
        'the last lines of its output:\n' +
        '  Error: no database\n' +
        '      at app.js:3\n' +
        'hint: generation 1 goes on serving\n',
    );
  });

  test('says nothing that steers the terminal, whatever the app has written', () => {
    const message = `it threw: ${HOSTILE}\nin two lines`;
    const rendered = renderError({ ...REPORT, message }, [`Error: ${HOSTILE}`, `\tat a\n\x1b[1;31mb\x1b[0m`]);
    expect(steering(rendered)).toEqual([]);
    expect(rendered).toContain('\nin two lines (ZDSUP_ROLLOUT_FAILED)\n');
    expect(rendered).toContain('\n  \tat a\n  b\n');
  });

  test('has no hint line where there is no hint', () => {
    const { hint: _, ...bare } = REPORT;
    expect(renderError(bare, [])).not.toContain('hint');
  });
});

describe('colours', () => {
  test.for([
    { terminal: true, noColor: '', coloured: true },
    { terminal: true, noColor: '1', coloured: false },
    { terminal: false, noColor: '', coloured: false },
  ])('on a terminal ($terminal) with NO_COLOR=$noColor: $coloured', ({ terminal, noColor, coloured }) => {
    vi.stubEnv('NO_COLOR', noColor);
    const { isTTY } = process.stderr;
    process.stderr.isTTY = terminal;
    try {
      expect(renderError(REPORT, []).includes('\x1b[31merror:\x1b[39m')).toBe(coloured);
      expect(renderError(REPORT, []).includes('\x1b')).toBe(coloured);
    } finally {
      process.stderr.isTTY = isTTY;
    }
  });
});

describe('printing', () => {
  const written = (stream: NodeJS.WriteStream): string[] => {
    const lines: string[] = [];
    vi.spyOn(stream, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
    return lines;
  };

  test('goes to stderr for people', () => {
    const [stdout, stderr] = [written(process.stdout), written(process.stderr)];
    printError(REPORT, { json: false, stderr: ['last words'] });
    expect([stdout, stderr]).toEqual([[], [renderError(REPORT, ['last words'])]]);
  });

  test('goes to stdout as one JSON result for scripts', () => {
    const [stdout, stderr] = [written(process.stdout), written(process.stderr)];
    printError(REPORT, { json: true });
    expect(JSON.parse(stdout.join(''))).toEqual({ type: 'result', ok: false, exitStatus: 1, error: REPORT });
    expect(stderr).toEqual([]);
  });
});
