/** The last minute of each worker, and the line that shows it. Pure, but that it keeps the samples. */
import type { WorkerSnapshot } from '../../shared/snapshot.js';

const SAMPLES = 60;

export interface WorkerHistory {
  rps: number[];
  cpu: number[];
}

/** A worker is a process: the next one in its slot begins anew. */
export const workerKey = ({ generation, slot, pid }: WorkerSnapshot): string => `${generation}.${slot}.${pid ?? '-'}`;

export class Sparks {
  private readonly byWorker = new Map<string, WorkerHistory>();

  take(workers: WorkerSnapshot[]): void {
    const seen = new Set<string>();
    for (const worker of workers) {
      const key = workerKey(worker);
      seen.add(key);
      const history = this.byWorker.get(key) ?? { rps: [], cpu: [] };
      this.byWorker.set(key, history);
      pushed(history.rps, worker.figures?.rates.requestsPerSecond ?? 0);
      pushed(history.cpu, worker.cpuPercent ?? 0);
    }
    for (const key of this.byWorker.keys()) if (!seen.has(key)) this.byWorker.delete(key);
  }

  of(worker: WorkerSnapshot): WorkerHistory | undefined {
    return this.byWorker.get(workerKey(worker));
  }

  /** The highest of all: lines of one scale can be compared. */
  highest(what: keyof WorkerHistory): number {
    let highest = 0;
    for (const history of this.byWorker.values()) for (const value of history[what]) highest = Math.max(highest, value);
    return highest;
  }
}

function pushed(values: number[], value: number): void {
  values.push(value);
  if (values.length > SAMPLES) values.shift();
}

/** Points of an SVG polyline in a box of these measures: the last sample at its right edge. */
export function sparkPoints(values: number[], highest: number, width: number, height: number): string {
  const step = width / (SAMPLES - 1);
  const scale = highest > 0 ? (height - 2) / highest : 0;
  const from = SAMPLES - values.length;
  return values
    .map((value, index) => `${round((from + index) * step)},${round(height - 1 - Math.min(value, highest) * scale)}`)
    .join(' ');
}

const round = (value: number): number => Math.round(value * 10) / 10;
