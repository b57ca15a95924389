/** Runs in the page. What was ordered from here, and what came of it. */
import { byId, make, makeButton, setAttribute, setHidden, setText } from '../dom.js';
import type { Row } from '../keyed.js';
import { Keyed } from '../keyed.js';
import type { GivenOrder } from '../model.js';
import type { Announce } from './announcer.js';
import type { View } from './view.js';

const TONES: Record<GivenOrder['state'], string> = {
  'under-way': 'plain',
  done: 'good',
  failed: 'bad',
  unknown: 'warn',
};
const WORDS: Record<GivenOrder['state'], string> = {
  'under-way': 'under way',
  done: 'done',
  failed: 'failed',
  unknown: 'unknown',
};

export function ordersView(announce: Announce, dismiss: (id: number) => void): View {
  const root = byId('orders');
  const rows = new Keyed<GivenOrder>(
    root,
    ({ id }) => String(id),
    (order) => makeOrder(order, announce, dismiss),
  );
  return ({ orders }) => {
    setHidden(root, orders.length === 0);
    rows.update(orders);
  };
}

function makeOrder({ id, command }: GivenOrder, announce: Announce, dismiss: (id: number) => void): Row<GivenOrder> {
  const chip = make('span', 'chip');
  const text = make('span', 'order-text');
  const close = makeButton(
    'Dismiss',
    () => {
      dismiss(id);
      byId('main').focus();
    },
    'small',
  );
  close.setAttribute('aria-label', `Dismiss ${command}`);
  const output = make('div', 'order-output');
  output.tabIndex = 0; // It may scroll.
  output.setAttribute('role', 'region');
  output.setAttribute('aria-label', `The last lines that the worker wrote, of ${command}`);
  const root = make('div', 'order', chip, make('code', '', command), text, close, output);
  let said: GivenOrder['state'] = 'under-way';
  return {
    root,
    update({ state, text: what, hint, output: lines }) {
      setText(chip, WORDS[state]);
      setAttribute(chip, 'data-tone', TONES[state]);
      setText(text, hint === null ? what : `${what} (${hint})`);
      setHidden(output, lines.length === 0);
      if (output.childElementCount !== lines.length)
        output.replaceChildren(...lines.map((line) => make('div', 'line', line)));
      if (state !== said) announce(`${command}: ${WORDS[state]}, ${what}`);
      said = state;
    },
  };
}
