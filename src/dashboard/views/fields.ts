/** Runs in the page. What a question asks for beside yes: a weight, a number of workers, how a reload begins. */
import type { Order } from '../../shared/dashboard-protocol.js';
import type { AppSnapshot } from '../../shared/snapshot.js';
import { make } from '../dom.js';
import type { ButtonName } from '../pure/orders.js';
import { MOST_WORKERS, scaleTo, weightTo, wholeNumber, workersWanted } from '../pure/orders.js';

export interface Fields {
  elements: HTMLElement[];
  /** That the focus goes to; undefined where there is none. */
  first?: HTMLElement;
  /** Of what was typed; a string says why it makes none, as the app is now. */
  order(app: AppSnapshot): Order | string;
}

export function fieldsOf(name: ButtonName, app: AppSnapshot, changed: () => void): Fields {
  switch (name) {
    case 'reload':
      return reloadFields(changed);
    case 'canary':
      return weightFields(app, changed);
    case 'scale':
      return scaleFields(app, changed);
    case 'promote':
      return promoteFields(app, changed);
    case 'pause':
    case 'abort':
    case 'rollback':
      return { elements: [], order: () => ({ command: name }) };
    default:
      return name satisfies never;
  }
}

function scaleFields(app: AppSnapshot, changed: () => void): Fields {
  const input = numberInput('scale-to', 1, MOST_WORKERS, workersWanted(app), changed);
  return {
    elements: [field('Workers', input)],
    first: input,
    order: (now) => scaleTo(input.value, now),
  };
}

function weightFields(app: AppSnapshot, changed: () => void): Fields {
  const weight = app.rollout?.weight ?? 0;
  const input = numberInput('weight', 0, 100, weight, () => {
    slider.value = input.value;
    changed();
  });
  const slider = make('input', 'slider');
  slider.type = 'range';
  slider.min = '0';
  slider.max = '100';
  slider.value = String(weight);
  slider.setAttribute('aria-label', 'Weight in percent, as a slider');
  slider.addEventListener('input', () => {
    input.value = slider.value;
    changed();
  });
  return {
    elements: [field('Percent of the new connections', input), slider],
    first: input,
    order: (now) => weightTo(input.value, now),
  };
}

function reloadFields(changed: () => void): Fields {
  const how = make('select');
  how.id = 'reload-how';
  for (const [value, text] of [
    ['config', 'as the config has it'],
    ['weight', 'held at a weight, until you decide'],
    ['all', 'all the traffic, without a canary'],
  ] as const) {
    const option = make('option', '', text);
    option.value = value;
    how.append(option);
  }
  const weight = numberInput('reload-weight', 1, 99, 5, changed);
  const weightField = field('Percent of the new connections', weight);
  weightField.hidden = true;
  how.addEventListener('change', () => {
    weightField.hidden = how.value !== 'weight';
    changed();
  });
  return {
    elements: [field('How', how), weightField],
    first: how,
    order() {
      if (how.value === 'config') return { command: 'reload' };
      if (how.value === 'all') return { command: 'reload', noCanary: true };
      const value = wholeNumber(weight.value, 1, 99);
      return value === null ? 'allowed is a whole number from 1 to 99' : { command: 'reload', weight: value };
    },
  };
}

function promoteFields({ rollout }: AppSnapshot, changed: () => void): Fields {
  if (!rollout?.canary || rollout.canary.step >= rollout.canary.steps)
    return { elements: [], order: () => ({ command: 'promote' }) };
  const full = make('input');
  full.type = 'checkbox';
  full.id = 'promote-full';
  full.addEventListener('change', changed);
  const label = make('label', 'check', full, 'past all steps that are left');
  return {
    elements: [label],
    first: full,
    order: () => (full.checked ? { command: 'promote', full: true } : { command: 'promote' }),
  };
}

function numberInput(id: string, least: number, most: number, value: number, changed: () => void): HTMLInputElement {
  const input = make('input');
  input.id = id;
  input.type = 'number';
  input.inputMode = 'numeric';
  input.min = String(least);
  input.max = String(most);
  input.value = String(value);
  input.addEventListener('input', changed);
  return input;
}

function field(text: string, control: HTMLElement): HTMLElement {
  const label = make('label', '', text);
  label.htmlFor = control.id;
  return make('div', 'field', label, control);
}
