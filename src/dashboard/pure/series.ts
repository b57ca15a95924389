/** The last ten minutes as the charts draw them. Pure, but that it keeps the points. */
import type { Point } from '../../shared/dashboard-protocol.js';
import { HISTORY_POINTS } from '../../shared/dashboard-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { LANES, laneOf } from './lanes.js';

/** Between points further apart nothing is known, and no line is drawn. */
const GAP_MS = 3_500;

type Column = (number | null)[];

/** Columns of one length, for uPlot. */
export interface Series {
  /** Seconds since 1970. */
  at: number[];
  /** Requests a second, summed up: the first column is all lanes, the next one all but the last lane, and so on. What is drawn later covers. */
  stacked: Column[];
  /** Errors a second; null where there are none. */
  errors: Column;
  p50: Column;
  p99: Column;
}

export class PointHistory {
  private points: Point[] = [];

  /** From a master that was reached again: what it knows, and what this page saw of the time before. */
  replace(points: Point[]): void {
    const first = points[0]?.at ?? Number.POSITIVE_INFINITY;
    this.points = [...this.points.filter(({ at }) => at < first), ...points];
    this.trim();
  }

  append(point: Point): void {
    const last = this.points.at(-1);
    if (last && point.at <= last.at && last.at - point.at < GAP_MS) return; // The same look, told twice.
    if (last && point.at < last.at) this.points = this.points.filter(({ at }) => at < point.at); // The master's clock was put back.
    this.points.push(point);
    this.trim();
  }

  get last(): Point | undefined {
    return this.points.at(-1);
  }

  /** @param spanMs so long before the last point */
  window(spanMs: number): Point[] {
    const from = (this.last?.at ?? 0) - spanMs;
    return this.points.filter(({ at }) => at >= from);
  }

  private trim(): void {
    const from = (this.last?.at ?? 0) - HISTORY_POINTS * 1_000;
    this.points = this.points.filter(({ at }) => at >= from).slice(-HISTORY_POINTS);
  }
}

/** Null where figures are off. */
export function pointOf({ figures }: AppSnapshot): Point | null {
  if (!figures) return null;
  const { requestsPerSecond: rps, errorRate, p50Ms, p99Ms } = figures.rates;
  return {
    at: Date.parse(figures.at),
    rps,
    errorRate,
    p50Ms,
    p99Ms,
    generations: figures.generations.map(({ generation, rates }) => ({ generation, rps: rates.requestsPerSecond })),
  };
}

export function seriesOf(points: Point[]): Series {
  const series: Series = {
    at: [],
    stacked: Array.from({ length: LANES }, () => []),
    errors: [],
    p50: [],
    p99: [],
  };
  let before: number | null = null;
  for (const point of points) {
    if (before !== null && point.at - before > GAP_MS) breakAt(series, (before + point.at) / 2_000);
    before = point.at;
    push(series, point);
  }
  return series;
}

function push(series: Series, { at, rps, errorRate, p50Ms, p99Ms, generations }: Point): void {
  series.at.push(at / 1_000);
  const lanes = new Array<number>(LANES).fill(0);
  for (const one of generations) lanes[laneOf(one.generation)]! += one.rps;
  // Lane 0 lies at the bottom: column 0 is all of them, the last one lane 0 alone. A lane that nobody is in has no line.
  for (let column = 0; column < LANES; column++) {
    const sum = lanes.slice(0, LANES - column).reduce((all, lane) => all + lane, 0);
    series.stacked[column]!.push(lanes[laneOfColumn(column)]! > 0 ? sum : null);
  }
  series.errors.push(errorRate > 0 ? rps * errorRate : null); // No line along the ground.
  series.p50.push(p50Ms);
  series.p99.push(p99Ms);
}

function breakAt(series: Series, at: number): void {
  series.at.push(at);
  for (const column of [...series.stacked, series.errors, series.p50, series.p99]) column.push(null);
}

/** Which lane a column of {@link Series.stacked} shows on top. */
export const laneOfColumn = (column: number): number => LANES - 1 - column;
