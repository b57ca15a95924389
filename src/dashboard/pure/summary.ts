/** The charts in words and by the minute, for whom they are not to be seen. Pure. */
import type { Point } from '../../shared/dashboard-protocol.js';
import { formatMs, formatRate, formatShare } from './format.js';

export interface Minute {
  /** Its beginning, ms since 1970. */
  at: number;
  /** On average. */
  rps: number;
  errorRate: number;
  /** The highest of its looks; null where nobody was answered. */
  p50Ms: number | null;
  p99Ms: number | null;
}

/** Oldest first. */
export function minutesOf(points: Point[]): Minute[] {
  const byMinute = new Map<number, Point[]>();
  for (const point of points) {
    const at = Math.floor(point.at / 60_000) * 60_000;
    const looks = byMinute.get(at);
    if (looks) looks.push(point);
    else byMinute.set(at, [point]);
  }
  return [...byMinute].map(([at, looks]) => {
    const requests = looks.reduce((sum, { rps }) => sum + rps, 0);
    const errors = looks.reduce((sum, { rps, errorRate }) => sum + rps * errorRate, 0);
    return {
      at,
      rps: requests / looks.length,
      errorRate: requests > 0 ? errors / requests : 0,
      p50Ms: highest(looks.map(({ p50Ms }) => p50Ms)),
      p99Ms: highest(looks.map(({ p99Ms }) => p99Ms)),
    };
  });
}

function highest(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

export function summaryOf(points: Point[], minutes: number): { throughput: string; latency: string } {
  const last = points.at(-1);
  const span = `over the last ${minutes === 1 ? 'minute' : `${minutes} minutes`}`;
  if (!last)
    return { throughput: `Requests a second ${span}: nothing known`, latency: `Latency ${span}: nothing known` };
  const rates = points.map(({ rps }) => rps);
  const p99 = highest(points.map(({ p99Ms }) => p99Ms));
  return {
    throughput: `Requests a second ${span}: ${formatRate(last.rps)} now, ${formatRate(Math.min(...rates))} at least, ${formatRate(Math.max(...rates))} at most, ${formatShare(last.errorRate)} errors now`,
    latency: `Latency ${span}: p50 ${formatMs(last.p50Ms)} and p99 ${formatMs(last.p99Ms)} now, p99 ${formatMs(p99)} at most`,
  };
}
