/** Runs in the page. Says that nobody is there, since when what is shown is old, and when it is tried again. */
import { byId, setHidden, setText } from '../dom.js';
import type { Model } from '../model.js';
import { formatClock } from '../pure/format.js';
import type { View } from './view.js';

/** After so many that failed the page says where else to look: a master that has moved to another address cannot tell it. */
export const FEW_TRIES = 3;

/** @param draw asks for a frame: the seconds count down */
export function lostView(tryNow: () => void, draw: () => void): View {
  const root = byId('lost');
  const words = byId('lost-words');
  let ticking: ReturnType<typeof setInterval> | undefined;
  byId('lost-retry').addEventListener('click', tryNow);
  return (model) => {
    const lost = model.link.state === 'lost';
    setHidden(root, !lost);
    if (lost) {
      setText(words, wordsOf(model));
      ticking ??= setInterval(draw, 500);
      return;
    }
    clearInterval(ticking);
    ticking = undefined;
  };
}

function wordsOf({ link, app, history }: Model): string {
  if (link.state !== 'lost') return '';
  if (link.shutOut)
    return `The link of this page holds no more: ${app ? `zdsup dashboard ${app.name}` : 'zdsup dashboard'} prints a new one.`;
  const elsewhere = link.tries >= FEW_TRIES ? ` ${whereElse({ app })}` : '';
  const old = history.last ? `What is shown is of ${formatClock(history.last.at)}. ` : '';
  if (link.nextTryAt === null) return `${old}Trying…${elsewhere}`;
  return `${old}Trying again in ${Math.max(1, Math.ceil((link.nextTryAt - Date.now()) / 1_000))} s.${elsewhere}`;
}

export function whereElse({ app }: Pick<Model, 'app'>): string {
  const name = app ? ` ${app.name}` : '';
  return `Nobody answers at this address: zdsup status${name} says whether it runs, and zdsup dashboard${name} prints the link if it has another one by now.`;
}
