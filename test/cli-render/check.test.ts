/** What a check says to people. */
import { expect, test } from 'vitest';
import { renderCheck } from '../../src/cli/render/check.js';
import type { CheckReport } from '../../src/shared/check-report.js';

const REPORT: CheckReport = {
  type: 'result',
  ok: true,
  exitStatus: 0,
  command: 'check',
  app: 'shop',
  durationMs: 1_200,
  smoke: 'passed',
  warmup: [],
  state: 'running',
  changes: null,
  message: 'it starts',
};
const render = (more: Partial<CheckReport> = {}): string =>
  renderCheck({ ...REPORT, ...more }, { id: '1234abcd', path: '/srv/shop' }, ['http://[::]:3000']);

test('it was proven, of which release, on what it listens, and what a reload would do', () => {
  expect(render()).toBe(
    'shop  ready after 1.2 s, smoke test passed\nrelease    1234abcd /srv/shop\nlistening  http://[::]:3000\nok: it starts\n',
  );
});

test('it was warmed up, or how much of it', () => {
  const good = { path: '/', status: 200, ms: 12, failure: null };
  const bad = { path: '/report', status: 500, ms: 3, failure: '/report answered 500' };
  expect(render({ warmup: [good] })).toContain('ready after 1.2 s, warmed up, smoke test passed\n');
  expect(render({ warmup: [good, bad] })).toContain(', warmed up by 1 of 2 paths, smoke test passed\n');
});

test('where the app that serves is in a crash loop, a line says so', () => {
  expect(render({ state: 'crash-looping' })).toContain('\nserving    crash-looping: see zdsup status shop\n');
});
