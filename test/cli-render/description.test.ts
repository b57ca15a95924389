import { expect, test } from 'vitest';
import { renderDescription } from '../../src/cli/render/description.js';
import { DEFAULT_ANALYSIS } from '../../src/shared/default-analysis.js';
import type { DescribedApp, ExitSnapshot } from '../../src/shared/description.js';
import { HOSTILE, steering } from '../helpers/hostile-text.js';

const NOW = Date.parse('2026-01-01T12:00:00.000Z');
const ago = (ms: number): string => new Date(NOW - ms).toISOString();

const exit = (changes: Partial<ExitSnapshot> = {}): ExitSnapshot => ({
  at: ago(5_000),
  slot: 1,
  generation: 2,
  pid: 77,
  code: 1,
  signal: null,
  error: null,
  expected: false,
  stderr: ['Error: no database', '    at connect'],
  ...changes,
});

const APP: DescribedApp = {
  name: 'api',
  state: 'running',
  masterPid: 100,
  version: '0.1.0',
  startedAt: ago(60_000),
  release: { id: 'abcd1234', path: '/srv/api', modified: false },
  generation: 2,
  listeners: [],
  weights: {},
  rollout: null,
  workers: [],
  config: {
    script: 'app.js',
    entry: '/srv/api/app.js',
    args: [],
    nodeArgs: [],
    execArgv: [],
    cwd: '/srv/api',
    envFile: [],
    envNames: ['PORT'],
    otherEnvNames: ['HOME', 'PATH'],
    instances: 2,
    surge: 1,
    unavailable: 0,
    atomic: true,
    ready: {
      check: { path: '/healthz', port: 8080 },
      initialDelayMs: 0,
      periodMs: 1_000,
      timeoutMs: 1_000,
      successes: 2,
      deadlineMs: 60_000,
    },
    minReadyMs: 1_000,
    drainTimeoutMs: 30_000,
    killTimeoutMs: 5_000,
    stopTimeoutMs: 25_000,
    closeSpreadMs: 5_000,
    backoff: { initialMs: 100, factor: 2, capMs: 30_000, jitter: 0.2, resetAfterMs: 60_000 },
    maxMemory: null,
    maxAgeMs: null,
    maxRequests: null,
    watch: false,
    watchIgnore: [],
    maxDraining: 2,
    sticky: false,
    user: 'www-data',
    group: null,
    umask: '0027',
    listen: ['80', '/run/api/app.sock'],
    log: null,
    handover: 'auto',
    crashLoop: { count: 5, windowMs: 60_000 },
    livenessTimeoutMs: 0,
    smoke: { run: 'npm run smoke', timeoutMs: 60_000 },
    warmup: { paths: ['/', '/products'], timeoutMs: 5_000, required: true, port: 8080 },
    canary: {
      steps: [
        { weight: 5, pauseMs: 60_000 },
        { weight: 50, pauseMs: null },
      ],
      sticky: true,
      analysis: DEFAULT_ANALYSIS,
    },
    soakMs: 30_000,
    keepWarmMs: 0,
    readAt: ago(61_000),
    private: [],
    keep: 5,
    shared: [],
    http: { port: 9000, socket: null, host: '::1', token: 'random', readOnly: true, hosts: [] },
  },
  exits: [],
  rollouts: [],
  record: null,
};

/** The lines of one section, without its heading. */
function section(app: DescribedApp, title: string): string[] | undefined {
  const found = renderDescription(app, NOW)
    .split('\n\n')
    .map((text) => text.split('\n'))
    .find(([heading]) => heading === title);
  return found?.slice(1).map((line) => line.slice(2));
}

test('the status comes first, the sections follow; what there is none of says so', () => {
  expect(renderDescription(APP, NOW)).toMatch(/^api {2}running {2}generation 2/);
  expect(section(APP, 'last exits')).toEqual(['none']);
  expect(section(APP, 'last rollouts')).toEqual(['none']);
  expect(section(APP, 'started'), 'nothing is remembered').toBeUndefined();
});

test('the config is told in the words of the config file', () => {
  const rows = section(APP, 'config in force')!.map((row) => row.split(/ {2,}/));
  expect(rows).toContainEqual(['entry', '/srv/api/app.js']);
  expect(rows).toContainEqual([
    'ready',
    'http port 8080 /healthz, 2 in a row, every 1.0 s for up to 1.0 s, within 1 min',
  ]);
  expect(rows).toContainEqual(['canary', '5 % for 1 min, 50 % until promoted, sticky']);
  expect(rows).toContainEqual(['soak', '30 s']);
  expect(rows).toContainEqual(['keepWarm', 'off']);
  expect(rows).toContainEqual(['http', '[::1]:9000, a random token, read-only']);
  expect(rows).toContainEqual(['warmup', 'port 8080 / /products, each for up to 5.0 s, required']);
  expect(rows).toContainEqual(['reload', 'surge 1, unavailable 0, atomic']);
  expect(rows).toContainEqual(['env', 'PORT; 2 more from env files and the master']);
});

test('a crash has its last words, an end that was told has none, and a worker that never was has its reason', () => {
  const exits = [exit(), exit({ expected: true, code: 0 }), exit({ pid: null, code: null, error: 'no process' })];
  expect(section({ ...APP, exits }, 'last exits')).toEqual([
    '5.0 s ago  worker 1 of generation 2 (pid 77): crashed, exit code 1',
    '  Error: no database',
    '      at connect',
    '5.0 s ago  worker 1 of generation 2 (pid 77): ended as it was told, exit code 0',
    '5.0 s ago  worker 1 of generation 2: crashed, no process',
    '  Error: no database',
    '      at connect',
  ]);
});

test('of many crashes only the latest have their words: a loop fills no screen', () => {
  const exits = Array.from({ length: 10 }, () => exit({ code: null, signal: 'SIGSEGV' }));
  const lines = section({ ...APP, exits }, 'last exits')!;
  expect(lines.filter((line) => line.includes('crashed, SIGSEGV'))).toHaveLength(10);
  expect(lines.filter((line) => line.includes('no database'))).toHaveLength(3);
});

test('a rollout that failed says why', () => {
  const rollout = { id: 3, kind: 'reload', cause: null, step: 'done', startedAt: ago(90_000), weight: null } as const;
  const rollouts = [
    { ...rollout, from: 2, to: 3, outcome: 'failed' as const, reason: 'it threw' },
    { ...rollout, from: null, to: 1, outcome: 'succeeded' as const, reason: null },
  ];
  expect(section({ ...APP, rollouts }, 'last rollouts')).toEqual([
    '1 min 30 s ago  generation 2 to 3: failed: it threw',
    '1 min 30 s ago  start of generation 1: succeeded',
  ]);
});

test('nothing that an app has written steers the terminal', () => {
  const rollout = { id: 3, kind: 'reload', cause: null, step: 'done', startedAt: ago(90_000), weight: null } as const;
  const rollouts = [{ ...rollout, from: 2, to: 3, outcome: 'failed' as const, reason: `it threw ${HOSTILE}` }];
  const exits = [exit({ stderr: [`Error: ${HOSTILE}`] }), exit({ pid: null, code: null, error: HOSTILE })];
  const shown = renderDescription({ ...APP, exits, rollouts }, NOW);
  expect(steering(shown)).toEqual([]);
  expect(shown.match(/evil/g)).toHaveLength(3);
});
