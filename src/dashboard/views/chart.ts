/** Runs in the page. One chart by uPlot: axes, size, the marks of the time line and the cursor, as all charts here have them. */
import uPlot from 'uplot';
import type { Mark } from '../pure/marks.js';
import type { Palette } from './palette.js';

const HEIGHT = 176;
const FONT = '11px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const MARK_ROW = 14;
const MARK_ROWS = 2;

export interface ChartContext {
  palette(): Palette;
  marks(): Mark[];
}

export interface ChartOptions {
  element: HTMLElement;
  series: uPlot.Series[];
  format(value: number): string;
  /** The marks have their words above this one. */
  labelled: boolean;
  context: ChartContext;
  /** @param index of the point under the cursor; null: nowhere */
  cursor(index: number | null): void;
}

export function makeChart({ element, series, format, labelled, context, cursor }: ChartOptions): uPlot {
  const axis = {
    stroke: () => context.palette().text,
    grid: { stroke: () => context.palette().grid, width: 1 },
    ticks: { show: false },
    font: FONT,
  };
  const chart = new uPlot(
    {
      width: Math.max(200, element.clientWidth),
      height: HEIGHT,
      // To the right: half of the last time.
      padding: [labelled ? MARK_ROW * MARK_ROWS + 4 : 8, 26, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'zdsup', setSeries: false }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true }, y: { range: (_, __, highest) => [0, niceTop(highest)] } },
      axes: [
        { ...axis, size: 28, values: (_, splits) => splits.map(clockOf), space: 50 },
        { ...axis, size: 56, space: 36, values: (_, splits) => splits.map(format) },
      ],
      series: [{}, ...series],
      hooks: {
        draw: [(self) => drawMarks(self, context, labelled)],
        setCursor: [(self) => cursor(self.cursor.idx ?? null)],
      },
    },
    undefined,
    element,
  );
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry!.contentRect.width);
    if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
  }).observe(element);
  return chart;
}

const niceTop = (highest: number | null): number => (highest === null || !(highest > 0) ? 1 : highest * 1.12);

function clockOf(seconds: number): string {
  const time = new Date(seconds * 1_000);
  const parts = [time.getHours(), time.getMinutes()];
  if (time.getSeconds() !== 0) parts.push(time.getSeconds());
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** A line for each mark; its words only where they do not run into those of a later one. */
function drawMarks(chart: uPlot, { marks, palette }: ChartContext, labelled: boolean): void {
  const { ctx: canvas, bbox } = chart;
  const colours = palette();
  const ratio = devicePixelRatio;
  canvas.save();
  canvas.font = FONT.replace('11px', `${Math.round(11 * ratio)}px`);
  canvas.textAlign = 'left'; // uPlot leaves it as its last axis had it.
  canvas.textBaseline = 'bottom';
  canvas.lineWidth = ratio;
  canvas.setLineDash([3 * ratio, 3 * ratio]);
  /** Of each row of words, the lowest first. */
  const freeTo = new Array<number>(MARK_ROWS).fill(canvas.canvas.width);
  for (const { at, label, tone } of marks().toReversed()) {
    const x = Math.round(chart.valToPos(at / 1_000, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    canvas.strokeStyle = canvas.fillStyle = colours.tones[tone];
    canvas.beginPath();
    canvas.moveTo(x, bbox.top);
    canvas.lineTo(x, bbox.top + bbox.height);
    canvas.stroke();
    const { width } = canvas.measureText(label);
    const left = Math.max(0, Math.min(x - width / 2, canvas.canvas.width - width));
    const row = freeTo.findIndex((to) => left + width <= to);
    if (!labelled || row < 0) continue;
    canvas.fillText(label, left, bbox.top - (3 + row * MARK_ROW) * ratio);
    freeTo[row] = left - 8 * ratio;
  }
  canvas.restore();
}
