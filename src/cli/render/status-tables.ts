/** Runs in the CLI. The workers of an app as a table, its generations side by side, and what those that drain wait for. */
import type { WorkerFigures } from '../../shared/figures.js';
import type { AppSnapshot, WorkerSnapshot } from '../../shared/snapshot.js';
import { formatDuration } from '../../shared/units.js';
import { megabytes, milliseconds, percent, perSecond } from './figures.js';
import { table } from './table.js';

/** Dropped in this order, until the table fits. */
const LEAST_WANTED = ['in flight', 'gen', 'conns', 'recycled', 'restarts', 'requests', 'up', 'cpu', 'pid', 'memory'];
const LEAST_WANTED_OF_FIGURES = [
  ...['heap', 'in flight', 'requests', 'gen', 'recycled', 'up', 'restarts', 'conns', 'delay', 'p50'],
  ...['errors', 'loop', 'p99', 'pid', 'cpu', 'memory', 'req/s'],
];
const LEAST_WANTED_OF_GENERATIONS = ['workers', 'p50', 'p99', 'req/s'];

/** The headings first. As few columns as fit, the most wanted ones. */
export function workerTable(workers: WorkerSnapshot[], now: number, columns: number): string[] {
  const withFigures = workers.some(({ figures }) => figures !== undefined);
  const all = withFigures ? COLUMNS : COLUMNS.filter(({ ofFigures }) => !ofFigures);
  const rows = workers.map((worker) => all.map(({ cell }) => cell(worker, now)));
  const oneGeneration = new Set(workers.map((worker) => worker.generation)).size === 1; // The first line names it.
  const noneRecycled = workers.every(({ recycled = 0 }) => recycled === 0);
  const leastWanted = (withFigures ? LEAST_WANTED_OF_FIGURES : LEAST_WANTED).filter(
    (heading) => heading !== 'gen' || oneGeneration,
  );
  const headings = all.map(({ heading }) => heading);
  return fitting({ headings, rows, columns, leastWanted, dropped: noneRecycled ? ['recycled'] : [] });
}

interface Wide {
  headings: string[];
  rows: string[][];
  columns: number;
  /** Headings, in the order in which they go. */
  leastWanted: string[];
  /** Those that say nothing. */
  dropped?: string[];
}

/** As many columns as there is room for; a table of those that stay in any case may be wider. */
function fitting({ headings, rows, columns, leastWanted, dropped = [] }: Wide): string[] {
  for (let count = 0; ; count++) {
    const gone = new Set([...dropped, ...leastWanted.slice(0, count)]);
    const kept = <T>(cells: T[]): T[] => cells.filter((_, index) => !gone.has(headings[index]!));
    const shown = table(kept(headings), rows.map(kept)).split('\n');
    if (count === leastWanted.length || shown.every((line) => line.length <= columns)) return shown;
  }
}

/** Who has which part of the traffic, and what comes of it; null where there is nothing to compare, or nobody measures. */
export function generationTable({ figures, weights, workers }: AppSnapshot, columns: number): string[] | null {
  const serving = (figures?.generations ?? []).filter(({ workerCount }) => workerCount > 0);
  if (serving.length < 2) return null;
  const active = (generation: number): number =>
    workers.filter((worker) => worker.generation === generation && worker.state === 'active').length;
  const rows = serving.map(({ generation, rates, workerCount }) => [
    String(generation),
    weights[generation] === undefined ? '-' : `${weights[generation]} %`,
    active(generation) === workerCount ? String(workerCount) : `${active(generation)} of ${workerCount}`,
    steady(perSecond(rates.requestsPerSecond), 5),
    steady(milliseconds(rates.p50Ms)),
    steady(milliseconds(rates.p99Ms)),
    steady(percent(rates.errorRate)),
  ]);
  const headings = ['generation', 'weight', 'workers', 'req/s', 'p50', 'p99', 'errors'];
  return fitting({ headings, rows, columns, leastWanted: LEAST_WANTED_OF_GENERATIONS });
}

