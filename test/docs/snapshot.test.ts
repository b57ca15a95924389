/**
 * docs/snapshot.md and the types of the snapshot have the same fields, there as often: the compiler holds the lists below and the types together (`npm run typecheck`), and what runs here
 * the lists and the page.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type {
  AppFigures,
  GenerationFigures,
  LoopFigures,
  MasterFigures,
  Rates,
  ResponseClass,
  Totals,
  WorkerFigures,
} from '../../src/shared/figures.js';
import { RESPONSE_CLASSES } from '../../src/shared/figures.js';
import type {
  AppSnapshot,
  AppState,
  ListenerSnapshot,
  LogSnapshot,
  RecyclingSnapshot,
  RolloutSnapshot,
  RolloutStep,
  Snapshot,
  SoakSnapshot,
  VerdictSnapshot,
  WorkerSnapshot,
  WorkerStateName,
} from '../../src/shared/snapshot.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/snapshot.md`, 'utf8');

/** How often a field is there, in the words of the page. */
type There<T, K extends keyof T> =
  object extends Pick<T, K>
    ? null extends T[K]
      ? 'or null, or left out'
      : 'or left out'
    : null extends T[K]
      ? 'or null'
      : 'always';
type FieldsOf<T> = { [K in keyof T]-?: There<T, K> };

/** By the heading above them. */
interface Sections {
  'All of it': FieldsOf<Snapshot>;
  'An app': FieldsOf<AppSnapshot>;
  '`release`': FieldsOf<NonNullable<AppSnapshot['release']>>;
  '`soak`': FieldsOf<SoakSnapshot>;
  '`parked`': FieldsOf<NonNullable<AppSnapshot['parked']>>;
  '`log`': FieldsOf<LogSnapshot>;
  '`recycling`': FieldsOf<RecyclingSnapshot>;
  '`ended`': FieldsOf<NonNullable<AppSnapshot['ended']>>;
  'A listener': FieldsOf<ListenerSnapshot>;
  'A rollout': FieldsOf<RolloutSnapshot>;
  '`canary`': FieldsOf<NonNullable<RolloutSnapshot['canary']>>;
  '`release` of a rollout': FieldsOf<NonNullable<RolloutSnapshot['release']>>;
  'A verdict': FieldsOf<VerdictSnapshot>;
  'A worker': FieldsOf<WorkerSnapshot>;
  '`drain`': FieldsOf<NonNullable<WorkerSnapshot['drain']>>;
  'Figures of an app': FieldsOf<AppFigures>;
  'Figures of a generation': FieldsOf<GenerationFigures>;
  'Figures of a worker': FieldsOf<WorkerFigures>;
  'Figures of the master': FieldsOf<MasterFigures>;
  Totals: FieldsOf<Totals>;
  Rates: FieldsOf<Rates>;
  'Event loop': FieldsOf<LoopFigures>;
}

const SECTIONS: Sections = {
  'All of it': { apps: 'always' },
  'An app': {
    ...{ name: 'always', state: 'always', masterPid: 'always', version: 'always', startedAt: 'always' },
    ...{ release: 'or null', generation: 'or null', listeners: 'always', weights: 'always', rollout: 'or null' },
    ...{
      soak: 'or left out',
      parked: 'or left out',
      noWayBack: 'or left out',
      log: 'or left out',
      recycling: 'or left out',
    },
    ...{ workers: 'always', figures: 'or left out', ended: 'or left out' },
  },
  '`release`': { id: 'always', path: 'always', modified: 'always' },
  '`soak`': { generation: 'always', until: 'always', judged: 'always', goesBack: 'always' },
  '`parked`': { generation: 'always', until: 'or null', boots: 'always' },
  '`log`': {
    ...{ files: 'always', droppedLines: 'always', droppedBytes: 'always', trouble: 'or null', restarts: 'always' },
  },
  '`recycling`': { paused: 'or null', slot: 'or null', cause: 'or null', due: 'always' },
  '`ended`': { at: 'or null', reason: 'or null' },
  'A listener': { address: 'or null', port: 'or left out', path: 'or left out', protocol: 'always' },
  'A rollout': {
    ...{ id: 'always', kind: 'always', cause: 'or null', from: 'or null', to: 'or null', step: 'always' },
    ...{ startedAt: 'always', outcome: 'or null', aborted: 'or left out', reason: 'or null', weight: 'or null' },
    ...{ canary: 'or left out', verdict: 'or null, or left out', release: 'or left out' },
  },
  '`canary`': { step: 'always', steps: 'always', until: 'or null', verdict: 'or null' },
  '`release` of a rollout': { id: 'always', path: 'always' },
  'A verdict': { kind: 'always', reason: 'always' },
  'A worker': {
    ...{ slot: 'always', pid: 'or null', generation: 'always', state: 'always', startedAt: 'or null' },
    ...{ respawnAt: 'or left out', drain: 'or left out', unresponsive: 'or left out', recycling: 'or left out' },
    ...{ restarts: 'always', recycled: 'or left out', connections: 'or null', inFlight: 'or null' },
    ...{ requests: 'or null', cpuPercent: 'or null', rssBytes: 'or null', figures: 'or left out' },
  },
  '`drain`': { webSockets: 'or null', leftMs: 'always' },
  'Figures of an app': {
    ...{ at: 'always', totals: 'always', rates: 'always', generations: 'always', crashes: 'always', master: 'always' },
  },
  'Figures of a generation': {
    ...{ generation: 'always', release: 'always', workerCount: 'always', totals: 'always', rates: 'always' },
  },
  'Figures of a worker': {
    ...{ totals: 'always', rates: 'always', heapUsedBytes: 'always', heapTotalBytes: 'always', loop: 'always' },
  },
  'Figures of the master': {
    ...{ cpuPercent: 'always', rssBytes: 'always', heapUsedBytes: 'always', loop: 'always', queueDelayMs: 'always' },
  },
  Totals: {
    ...{ requests: 'always', responses: 'always', taken: 'always', given: 'always' },
    ...{ latency: 'always', latencySumMs: 'always' },
  },
  Rates: { requestsPerSecond: 'always', errorRate: 'always', p50Ms: 'or null', p99Ms: 'or null' },
  'Event loop': { utilization: 'always', delayP50Ms: 'always', delayP99Ms: 'always' },
};

