import { afterEach, describe, expect, test, vi } from 'vitest';
import { renderStatus } from '../../src/cli/render/status.js';
import type { AppSnapshot, VerdictSnapshot } from '../../src/shared/snapshot.js';
import { app, appFigures, NO_RATES, NOW, past, worker, workerFigures } from '../helpers/snapshots.js';

const lines = (...apps: AppSnapshot[]): string[] => renderStatus(apps, NOW).split('\n');

afterEach(() => vi.unstubAllEnvs());

test('an app has its state, release, listeners, and a line for each worker', () => {
  expect(lines(app({ workers: [worker(), worker({ slot: 1, pid: 99, requests: 7 })] }))).toEqual([
    'api  running  generation 3  up 3 h  master 100, zdsup 0.1.0',
    'release    abcd1234 /srv/api',
    'listening  http://0.0.0.0:3000',
    '',
    'slot  gen   pid  state   up         restarts  conns  in flight  requests     cpu   memory',
    '   0    3  4242  active  1 min 5 s         0     12          3      1234  12.3 %  52.5 MB',
    '   1    3    99  active  1 min 5 s         0     12          3         7  12.3 %  52.5 MB',
    '',
  ]);
});

describe('recycling', () => {
  const recycling = { paused: null, slot: null, cause: null, due: [] as number[] } as const;
  const lineOf = (more: object): string | undefined =>
    lines(app({ recycling: { ...recycling, ...more } })).find((line) => line.startsWith('recycling'));

  test('is told where a worker is replaced, is due, or cannot be replaced', () => {
    expect(lineOf({})).toBeUndefined();
    expect(lineOf({ slot: 1, cause: 'memory', due: [0, 2] })).toBe(
      'recycling  worker 1 is being replaced (memory), its successor first; due: worker 0, 2',
    );
    expect(lineOf({ paused: 'release-modified' })).toBe('recycling  paused, for the release is modified');
    expect(lineOf({ paused: 'rollout' }), 'nobody waits').toBeUndefined();
    expect(lineOf({ paused: 'rollout', due: [0] })).toBe('recycling  due: worker 0; waits for the end of the rollout');
  });

  test('is counted in a column of its own, where there was any', () => {
    const shown = lines(app({ workers: [worker(), worker({ slot: 1, recycled: 3 })] }));
    expect(shown[4]!.split(/ {2,}/)).toContain('recycled');
    expect(shown[6]!.split(/ {2,}/)[7]).toBe('3');
  });
});

test('what is not known is a dash', () => {
  const unknown = { pid: null, connections: null, inFlight: null, requests: null, cpuPercent: null, rssBytes: null };
  expect(lines(app({ workers: [worker({ ...unknown, state: 'starting' })] }))[5]!.split(/ {2,}/)).toEqual([
    '',
    '0',
    '3',
    '-',
    'starting',
    '1 min 5 s',
    '0',
    '-',
    '-',
    '-',
    '-',
    '-',
  ]);
});

test('several apps are told apart by an empty line', () => {
  expect(renderStatus([app({ workers: [] }), app({ name: 'web', workers: [] })], NOW)).toMatch(
    /workers {4}none\n\nweb {2}running/,
  );
});

test('an app whose master does not answer is one line that says so', () => {
  expect(lines(app({ state: 'unresponsive', masterPid: 0 }))).toEqual([
    'api  unresponsive: its master did not answer in time',
    '',
  ]);
  expect(lines(app({ state: 'unresponsive' }))[0], 'its process, where it is remembered').toContain('(pid 100)');
});

describe('an app that does not run', () => {
  test.for([
    [{ state: 'stopped', ended: { at: past(180_000), reason: null } }, 'api  stopped  3 min ago'],
    [{ state: 'crashed', ended: { at: past(5_000), reason: 'it threw' } }, 'api  crashed  5.0 s ago: it threw'],
    [{ state: 'crashed', ended: { at: null, reason: 'its master was killed' } }, 'api  crashed: its master was killed'],
  ] as const)('is one line: when, why, and how to bring it back (%j)', ([changes, said]) => {
    expect(lines(app(changes))).toEqual([`${said}  zdsup start api brings it back`, '']);
  });
});

test('a slot that waits for its next worker says until when', () => {
  const respawnAt = new Date(NOW + 2_400).toISOString();
  const waiting = worker({ state: 'waiting', pid: null, startedAt: null, respawnAt, restarts: 4 });
  expect(
    lines(app({ workers: [waiting] }))[5]!
      .split(/ {2,}/)
      .slice(3, 7),
  ).toEqual(['-', 'waiting, again in 3 s', '-', '4']);
});

