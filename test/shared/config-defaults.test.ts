/** What a config becomes: DESIGN section 8's defaults, and every way to write a value. */
import { describe, expect, test } from 'vitest';
import { defineConfig } from '../../src/index.js';
import type { AppConfig } from '../../src/shared/config.js';
import { parseConfig } from '../../src/shared/config-schema.js';

const parsed = (input: object): AppConfig => parseConfig({ script: 'app.js', ...input }, 'zdsup.config.js')[0]!;

test('a script alone gets the defaults of DESIGN section 8', () => {
  expect(parsed({})).toEqual({
    script: 'app.js',
    args: [],
    nodeArgs: [],
    env: {},
    envFile: [],
    instances: 1,
    ready: {
      check: 'listening',
      initialDelayMs: 0,
      periodMs: 1_000,
      timeoutMs: 1_000,
      successes: 1,
      deadlineMs: 60_000,
    },
    minReadyMs: 1_000,
    surge: { percent: 25 },
    unavailable: { count: 0 },
    atomic: false,
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
    handover: 'auto',
    crashLoop: { count: 5, windowMs: 60_000 },
    livenessTimeoutMs: 30_000,
    smoke: null,
    warmup: null,
    canary: null,
    soakMs: 30_000,
    keepWarmMs: 0,
    private: [],
    user: null,
    group: null,
    umask: null,
    listen: null,
    log: null,
    keep: 5,
    shared: [],
    http: null,
  });
});

test('where files are watched a worker is taken for ready sooner, unless the config says otherwise', () => {
  expect(parsed({ watch: true }).minReadyMs).toBe(250);
  expect(parsed({ watch: true, minReady: '2s' }).minReadyMs).toBe(2_000);
  expect(parsed({ maxAge: '24h' }).maxAgeMs).toBe(86_400_000);
});

describe('a value', () => {
  test.for([
    ['args', '--port 80  -v', ['--port', '80', '-v']],
    ['args', ['--title', 'two words'], ['--title', 'two words']],
    ['nodeArgs', '--max-old-space-size=512', ['--max-old-space-size=512']],
    ['envFile', '.env', ['.env']],
    ['envFile', ['.env', '.env.local'], ['.env', '.env.local']],
    ['env', { PORT: 80, DEBUG: true, NAME: 'x' }, { PORT: '80', DEBUG: 'true', NAME: 'x' }],
    ['instances', 'max', 'max'],
    ['instances', 1_024, 1_024],
    ['surge', '50%', { percent: 50 }],
    ['surge', 2, { count: 2 }],
    ['unavailable', '100%', { percent: 100 }],
    ['cwd', 'server', 'server'],
    ['name', 'scope-x', 'scope-x'],
    ['atomic', true, true],
    ['private', [9229], [9229]],
    ['umask', '027', '0027'],
    ['listen', [80, '[::1]:9000'], ['80', '[::1]:9000']],
    ['maxRequests', 1_000, 1_000],
    ['maxMemory', '512mb', { bytes: 512 * 2 ** 20 }],
    ['maxMemory', 1_000_000, { bytes: 1_000_000 }],
    ['maxMemory', '80%', { share: 0.8 }],
    ['watch', true, true],
    ['watch', ['src', 'views'], ['src', 'views']],
    ['watch', [], false],
    ['watchIgnore', ['*.sqlite'], ['*.sqlite']],
    ['crashLoop', '3 in 2m', { count: 3, windowMs: 120_000 }],
    ['smoke', 'npm run smoke', { run: 'npm run smoke', timeoutMs: 60_000 }],
    ['smoke', { run: './smoke.sh', timeout: '5s' }, { run: './smoke.sh', timeoutMs: 5_000 }],
    ['warmup', ['/', '/a%20b?c=1'], { paths: ['/', '/a%20b?c=1'], timeoutMs: 5_000, required: false }],
    ['warmup', [], null],
    ['warmup', { paths: [], required: true }, null],
    ['warmup', { paths: ['/'], timeout: '1s' }, { paths: ['/'], timeoutMs: 1_000, required: false }],
    [
      'canary',
      { steps: [{ weight: 5 }, { weight: 25, pause: '5m' }, { weight: 50, pause: true }] },
      {
        steps: [
          { weight: 5, pauseMs: 60_000 },
          { weight: 25, pauseMs: 300_000 },
          { weight: 50, pauseMs: null },
        ],
        sticky: false,
        analysis: {
          minRequests: 100,
          maxErrorRate: null,
          maxP99Ms: null,
          maxRestarts: null,
          tolerance: 0.2,
          errorTolerance: 0.0005,
          latencyToleranceMs: 1,
          inconclusive: 'wait',
        },
      },
    ],
    [
      'canary',
      {
        steps: [{ weight: 99, pause: 0 }],
        sticky: true,
        analysis: {
          minRequests: 1,
          maxErrorRate: '2.5%',
          maxP99: '1.5s',
          maxRestarts: 0,
          tolerance: 0,
          errorTolerance: 0.01,
          latencyTolerance: '5ms',
          inconclusive: 'pause',
        },
      },
      {
        steps: [{ weight: 99, pauseMs: 0 }],
        sticky: true,
        analysis: {
          minRequests: 1,
          maxErrorRate: 0.025,
          maxP99Ms: 1_500,
          maxRestarts: 0,
          tolerance: 0,
          errorTolerance: 0.01,
          latencyToleranceMs: 5,
          inconclusive: 'pause',
        },
      },
    ],
    [
      'warmup',
      { paths: ['/'], required: true, port: 3000, host: 'shop.example', protocol: 'https' },
      { paths: ['/'], timeoutMs: 5_000, required: true, port: 3000, host: 'shop.example', protocol: 'https' },
    ],
  ] as const)('of %s may be written as %j', ([key, written, becomes]) => {
    expect(parsed({ [key]: written })[key]).toEqual(becomes);
  });

  test.for([
    ['minReady', 'minReadyMs'],
    ['soak', 'soakMs'],
    ['keepWarm', 'keepWarmMs'],
    ['drainTimeout', 'drainTimeoutMs'],
    ['killTimeout', 'killTimeoutMs'],
    ['stopTimeout', 'stopTimeoutMs'],
    ['closeSpread', 'closeSpreadMs'],
  ] as const)('of %s may be a duration or a number of ms, 0 included', ([key, becomes]) => {
    // Longer than minReady and killTimeout, which must be so.
    const others = { ready: { deadline: '10m' }, killTimeout: 0, stopTimeout: '10m' };
    expect(['90s', '1.5m', 90_000, '90000', 0].map((value) => parsed({ ...others, [key]: value })[becomes])).toEqual([
      90_000, 90_000, 90_000, 90_000, 0,
    ]);
  });
});

