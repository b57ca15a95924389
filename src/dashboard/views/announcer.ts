/** Runs in the page. Says to a screen reader what has happened: politely, and of several things at once the last few. */
import { setText } from '../dom.js';
import { sentencesOf } from '../pure/sentences.js';

const TOGETHER_MS = 1_000;
const MOST = 3;

export type Announce = (text: string) => void;

export function announcer(region: HTMLElement): Announce {
  let waiting: string[] = [];
  let isWaiting = false;
  return (text) => {
    waiting = [...waiting, text].slice(-MOST);
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      setText(region, sentencesOf(waiting));
      waiting = [];
    }, TOGETHER_MS);
  };
}
