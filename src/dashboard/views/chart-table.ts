/** Runs in the page. The charts in figures, a row a minute, for whom a chart says nothing. Filled only while it is open. */
import { byId, make, setText } from '../dom.js';
import type { Row } from '../keyed.js';
import { Keyed } from '../keyed.js';
import { formatClock, formatMs, formatRate, formatShare } from '../pure/format.js';
import type { Minute } from '../pure/summary.js';

export interface ChartTable {
  /** @param minutesNow is asked only where somebody sees them */
  update(minutesNow: () => Minute[]): void;
}

export function chartTable(): ChartTable {
  const table = byId<HTMLTableElement>('chart-table');
  const details = table.closest('details')!;
  const rows = new Keyed<Minute>(table.tBodies[0]!, ({ at }) => String(at), makeRow);
  let look: () => Minute[] = () => [];
  const show = (): void => {
    if (details.open) rows.update(look().toReversed());
  };
  details.addEventListener('toggle', show);
  return {
    update(minutesNow) {
      look = minutesNow;
      show();
    },
  };
}

function makeRow({ at }: Minute): Row<Minute> {
  const minute = make('th', '', formatClock(at).slice(0, 5));
  minute.scope = 'row';
  const cells = Array.from({ length: 4 }, () => make('td', 'number'));
  return {
    root: make('tr', '', minute, ...cells),
    update({ rps, errorRate, p50Ms, p99Ms }) {
      for (const [index, text] of [formatRate(rps), formatShare(errorRate), formatMs(p50Ms), formatMs(p99Ms)].entries())
        setText(cells[index]!, text);
    },
  };
}
