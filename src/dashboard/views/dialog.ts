/**
 * Runs in the page. The question before an order: what it does, its value where it has one, and the command it stands for. It watches the app while it is open:
 * what makes no sense any more cannot be confirmed.
 */
import type { Order } from '../../shared/dashboard-protocol.js';
import { byId, setText } from '../dom.js';
import type { Model } from '../model.js';
import type { ButtonName } from '../pure/orders.js';
import { commandOf, LABELS, titleOf, wordsOf } from '../pure/orders.js';
import { whyNoOrder } from './buttons.js';
import type { Fields } from './fields.js';
import { fieldsOf } from './fields.js';
import type { View } from './view.js';

export interface ConfirmDialog {
  ask(name: ButtonName): void;
  show: View;
}

export function confirmDialog(model: Model, give: (order: Order, command: string) => void): ConfirmDialog {
  const dialog = byId<HTMLDialogElement>('dialog');
  const ok = byId<HTMLButtonElement>('dialog-ok');
  let asked: { name: ButtonName; fields: Fields } | null = null;

  /** What would be given now; a string says why nothing can be. */
  const orderNow = (): Order | string =>
    asked === null || !model.app ? '' : (whyNoOrder(asked.name, model) ?? asked.fields.order(model.app));

  const show = (): void => {
    if (asked === null || !model.app) return;
    const order = orderNow();
    const possible = typeof order !== 'string';
    if (ok.disabled === possible) ok.disabled = !possible;
    setText(byId('dialog-why'), possible ? '' : `Not possible: ${order}.`);
    setText(byId('dialog-command'), possible ? commandOf(model.app.name, order) : '–');
  };

  byId('dialog-cancel').addEventListener('click', () => dialog.close());
  byId('dialog-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const order = orderNow();
    if (typeof order === 'string' || !model.app) return;
    dialog.close();
    give(order, commandOf(model.app.name, order));
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close(); // The backdrop.
  });
  dialog.addEventListener('close', () => {
    if (dialog.open) return; // It was opened again before this event came.
    const name = asked?.name;
    asked = null;
    // The browser gives the focus back to the button, unless that is disabled by now.
    if (name && byId<HTMLButtonElement>(`order-${name}`).disabled) byId('main').focus({ preventScroll: true });
  });

  return {
    ask(name) {
      const { app } = model;
      if (!app) return;
      const fields = fieldsOf(name, app, show);
      asked = { name, fields };
      setText(byId('dialog-title'), titleOf(name, app));
      setText(byId('dialog-words'), wordsOf(name, app));
      setText(ok, LABELS[name] === 'Weight' ? 'Set weight' : LABELS[name]);
      ok.className = name === 'abort' || name === 'rollback' ? 'danger' : 'strong';
      byId('dialog-fields').replaceChildren(...fields.elements);
      show();
      dialog.showModal();
      (fields.first ?? (ok.className === 'danger' ? byId('dialog-cancel') : ok)).focus();
    },
    show,
  };
}