describe('on a terminal of few columns', () => {
  const many = app({
    workers: [worker(), worker({ slot: 1, pid: 4_194_304, requests: 9_999_999, connections: 65_535 })],
  });
  const headings = (columns: number, one = many): string[] =>
    renderStatus([one], NOW, columns).split('\n')[4]!.trim().split(/ {2,}/);

  test('what is wanted least is dropped until the table fits', () => {
    for (const columns of [100, 90, 80, 70, 60, 50])
      for (const line of renderStatus([many], NOW, columns).split('\n').slice(4))
        expect(line.length, `${columns} columns`).toBeLessThanOrEqual(columns);
    expect(headings(80)).toEqual(['slot', 'pid', 'state', 'up', 'restarts', 'conns', 'requests', 'cpu', 'memory']);
    expect(headings(100)).toHaveLength(11);
  });

  test('the generation stays while there are two of them', () => {
    const two = app({ workers: [worker(), worker({ generation: 4, pid: 5 })] });
    expect(headings(60, two)).toContain('gen');
    expect(headings(60)).not.toContain('gen');
  });

  test('on one that is too narrow for anything the rest is shown all the same', () => {
    expect(headings(10)).toEqual(['slot', 'state']);
  });
});

describe('the listeners', () => {
  test.for([
    [{ address: '::1', port: 8443, protocol: 'https' }, 'https://[::1]:8443'],
    [{ address: null, path: '/run/api.sock', protocol: 'http' }, 'http /run/api.sock'],
    [{ address: '127.0.0.1', port: 5432, protocol: 'tcp' }, 'tcp://127.0.0.1:5432'],
  ] as const)('%j are shown as %s', ([listener, shown]) => {
    expect(lines(app({ listeners: [listener] }))[2]).toBe(`listening  ${shown}`);
  });

  test('are on nothing where there are none', () => {
    expect(lines(app({ listeners: [] }))[2]).toBe('listening  on nothing');
  });
});

describe('the rollout', () => {
  const rollout = {
    id: 2,
    from: 3,
    to: 4,
    step: 'shifting',
    startedAt: past(0),
    outcome: null,
    reason: null,
    weight: null,
    kind: 'reload',
    cause: null,
  } as const;

  test('under way says where it is', () => {
    expect(lines(app({ rollout }))[3]).toBe('rollout    to generation 4: shifting');
    expect(lines(app({ rollout: { ...rollout, to: null, step: 'preparing' } }))[3]).toBe('rollout    preparing');
  });

  test('that is held says who gets how much, and what goes on', () => {
    const weights = { 3: 95, 4: 5 };
    expect(lines(app({ name: 'api', weights, rollout: { ...rollout, step: 'canary', weight: 5 } }))[3]).toBe(
      'rollout    to generation 4: canary, generation 3 95 %, generation 4 5 %; zdsup canary api <weight>, promote or abort',
    );
  });

  test('of a canary by steps says how far it is, and what its traffic says', () => {
    const held = { ...rollout, step: 'canary', weight: 5 } as const;
    const canary = { step: 1, steps: 3, until: new Date(NOW + 42_000).toISOString(), verdict: null };
    expect(lines(app({ name: 'api', rollout: { ...held, canary } }))[4]).toBe(
      'canary     step 1 of 3, 42 s left; no verdict yet',
    );
    const verdict = { kind: 'inconclusive', reason: '12 requests so far' } as const;
    expect(lines(app({ name: 'api', rollout: { ...held, canary: { ...canary, until: null, verdict } } }))[4]).toBe(
      'canary     step 1 of 3, waits for zdsup promote api; inconclusive: 12 requests so far',
    );
  });

  test('of a canary by hand says what its traffic says', () => {
    const held = { ...rollout, step: 'canary', weight: 5 } as const;
    const canaryLine = (verdict: VerdictSnapshot | null) =>
      lines(app({ name: 'api', rollout: { ...held, verdict } }))[4];
    expect(canaryLine(null)).toBe('canary     no verdict yet');
    expect(canaryLine({ kind: 'good', reason: '0 of 900 failed' })).toBe('canary     good: 0 of 900 failed');
  });

  test('that goes back by itself says why', () => {
    const back = { ...rollout, kind: 'rollback', cause: 'worker 0 crash-loops' } as const;
    expect(lines(app({ rollout: back }))[3]).toBe('rollout    back (worker 0 crash-loops) to generation 4: shifting');
  });

  test('that has gone back says from what, and why, until the next one', () => {
    const back = { ...rollout, kind: 'rollback', step: 'done', outcome: 'succeeded', from: 5, to: 6 } as const;
    expect(lines(app({ rollout: { ...back, cause: 'it crash-loops' } }))[3]).toBe(
      'rollout    rolled back from generation 5: it crash-loops',
    );
    expect(lines(app({ rollout: back }))[3]).toBe('rollout    rolled back from generation 5');
  });

  test('under way names the release that comes', () => {
    const release = { id: 'beef5678', path: '/srv/api-2' };
    expect(lines(app({ rollout: { ...rollout, release } }))[4]).toBe('to release beef5678 /srv/api-2');
  });

  test('that failed says why', () => {
    expect(
      lines(app({ rollout: { ...rollout, step: 'done', outcome: 'failed', reason: 'it never listened' } }))[3],
    ).toBe('rollout    failed: it never listened');
  });

  test('that succeeded is not worth a line', () => {
    expect(renderStatus([app({ rollout: { ...rollout, step: 'done', outcome: 'succeeded' } })], NOW)).not.toContain(
      'rollout',
    );
  });
});

