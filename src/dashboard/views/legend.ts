/** Runs in the page. Above a chart: what its lines are, with the figures under the cursor, else the last ones. */
import type { Point } from '../../shared/dashboard-protocol.js';
import { make, setText } from '../dom.js';
import { Keyed } from '../keyed.js';
import { formatMs, formatRate } from '../pure/format.js';
import { laneOf } from '../pure/lanes.js';

export interface LegendItem {
  /** Of its colour, where it is no generation's. */
  key: string;
  generation?: number;
  text: string;
}

export const legendIn = (element: HTMLElement): Keyed<LegendItem> =>
  new Keyed<LegendItem>(
    element,
    ({ key }) => key,
    ({ key, generation }) => {
      const root = make('span', 'legend-item');
      root.dataset.key = key;
      if (generation !== undefined) root.dataset.lane = String(laneOf(generation));
      return { root, update: ({ text }) => setText(root, text) };
    },
  );

export function throughputItems({ rps, errorRate, generations }: Point): LegendItem[] {
  return [
    { key: 'all', text: formatRate(rps) },
    ...generations
      .filter((one) => one.rps > 0)
      .map(({ generation, rps: own }) => ({
        key: `generation-${generation}`,
        generation,
        text: `generation ${generation}: ${formatRate(own)}`,
      })),
    ...(errorRate > 0 ? [{ key: 'errors', text: `errors: ${formatRate(rps * errorRate)}` }] : []),
  ];
}

export const latencyItems = ({ p50Ms, p99Ms }: Point): LegendItem[] => [
  { key: 'p50', text: `p50: ${formatMs(p50Ms)}` },
  { key: 'p99', text: `p99: ${formatMs(p99Ms)}` },
];
