/** Runs in the page. The figures of the app as a whole, large. */
import type { AppSnapshot } from '../../shared/snapshot.js';
import { formatSize } from '../../shared/units.js';
import { byId, make, setAttribute, setText } from '../dom.js';
import { formatMs, formatRate, formatShare, grouped, NONE } from '../pure/format.js';
import type { Tone } from '../pure/marks.js';
import type { View } from './view.js';

interface Tile {
  label: string;
  value(app: AppSnapshot): string;
  tone?(app: AppSnapshot): Tone;
}

const sum = ({ workers }: AppSnapshot, what: 'inFlight' | 'connections' | 'cpuPercent' | 'rssBytes'): number =>
  workers.reduce((total, worker) => total + (worker[what] ?? 0), 0);

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
  { label: 'In flight', value: (app) => grouped(sum(app, 'inFlight')) },
  { label: 'Connections', value: (app) => grouped(sum(app, 'connections')) },
  { label: 'Handed over', value: ({ figures }) => formatRate(figures?.totals.taken) },
  {
    label: 'Workers active',
    value: (app) => `${activeCount(app)} of ${app.workers.length}`,
    tone: (app) => (activeCount(app) === 0 ? 'bad' : 'plain'),
  },
  { label: 'CPU', value: (app) => formatShare(sum(app, 'cpuPercent') / 100) },
  { label: 'Loop delay p99', value: (app) => formatMs(worstDelay(app)) },
  { label: 'Memory', value: (app) => formatSize(sum(app, 'rssBytes')) },
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
