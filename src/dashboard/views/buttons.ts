/** Runs in the page. The buttons: each opens its question; those that make no sense now are disabled and say why; a read-only page has none. */
import { byId, makeButton, setAttribute, setHidden } from '../dom.js';
import type { Model } from '../model.js';
import type { ButtonName } from '../pure/orders.js';
import { BUTTONS, LABELS, whyNot } from '../pure/orders.js';
import type { View } from './view.js';

/** Those of a rollout stand beside it. */
const OF_ROLLOUT = new Set<ButtonName>(['canary', 'pause', 'promote', 'abort']);
const CLASSES: Partial<Record<ButtonName, string>> = {
  reload: 'strong',
  promote: 'strong',
  abort: 'danger',
};

export function buttonsView(ask: (name: ButtonName) => void): View {
  const groups = { app: byId('buttons'), rollout: byId('rollout-buttons') };
  const buttons = BUTTONS.map((name) => {
    const button = makeButton(LABELS[name], () => ask(name), CLASSES[name]);
    button.id = `order-${name}`;
    groups[OF_ROLLOUT.has(name) ? 'rollout' : 'app'].append(button);
    return { name, button };
  });
  return (model) => {
    setHidden(groups.app, model.readOnly || model.app === null);
    setHidden(groups.rollout, model.readOnly || model.app === null);
    for (const { name, button } of buttons) {
      const why = whyNoOrder(name, model);
      if (button.disabled !== (why !== null)) button.disabled = why !== null;
      setAttribute(button, 'title', why);
    }
  };
}

/** In words; null where the order can be given. */
export function whyNoOrder(name: ButtonName, { app, link, readOnly }: Model): string | null {
  if (readOnly) return 'this page is read-only';
  if (link.state !== 'live' || !app) return 'the connection is lost';
  return whyNot(name, app);
}