/** Of fields that have one of a few words; the compiler sees that none is missing here. */
const WORDS: Record<string, Record<string, true>> = {
  'An app, state': {
    ...{ starting: true, running: true, 'crash-looping': true, stopping: true, unresponsive: true },
    ...{ stopped: true, crashed: true },
  } satisfies Record<AppState, true>,
  '`recycling`, paused': {
    ...{ 'release-modified': true, rollout: true, scale: true, stop: true },
  } satisfies Record<NonNullable<RecyclingSnapshot['paused']>, true>,
  '`recycling`, cause': {
    ...{ memory: true, age: true, requests: true, command: true },
  } satisfies Record<NonNullable<RecyclingSnapshot['cause']>, true>,
  'A listener, protocol': {
    ...{ http: true, https: true, tcp: true, tls: true, udp: true },
  } satisfies Record<ListenerSnapshot['protocol'], true>,
  'A rollout, kind': { reload: true, restart: true, rollback: true } satisfies Record<RolloutSnapshot['kind'], true>,
  'A rollout, step': {
    ...{ preparing: true, waiting: true, emptying: true, booting: true, canary: true, shifting: true },
    ...{ aborting: true, done: true },
  } satisfies Record<RolloutStep, true>,
  'A rollout, outcome': { succeeded: true, failed: true } satisfies Record<
    NonNullable<RolloutSnapshot['outcome']>,
    true
  >,
  'A verdict, kind': { good: true, bad: true, inconclusive: true } satisfies Record<VerdictSnapshot['kind'], true>,
  'A worker, state': {
    ...{ starting: true, ready: true, active: true, parked: true, draining: true, killing: true, waiting: true },
  } satisfies Record<WorkerStateName, true>,
  'Totals, responses': Object.fromEntries(RESPONSE_CLASSES.map((name) => [name, true])) as Record<ResponseClass, true>,
};

const rows = PAGE.split(/^#{2,3} /m)
  .slice(1)
  .flatMap((section) =>
    [...section.matchAll(/^\| `(\w+)` \| ([^|]*) \| [^|]* \|(.*)\|$/gm)].map(([, field, there, text]) => ({
      section: section.slice(0, section.indexOf('\n')),
      ...{ field: field!, there: there!, text: text! },
    })),
  );

test('every field of the snapshot is on the page and every one of the page exists, there as often', () => {
  const written: Record<string, Record<string, string>> = {};
  for (const { section, field, there } of rows) written[section] = { ...written[section], [field]: there };
  expect(written).toEqual(SECTIONS);
});

test('every interface that the snapshot is made of has its section', () => {
  const names = (file: string): string[] =>
    [...readFileSync(`${ROOT}${file}`, 'utf8').matchAll(/^export interface (\w+)/gm)].map(([, name]) => name!);
  const declared = [...names('src/shared/snapshot.ts'), ...names('src/shared/figures.ts')];
  const own = readFileSync(fileURLToPath(import.meta.url), 'utf8');
  const missing = declared.filter((name) => !own.includes(`FieldsOf<${name}>`));
  expect(missing).toEqual(['FiguresDelta']); // A worker's to its master.
});

test('every word that a field may be is named', () => {
  for (const [where, words] of Object.entries(WORDS)) {
    const row = rows.find(({ section, field }) => `${section}, ${field}` === where);
    const named = [...(row?.text ?? '').matchAll(/`([\w-]+)`/g)].map(([, word]) => word!);
    expect(named, where).toEqual(expect.arrayContaining(Object.keys(words)));
  }
});

test('every field that is an object of its own leads to its section', () => {
  const anchors = [...PAGE.matchAll(/^#{2,3} (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replaceAll('`', '').replaceAll(' ', '-'),
  );
  const linked = [...PAGE.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor!);
  expect(linked.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  const leading = new Set(['all-of-it', 'figures', ...linked]);
  expect(anchors.filter((anchor) => !leading.has(anchor))).toEqual([]);
});