interface Column {
  heading: string;
  cell(worker: WorkerSnapshot, now: number): string;
  /** There while somebody measures. */
  ofFigures?: true;
}

const COLUMNS: Column[] = [
  { heading: 'slot', cell: ({ slot }) => String(slot) },
  { heading: 'gen', cell: ({ generation }) => String(generation) },
  { heading: 'pid', cell: ({ pid }) => String(pid ?? '-') },
  { heading: 'state', cell: stateOf },
  {
    heading: 'up',
    cell: ({ startedAt }, now) => (startedAt === null ? '-' : formatDuration(Math.max(0, now - Date.parse(startedAt)))),
  },
  { heading: 'restarts', cell: ({ restarts }) => String(restarts) },
  { heading: 'recycled', cell: ({ recycled }) => String(recycled ?? 0) },
  { heading: 'conns', cell: ({ connections }) => number(connections) },
  { heading: 'in flight', cell: ({ inFlight }) => number(inFlight) },
  { heading: 'requests', cell: ({ requests }) => number(requests) },
  ofFigures('req/s', ({ rates }) => perSecond(rates.requestsPerSecond), 5),
  ofFigures('p50', ({ rates }) => milliseconds(rates.p50Ms)),
  ofFigures('p99', ({ rates }) => milliseconds(rates.p99Ms)),
  ofFigures('errors', ({ rates }) => percent(rates.errorRate)),
  ofFigures('loop', ({ loop }) => `${Math.round(loop.utilization * 100)} %`, 5),
  ofFigures('delay', ({ loop }) => milliseconds(loop.delayP99Ms)),
  ofFigures('heap', ({ heapUsedBytes }) => (heapUsedBytes === 0 ? '-' : megabytes(heapUsedBytes))),
  {
    heading: 'cpu',
    cell: ({ cpuPercent }) => (cpuPercent === null ? '-' : `${cpuPercent.toFixed(1)} %`),
  },
  { heading: 'memory', cell: ({ rssBytes }) => (rssBytes === null ? '-' : megabytes(rssBytes)) },
];

/** Most figures take as much: columns stay where they are while they are watched. */
const steady = (figure: string, width = '9.9 ms'.length): string => figure.padStart(width);

function ofFigures(heading: string, cell: (figures: WorkerFigures) => string, width?: number): Column {
  const shown = (figures: WorkerFigures | undefined): string => (figures === undefined ? '-' : cell(figures));
  return { heading, cell: ({ figures }) => steady(shown(figures), width), ofFigures: true };
}

function stateOf({ state, respawnAt, unresponsive }: WorkerSnapshot, now: number): string {
  if (unresponsive && state === 'active') return 'blocked';
  if (respawnAt === undefined) return state;
  return `${state}, again in ${Math.ceil(Math.max(0, Date.parse(respawnAt) - now) / 1000)} s`;
}

const number = (value: number | null): string => (value === null ? '-' : String(value));

/** What a draining worker still waits for. */
function drainLine(
  { slot, generation, connections, inFlight }: WorkerSnapshot,
  { webSockets, leftMs }: NonNullable<WorkerSnapshot['drain']>,
): string {
  const idle = Math.max(0, (connections ?? 0) - (inFlight ?? 0) - (webSockets ?? 0));
  const waits = [
    counted(inFlight, 'request'),
    counted(webSockets, 'WebSocket'),
    counted(idle, 'other connection'),
    `${Math.ceil(leftMs / 1000)} s left`,
  ];
  return `worker ${slot} of generation ${generation} drains: ${waits.filter(Boolean).join(', ')}`;
}

const counted = (count: number | null, word: string): string | null =>
  count ? `${count} ${word}${count === 1 ? '' : 's'}` : null;

/** One line for each worker that drains. */
export const drainLines = (app: AppSnapshot): string[] =>
  app.workers.flatMap((worker) => (worker.drain ? [drainLine(worker, worker.drain)] : []));
