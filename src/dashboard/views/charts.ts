/** Runs in the page. Throughput, stacked by generation, and latency, over the last minutes; with what happened marked on both. */
import type uPlot from 'uplot';
import type { Point } from '../../shared/dashboard-protocol.js';
import { byId, makeButton, setAttribute } from '../dom.js';
import type { Model } from '../model.js';
import { formatMs, formatRate } from '../pure/format.js';
import { LANES } from '../pure/lanes.js';
import type { Mark } from '../pure/marks.js';
import { marksOf } from '../pure/marks.js';
import { laneOfColumn, seriesOf } from '../pure/series.js';
import { minutesOf, summaryOf } from '../pure/summary.js';
import { makeChart } from './chart.js';
import { chartTable } from './chart-table.js';
import { latencyItems, legendIn, throughputItems } from './legend.js';
import { onSchemeChange, readPalette } from './palette.js';
import type { View } from './view.js';

const SPANS = [1, 5, 10];
/** Of a master that has just begun so much is shown, and no long emptiness. */
const LEAST_MS = 60_000;
/** A screen reader that is on a chart would hear it change all the time. */
const SUMMARY_EVERY_MS = 10_000;

export function chartsView(draw: () => void): View {
  const throughput = byId('throughput');
  const latency = byId('latency');
  const table = chartTable();
  const throughputLegend = legendIn(byId('throughput-legend'));
  const latencyLegend = legendIn(byId('latency-legend'));
  let palette = readPalette();
  let marks: Mark[] = [];
  let points: Point[] = [];
  let minutes = 5;
  let charts: { throughput: uPlot; latency: uPlot } | null = null;
  let summedUpAt = 0;
  let drawnTo = '';

  const legend = (index: number | null): void => {
    const at = charts?.throughput.data[0][index ?? -1];
    // Columns have a row more for each gap: the point is looked up by its instant.
    const point =
      (at === undefined ? undefined : points.find((one) => one.at === Math.round(at * 1_000))) ?? points.at(-1);
    throughputLegend.update(point ? throughputItems(point) : []);
    latencyLegend.update(point ? latencyItems(point) : []);
  };
  const context = { palette: () => palette, marks: () => marks };
  const make = (): NonNullable<typeof charts> => ({
    throughput: makeChart({
      element: throughput,
      series: throughputSeries(() => palette),
      format: formatRate,
      labelled: true,
      context,
      cursor: legend,
    }),
    latency: makeChart({
      element: latency,
      series: latencySeries(() => palette),
      format: formatMs,
      labelled: false,
      context,
      cursor: legend,
    }),
  });

  spanButtons(minutes, (chosen) => {
    minutes = chosen;
    summedUpAt = 0; // Whoever has chosen wants to hear of it.
    drawnTo = '';
    draw();
  });
  onSchemeChange(() => {
    palette = readPalette();
    drawnTo = '';
    draw();
  });

  return (model: Model) => {
    const { last } = model.history;
    const state = `${last?.at} ${model.eventCount}`;
    if (!last || state === drawnTo) return;
    drawnTo = state;
    charts ??= make();
    const spanMs = minutes * 60_000;
    points = model.history.window(spanMs);
    marks = marksOf(model.events, last.at - spanMs, last.at, spanMs / 200);
    const { at, stacked, errors, p50, p99 } = seriesOf(points);
    const span = {
      min: Math.max(last.at - spanMs, Math.min(points[0]!.at, last.at - LEAST_MS)) / 1_000,
      max: last.at / 1_000,
    };
    show(charts.throughput, [at, ...stacked, errors] as uPlot.AlignedData, span);
    show(charts.latency, [at, p50, p99] as uPlot.AlignedData, span);
    if (charts.throughput.cursor.idx == null) legend(null);
    table.update(() => minutesOf(model.history.window(Number.POSITIVE_INFINITY)));
    if (Date.now() - summedUpAt < SUMMARY_EVERY_MS) return;
    summedUpAt = Date.now();
    const { throughput: one, latency: other } = summaryOf(points, minutes);
    setAttribute(throughput, 'aria-label', one);
    setAttribute(latency, 'aria-label', other);
  };
}

function show(chart: uPlot, data: uPlot.AlignedData, span: { min: number; max: number }): void {
  chart.batch(() => {
    chart.setData(data, false);
    chart.setScale('x', span);
  });
}

function throughputSeries(palette: () => ReturnType<typeof readPalette>): uPlot.Series[] {
  const stacked = Array.from({ length: LANES }, (_, column): uPlot.Series => {
    const lane = laneOfColumn(column);
    return {
      stroke: () => palette().lanes[lane]!,
      fill: () => palette().areas[lane]!,
      width: 1,
      points: { show: false },
    };
  });
  return [...stacked, { stroke: () => palette().tones.bad, width: 1.5, points: { show: false } }];
}

function latencySeries(palette: () => ReturnType<typeof readPalette>): uPlot.Series[] {
  return [
    { stroke: () => palette().text, width: 1.25, points: { show: false } },
    { stroke: () => palette().strong, width: 1.5, points: { show: false } },
  ];
}

function spanButtons(chosen: number, choose: (minutes: number) => void): void {
  const buttons = SPANS.map((minutes) =>
    makeButton(
      `${minutes} min`,
      () => {
        for (const [index, button] of buttons.entries())
          setAttribute(button, 'aria-pressed', String(SPANS[index] === minutes));
        choose(minutes);
      },
      'small',
    ),
  );
  for (const [index, button] of buttons.entries())
    setAttribute(button, 'aria-pressed', String(SPANS[index] === chosen));
  byId('span').append(...buttons);
}
