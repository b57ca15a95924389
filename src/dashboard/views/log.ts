/** Runs in the page. The log's tail, the master's own lines quieter than the app's. It stays at its end by its style alone (`column-reverse`), as long as nobody scrolls up. */
import { byId, make, setAttribute, setHidden, setText } from '../dom.js';
import { shownLine } from '../pure/log-line.js';
import type { View } from './view.js';

const MOST = 500;

export interface LogView {
  readonly isFollowed: boolean;
  show: View;
}

export function logView(follow: (follow: boolean) => void): LogView {
  const inner = byId('log-inner');
  const filter = byId<HTMLInputElement>('log-filter');
  const button = byId<HTMLButtonElement>('log-follow');
  const appOnly = byId<HTMLButtonElement>('log-app-only');
  const empty = make('p', 'empty', 'No line yet.');
  byId('log').append(empty);
  let isFollowed = true;
  let shown = { epoch: 0, count: 0 };

  let isAppOnly = false;
  const isWanted = (line: HTMLElement): boolean =>
    !(isAppOnly && line.dataset.own === 'true') && line.textContent.toLowerCase().includes(filter.value.toLowerCase());
  const choose = (): void => {
    for (const line of inner.children as HTMLCollectionOf<HTMLElement>) setHidden(line, !isWanted(line));
  };
  filter.addEventListener('input', choose);
  appOnly.addEventListener('click', () => {
    isAppOnly = !isAppOnly;
    setAttribute(appOnly, 'aria-pressed', String(isAppOnly));
    choose();
  });
  button.addEventListener('click', () => {
    isFollowed = !isFollowed;
    setAttribute(button, 'aria-pressed', String(isFollowed));
    setText(button, isFollowed ? 'Follows' : 'Stopped');
    follow(isFollowed);
  });

  return {
    get isFollowed() {
      return isFollowed;
    },
    show({ log }) {
      if (log.epoch !== shown.epoch) {
        inner.replaceChildren();
        shown = { epoch: log.epoch, count: 0 };
      }
      if (log.count === shown.count) return;
      const added = log.since(shown.count).map(makeLine);
      shown.count = log.count;
      for (const line of added) setHidden(line, !isWanted(line));
      inner.append(...added);
      while (inner.childElementCount > MOST) inner.firstElementChild!.remove();
      setHidden(empty, true);
    },
  };
}

function makeLine(line: string): HTMLElement {
  const { text, tone, isOwn } = shownLine(line);
  const root = make('div', 'line', text);
  root.dataset.own = String(isOwn);
  root.dataset.tone = tone;
  return root;
}
