/** Runs in the page. What befell the app, the latest first; what matters is spoken as well, once. */
import type { LiveEvent } from '../../shared/dashboard-protocol.js';
import { HISTORY_EVENTS } from '../../shared/dashboard-protocol.js';
import { byId, make } from '../dom.js';
import type { Model } from '../model.js';
import { formatClock } from '../pure/format.js';
import { isSpoken, toneOf } from '../pure/marks.js';
import type { Announce } from './announcer.js';
import type { View } from './view.js';

export function eventsView(announce: Announce): View {
  const list = byId('events');
  let shown: LiveEvent[] = [];
  return (model: Model) => {
    const { events } = model;
    if (events === shown) return;
    // After a hello all are another list, which has most of what is shown: that is built anew, and not spoken.
    const last = shown.at(-1);
    const from = last === undefined ? -1 : events.lastIndexOf(last);
    const more = events.slice(from + 1);
    if (from < 0) list.replaceChildren();
    else for (const event of more) if (isSpoken(event.kind)) announce(event.message);
    list.prepend(...more.toReversed().map(makeEvent));
    while (list.childElementCount > HISTORY_EVENTS) list.lastElementChild!.remove();
    shown = events;
  };
}

function makeEvent({ at, kind, message }: LiveEvent): HTMLElement {
  const time = make('time', '', formatClock(Date.parse(at)));
  time.dateTime = at;
  const root = make('li', 'event', time, make('span', 'event-text', message));
  root.dataset.tone = toneOf(kind);
  root.dataset.spoken = String(isSpoken(kind));
  return root;
}
