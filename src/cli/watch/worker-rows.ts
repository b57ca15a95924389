/** Runs in the CLI. The table of workers where there is not room for all of them: those that something happens to are there, the others are counted. Pure. */
import type { AppSnapshot, WorkerSnapshot } from '../../shared/snapshot.js';
import { workerTable } from '../render/status-tables.js';

export interface WorkerRows {
  heading: string;
  rows: string[];
  /** Beside `rows`. */
  workers: WorkerSnapshot[];
  /** Indexes, the most wanted first. */
  order: number[];
}

export function rowsOf({ workers, generation }: AppSnapshot, now: number, columns: number): WorkerRows {
  const [heading, ...rows] = workerTable(workers, now, columns);
  const order = workers.map((worker, index) => ({ index, rank: rankOf(worker, generation) }));
  order.sort((one, other) => one.rank - other.rank || one.index - other.index);
  return { heading: heading!, rows, workers, order: order.map(({ index }) => index) };
}

function rankOf(worker: WorkerSnapshot, serving: number | null): number {
  if (worker.state !== 'active' || worker.unresponsive || worker.recycling) return 0;
  if (worker.generation !== serving) return 1;
  return worker.restarts > 0 ? 2 : 3;
}

/** So few are shown before other things are left out. */
export const leastCount = ({ rows }: WorkerRows): number => (rows.length <= 3 ? rows.length : 2);

/** In lines, with the heading, and what is said of the others. */
export function heightOf({ rows }: WorkerRows, count: number): number {
  if (count === 0) return 0;
  return 1 + count + (count < rows.length ? 1 : 0);
}

export function linesOfRows({ heading, rows, workers, order }: WorkerRows, count: number): string[] {
  if (count === 0) return [];
  const chosen = new Set(order.slice(0, count));
  const shown = rows.filter((_, index) => chosen.has(index));
  const others = workers.filter((_, index) => !chosen.has(index));
  return [heading, ...shown, ...(others.length === 0 ? [] : [`… ${others.length} more: ${byState(others)}`])];
}

/** `45 active, 1 draining`. */
function byState(workers: WorkerSnapshot[]): string {
  const counts = new Map<string, number>();
  for (const { state } of workers) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}
