/** Runs in the page. The generations side by side, below the bar that says how the traffic is split between them. */
import { byId, make, setAttribute, setHidden, setText } from '../dom.js';
import type { Row } from '../keyed.js';
import { Keyed } from '../keyed.js';
import { counted, formatCount, formatMs, formatRate, formatShare, grouped } from '../pure/format.js';
import { laneOf } from '../pure/lanes.js';
import type { GenerationView, Role, Split, SplitPart } from '../pure/traffic.js';
import { generationsOf, splitOf } from '../pure/traffic.js';
import type { View } from './view.js';

const BY: Record<Split['by'], string> = {
  weights: 'held by weight',
  measured: 'as measured',
  workers: 'by active workers; no requests now',
  nobody: 'no worker is active: new connections wait',
};

const ROLES: Record<Role, string> = { serving: 'serving', candidate: 'new', draining: 'draining', parked: 'parked' };

export function generationsView(): View {
  const bar = byId('split');
  const by = byId('split-by');
  const parts = new Keyed<SplitPart>(bar, ({ generation }) => String(generation), makePart);
  const cards = new Keyed<GenerationView>(byId('generations'), ({ generation }) => String(generation), makeCard);
  return ({ app }) => {
    if (!app) return;
    const views = generationsOf(app);
    const split = splitOf(views);
    parts.update(split.parts);
    setText(by, BY[split.by]);
    setAttribute(by, 'data-tone', split.by === 'nobody' ? 'bad' : null);
    setAttribute(bar, 'aria-label', wordsOf(split));
    // What was measured is of those that have gone.
    cards.update(split.by === 'nobody' ? views.map((view) => ({ ...view, measured: null })) : views);
  };
}

const wordsOf = ({ parts, by }: Split): string =>
  parts.length === 0
    ? 'No worker runs'
    : `Traffic, ${BY[by]}: ${parts.map(({ generation, percent }) => `generation ${generation} ${formatShare(percent / 100)}`).join(', ')}`;

function makePart({ generation }: SplitPart): Row<SplitPart> {
  const label = make('span');
  const root = make('div', 'part', label);
  root.dataset.lane = String(laneOf(generation));
  return {
    root,
    update({ percent }) {
      root.style.flexGrow = String(percent);
      setHidden(root, percent === 0);
      setText(
        label,
        percent >= 18
          ? `generation ${generation} · ${formatShare(percent / 100)}`
          : percent >= 7
            ? formatShare(percent / 100)
            : '',
      );
    },
  };
}

/** In the order of the card. */
const FACTS: [string, (view: GenerationView) => string][] = [
  ['Requests/s', ({ figures }) => formatRate(figures?.rates.requestsPerSecond)],
  ['Errors', ({ figures }) => formatShare(figures?.rates.errorRate)],
  ['p50', ({ figures }) => formatMs(figures?.rates.p50Ms)],
  ['p99', ({ figures }) => formatMs(figures?.rates.p99Ms)],
  ['In flight', ({ inFlight }) => grouped(inFlight)],
  ['Requests', ({ figures }) => formatCount(figures?.totals.requests)],
];

function makeCard({ generation }: GenerationView): Row<GenerationView> {
  const share = make('span', 'share');
  const role = make('span', 'chip');
  const release = make('p', 'release');
  const values = FACTS.map(() => make('dd'));
  const list = make('dl', '', ...FACTS.map(([label], index) => make('div', '', make('dt', '', label), values[index]!)));
  const root = make(
    'li',
    'generation',
    make('div', 'generation-head', make('h3', '', `Generation ${generation}`), role, share),
    release,
    list,
  );
  root.dataset.lane = String(laneOf(generation));
  return {
    root,
    update(view) {
      setText(role, ROLES[view.role]);
      setAttribute(root, 'data-role', view.role);
      setText(share, shareOf(view));
      const workers = `${view.activeCount === view.workerCount ? '' : `${view.activeCount} active of `}${counted(view.workerCount, 'worker')}`;
      setText(release, [view.release, workers, besideOf(view)].filter(Boolean).join(' · '));
      for (const [index, [, textOf]] of FACTS.entries()) setText(values[index]!, textOf(view));
    },
  };
}

/** As it is meant to be, and beside it as it is. */
const shareOf = ({ weight, measured }: GenerationView): string =>
  weight === null ? (measured === null ? '' : formatShare(measured)) : `${weight} %`;

const besideOf = ({ weight, measured }: GenerationView): string =>
  weight === null || measured === null ? '' : `measured ${formatShare(measured)}`;