test('a generation on trial, and one that is parked, say for how long', () => {
  const soak = { generation: 4, until: new Date(NOW + 12_000).toISOString(), judged: false, goesBack: true };
  const parked = { generation: 3, until: new Date(NOW + 540_000).toISOString(), boots: 0 };
  const shown = lines(app({ name: 'api', soak, parked }));
  expect(shown[3]).toBe('soak       generation 4 is on trial for 12 s more: crashes roll it back, bad figures do not');
  expect(shown[4]).toBe('parked     generation 3, for 9 min more; zdsup rollback api is instant');
  expect(lines(app({ name: 'api', parked: { ...parked, boots: 1 } }))[3], 'one of its workers has gone').toBe(
    'parked     generation 3, for 9 min more; zdsup rollback api takes a boot, of 1 worker',
  );
});

test('of a trial nothing is promised that does not come', () => {
  const soak = { generation: 4, until: new Date(NOW + 12_000).toISOString(), judged: true, goesBack: true };
  expect(lines(app({ soak }))[3]).toBe(
    'soak       generation 4 is on trial for 12 s more: a crash loop or a bad verdict rolls it back',
  );
  expect(lines(app({ soak: { ...soak, goesBack: false } }))[3]).toBe(
    'soak       generation 4 is on trial for 12 s more: no way back, the old files were edited',
  );
});

test('a release that was edited in place is marked', () => {
  const release = { id: 'abcd1234', path: '/srv/api', modified: true };
  expect(lines(app({ release }))[1]).toBe(
    'release    abcd1234 /srv/api  release modified: the directory has changed since; zdsup reload brings it in',
  );
});

test('a release that was edited in place and has failed is not to be reloaded as it is', () => {
  const release = { id: 'abcd1234', path: '/srv/api', modified: true };
  const failed = {
    id: 2,
    from: 3,
    to: 4,
    step: 'booting',
    startedAt: past(1_000),
    reason: 'it threw',
    weight: null,
    kind: 'reload',
    cause: null,
  } as const;
  expect(lines(app({ release, rollout: { ...failed, outcome: 'failed' } }))[1]).toContain(
    'once it is mended, zdsup reload brings it in, or the next save where files are watched',
  );
});

test('a worker that has not told of its heap yet has none shown', () => {
  const shown = lines(
    app({
      figures: appFigures([]),
      workers: [
        worker({ figures: workerFigures({ heapUsedBytes: 0, heapTotalBytes: 0 }) }),
        worker({ slot: 1, figures: workerFigures() }),
      ],
    }),
  );
  const at = shown.findIndex((line) => line.startsWith('slot'));
  const end = shown[at]!.indexOf('heap') + 'heap'.length;
  expect(shown.slice(at + 1, at + 3).map((line) => line.slice(0, end).trimEnd().split(/ {2,}/).at(-1))).toEqual([
    '-',
    '40.0 MB',
  ]);
});

test('the table of workers stays within 100 columns, also with large figures', () => {
  const large = worker({
    slot: 127,
    pid: 4_194_304,
    generation: 999,
    state: 'draining',
    startedAt: past(86_400_000 * 300 + 3_600_000 * 23),
    restarts: 9_999,
    connections: 65_535,
    inFlight: 65_535,
    requests: 9_999_999,
    cpuPercent: 100,
    rssBytes: 1_024 * 2 ** 20,
  });
  for (const line of lines(app({ workers: [large] })).slice(4)) expect(line.length).toBeLessThanOrEqual(100);
});

