/** Runs in the page. The figures of the app as a whole, large. */
import type { AppSnapshot } from '../../shared/snapshot.js';
import { formatSize } from '../../shared/units.js';
import { byId, make, setAttribute, setText } from '../dom.js';
import { formatCount, formatMs, formatRate, formatShare, grouped, NONE } from '../pure/format.js';
import type { Tone } from '../pure/marks.js';
import type { View } from './view.js';

interface Tile {
  label: string;
  value(app: AppSnapshot): string;
  tone?(app: AppSnapshot): Tone;
}

/** Null where it is known of none. */
function sum({ workers }: AppSnapshot, what: 'inFlight' | 'connections' | 'cpuPercent' | 'rssBytes'): number | null {
  const known = workers.map((worker) => worker[what]).filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}

const shown = (value: number | null, format: (value: number) => string): string =>
  value === null ? NONE : format(value);

const activeCount = ({ workers }: AppSnapshot): number => workers.filter(({ state }) => state === 'active').length;

/** Of the worker that is worst off. */
function worstDelay({ workers }: AppSnapshot): number | null {
  const delays = workers.flatMap(({ figures }) => (figures ? [figures.loop.delayP99Ms] : []));
  return delays.length === 0 ? null : Math.max(...delays);
}

const TILES: Tile[] = [
  { label: 'Requests/s', value: ({ figures }) => formatRate(figures?.rates.requestsPerSecond) },
  { label: 'p50', value: ({ figures }) => formatMs(figures?.rates.p50Ms) },
  { label: 'p99', value: ({ figures }) => formatMs(figures?.rates.p99Ms) },
  {
    label: 'Errors',
    value: ({ figures }) => formatShare(figures?.rates.errorRate),
    tone: ({ figures }) => ((figures?.rates.errorRate ?? 0) > 0 ? 'bad' : 'plain'),
  },
  { label: 'In flight', value: (app) => shown(sum(app, 'inFlight'), grouped) },
  { label: 'Connections', value: (app) => shown(sum(app, 'connections'), grouped) },
  { label: 'Handed over', value: ({ figures }) => formatCount(figures?.totals.taken) },
  {
    label: 'Workers active',
    value: (app) => `${activeCount(app)} of ${app.workers.length}`,
    tone: (app) => (activeCount(app) === 0 ? 'bad' : 'plain'),
  },
  { label: 'CPU', value: (app) => shown(sum(app, 'cpuPercent'), (percent) => formatShare(percent / 100)) },
  { label: 'Loop delay p99', value: (app) => formatMs(worstDelay(app)) },
  { label: 'Memory', value: (app) => shown(sum(app, 'rssBytes'), formatSize) },
  {
    label: 'Crashes',
    value: ({ figures }) => (figures ? grouped(figures.crashes) : NONE),
    tone: ({ figures }) => ((figures?.crashes ?? 0) > 0 ? 'bad' : 'plain'),
  },
];

export function tilesView(): View {
  const list = byId('tiles');
  const values = TILES.map(({ label }) => {
    const value = make('dd', '', NONE);
    list.append(make('div', 'tile', make('dt', '', label), value));
    return value;
  });
  return ({ app }) => {
    if (!app) return;
    for (const [index, { value, tone }] of TILES.entries()) {
      setText(values[index]!, value(app));
      setAttribute(values[index]!, 'data-tone', tone?.(app) ?? 'plain');
    }
  };
}
