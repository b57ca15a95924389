/** Runs in the page. The rollout under way or the last one: its steps, its verdict with the reason, and what comes next. */
import { byId, make, setAttribute, setHidden, setText } from '../dom.js';
import type { Row } from '../keyed.js';
import { Keyed } from '../keyed.js';
import type { Sentence, StepView } from '../pure/rollout-words.js';
import { headlineOf, nextOf, stepsOf, verdictOf } from '../pure/rollout-words.js';
import type { View } from './view.js';

export function rolloutView(): View {
  const headline = makeSentence('headline');
  const steps = make('ol', 'steps');
  steps.setAttribute('aria-label', 'Steps');
  const verdict = makeSentence('verdict');
  const verdictLabel = make('h3', 'small-title', 'Verdict');
  const next = make('p', 'next');
  byId('rollout').append(headline.root, steps, verdictLabel, verdict.root, next);
  const list = new Keyed<StepView>(steps, ({ label }) => label, makeStep);
  return ({ app, now, held }) => {
    if (!app) return;
    headline.update(headlineOf(app));
    const views = stepsOf(app, held);
    setHidden(steps, views.length === 0);
    list.update(views);
    const sentence = verdictOf(app);
    setHidden(verdict.root as HTMLElement, sentence === null);
    setHidden(verdictLabel, sentence === null);
    if (sentence) verdict.update(sentence);
    const words = nextOf(app, now);
    setHidden(next, words === null);
    setText(next, words ?? '');
  };
}

function makeSentence(className: string): Row<Sentence> {
  const head = make('strong');
  const text = make('span');
  const root = make('p', `sentence ${className}`, head, ' ', text);
  return {
    root,
    update(sentence) {
      setAttribute(root, 'data-tone', sentence.tone);
      setText(head, sentence.head);
      setText(text, sentence.text);
    },
  };
}

const STATES: Record<StepView['state'], string> = { done: 'done: ', now: 'now: ', ahead: 'to come: ' };

function makeStep({ label }: StepView): Row<StepView> {
  const state = make('span', 'unseen');
  const note = make('span', 'note');
  const root = make('li', 'step', state, make('span', 'step-label', label), note);
  return {
    root,
    update(step) {
      setAttribute(root, 'data-state', step.state);
      setAttribute(root, 'aria-current', step.state === 'now' ? 'step' : null);
      setText(state, STATES[step.state]);
      setText(note, step.note ?? '');
    },
  };
}