describe('while somebody measures', () => {
  const two = app({
    weights: { 3: 95, 4: 5 },
    figures: appFigures([
      {
        generation: 3,
        workerCount: 2,
        rates: { requestsPerSecond: 1_234.4, errorRate: 0.00004, p50Ms: 1.23, p99Ms: 48.7 },
      },
      { generation: 4, workerCount: 2, rates: { requestsPerSecond: 4.4, errorRate: 0.05, p50Ms: null, p99Ms: null } },
      { generation: 2, workerCount: 0 },
    ]),
    workers: [
      worker({ figures: workerFigures() }),
      worker({ slot: 1, figures: workerFigures() }),
      worker({ generation: 4, figures: workerFigures({ rates: { ...NO_RATES, requestsPerSecond: 4.4 } }) }),
      worker({ generation: 4, slot: 1, state: 'starting' }),
    ],
  });

  test('an app has its traffic, and what its master takes', () => {
    const figures = appFigures([], {
      crashes: 2,
      rates: { requestsPerSecond: 1_500, errorRate: 0.015, p50Ms: 1.2, p99Ms: 48.7 },
    });
    expect(lines(app({ figures }))).toContain(
      'traffic    1500 req/s, p50 1.2 ms, p99 49 ms, errors 1.5 %, 2 crashes since the start',
    );
    expect(lines(app({ figures }))).toContain('master     cpu 0.4 %, 60.0 MB, loop 2 %, queue 0.3 ms');
    expect(lines(app({ figures: appFigures([]) }))).toContain('traffic    0 req/s, errors 0 %');
  });

  test('generations that share the traffic stand side by side', () => {
    const shown = lines(two);
    const from = shown.findIndex((line) => line.startsWith('generation'));
    expect(shown.slice(from, from + 4)).toEqual([
      'generation  weight  workers  req/s     p50     p99  errors',
      '         3    95 %  2         1234  1.2 ms   49 ms  0.01 %',
      '         4     5 %  1 of 2     4.4       -       -   5.0 %',
      '',
    ]);
    expect(lines(app({ figures: appFigures([{ generation: 3 }]) })).join(), 'one alone').not.toContain('weight');
  });

  test('a worker has its own figures, as far as the columns go', () => {
    const headings = (columns: number): string[] =>
      renderStatus([two], NOW, columns)
        .split('\n')
        .find((line) => line.includes('slot'))!
        .trim()
        .split(/ {2,}/);
    expect(headings(200)).toEqual([
      ...['slot', 'gen', 'pid', 'state', 'up', 'restarts', 'conns', 'in flight', 'requests'],
      ...['req/s', 'p50', 'p99', 'errors', 'loop', 'delay', 'heap', 'cpu', 'memory'],
    ]);
    expect(headings(80)).toEqual([
      'slot',
      'gen',
      'pid',
      'state',
      'req/s',
      'p50',
      'p99',
      'errors',
      'loop',
      'cpu',
      'memory',
    ]);
    for (const columns of [200, 120, 100, 80, 60])
      for (const line of renderStatus([two], NOW, columns).split('\n').slice(-6))
        expect(line.length, `${columns} columns`).toBeLessThanOrEqual(columns);
    expect(lines(two).at(-5)).toMatch(/ 150 +2\.0 ms +12 ms +0 % +31 % +1\.5 ms +40\.0 MB /);
    expect(lines(two).at(-2), 'one that boots has none yet').toMatch(/starting .* - +- +- +- +- +- +- /);
  });
});

test('colours are for terminals only: a running app is green there', () => {
  vi.stubEnv('NO_COLOR', '');
  expect(renderStatus([app()], NOW)).not.toContain('\x1b');
  const { isTTY } = process.stdout;
  process.stdout.isTTY = true;
  try {
    expect(renderStatus([app()], NOW)).toContain('\x1b[32mrunning\x1b[39m');
  } finally {
    process.stdout.isTTY = isTTY;
  }
});

test('a draining worker says what it waits for, and a blocked one that it is', () => {
  const drains = worker({
    slot: 1,
    state: 'draining',
    inFlight: 2,
    connections: 4,
    drain: { webSockets: 1, leftMs: 17_200 },
  });
  const done = worker({
    slot: 2,
    state: 'draining',
    inFlight: 0,
    connections: 0,
    drain: { webSockets: 0, leftMs: 400 },
  });
  const shown = lines(app({ workers: [worker({ unresponsive: true }), drains, done] }));
  expect(shown).toContain('worker 1 of generation 3 drains: 2 requests, 1 WebSocket, 1 other connection, 18 s left');
  expect(shown).toContain('worker 2 of generation 3 drains: 1 s left');
  expect(shown.some((line) => line.includes('blocked'))).toBe(true);
});