describe('ready', () => {
  test.for(['listening', 'message'] as const)('%j may be written in short, or as on', (check) => {
    expect(parsed({ ready: check })).toEqual(parsed({ ready: { on: check } }));
    expect(parsed({ ready: check }).ready.check).toBe(check);
  });

  test('with a path is an http check, with the rest as it was written', () => {
    const ready = {
      path: '/healthz',
      port: 8080,
      protocol: 'https',
      host: 'example.org',
      initialDelay: '2s',
      period: '500ms',
      timeout: 250,
      successes: 3,
      deadline: '2m',
    };
    expect(parsed({ ready }).ready).toEqual({
      check: { path: '/healthz', port: 8080, protocol: 'https', host: 'example.org' },
      initialDelayMs: 2_000,
      periodMs: 500,
      timeoutMs: 250,
      successes: 3,
      deadlineMs: 120_000,
    });
  });

  test('with a path alone leaves port, protocol and host open', () => {
    expect(parsed({ ready: { path: '/healthz' } }).ready.check).toEqual({ path: '/healthz' });
  });

  test('with a deadline alone still waits for a listener', () => {
    expect(parsed({ ready: { deadline: '5s' } }).ready).toMatchObject({ check: 'listening', deadlineMs: 5_000 });
  });
});

describe('backoff', () => {
  test('as a duration is the initial delay', () => {
    expect(parsed({ backoff: '1s' })).toEqual(parsed({ backoff: { initial: '1s' } }));
    expect(parsed({ backoff: '1s' }).backoff.initialMs).toBe(1_000);
  });

  test('takes every part by itself', () => {
    const backoff = { initial: '50ms', factor: 1.5, cap: '1m', jitter: 0, resetAfter: '10m' };
    expect(parsed({ backoff }).backoff).toEqual({
      initialMs: 50,
      factor: 1.5,
      capMs: 60_000,
      jitter: 0,
      resetAfterMs: 600_000,
    });
  });
});

describe('several apps', () => {
  test('are parsed in their order, each with its own values', () => {
    const apps = [{ name: 'api', script: 'api.js', instances: 2 }, { script: 'web.js' }];
    expect(
      parseConfig({ apps }, 'zdsup.config.js').map(({ name, script, instances }) => [name, script, instances]),
    ).toEqual([
      ['api', 'api.js', 2],
      [undefined, 'web.js', 1],
    ]);
  });

  test('may leave their names open', () => {
    expect(parseConfig({ apps: [{ script: 'a.js' }, { script: 'b.js' }] }, 'zdsup.config.js')).toHaveLength(2);
  });
});

test('defineConfig gives back what it is given', () => {
  const config = { apps: [{ script: 'app.js' }] };
  expect(defineConfig(config)).toBe(config);
});

test('shared folders are each named once, whatever their order', () => {
  expect(parsed({ shared: ['uploads', '.cache', 'uploads'] }).shared).toEqual(['.cache', 'uploads']);
});

test('a log is rotated at 10 MB unless somebody else does it', () => {
  const rotation = { maxSizeBytes: 10 * 2 ** 20, maxAgeMs: null, keep: 5, compress: true };
  expect(parsed({ log: {} }).log).toEqual({ out: null, error: null, rotation });
  expect(parsed({ log: { out: 'a.log', maxSize: '1gb', maxAge: '24h', keep: 0, compress: false } }).log).toEqual({
    out: 'a.log',
    error: null,
    rotation: { maxSizeBytes: 2 ** 30, maxAgeMs: 86_400_000, keep: 0, compress: false },
  });
  expect(parsed({ log: { rotate: false } }).log?.rotation.maxSizeBytes).toBeNull();
});
