/** Runs in the page. Wires it: messages change the model, and at most once a frame all views show it. */

import { VERSION } from '../shared/version.cjs';
import { Connection } from './connection.js';
import { byId } from './dom.js';
import { Model } from './model.js';
import { announcer } from './views/announcer.js';
import { buttonsView } from './views/buttons.js';
import { chartsView } from './views/charts.js';
import { confirmDialog } from './views/dialog.js';
import { eventsView } from './views/events.js';
import { generationsView } from './views/generations.js';
import { headerView } from './views/header.js';
import { logView } from './views/log.js';
import { FEW_TRIES, lostView, whereElse } from './views/lost.js';
import { ordersView } from './views/orders.js';
import { rolloutView } from './views/rollout.js';
import { tilesView } from './views/tiles.js';
import type { View } from './views/view.js';
import { workersView } from './views/workers.js';

/** In ms. */
const DONE_STAYS_MS = 15_000;

const model = new Model();
const announce = announcer(byId('spoken'));
let drawing = false;

/** A hidden page draws nothing; it shows the last state once it is looked at. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    for (const show of views) show(model);
  });
}

const connection = new Connection({
  message(message) {
    if (message.type === 'hello') {
      if (isOtherPage(message.version)) return;
      if (model.link.state === 'lost') announce('Connected again.');
      connection.send({ type: 'log', follow: log.isFollowed });
    }
    model.take(message);
    if (message.type === 'result' && message.result.ok) leaveLater(message.id);
    draw();
  },
  lost(nextTryAt, tries) {
    if (model.link.state !== 'lost') announce('Connection lost. It is tried again by itself.');
    else if (tries === FEW_TRIES && model.link.tries < tries) announce(whereElse(model));
    model.lost(nextTryAt, tries);
    draw();
  },
  shutOut() {
    model.shutOut();
    draw();
  },
});

const dialog = confirmDialog(model, (order, command) => {
  const given = model.give(order, command);
  if (!connection.send({ type: 'order', id: given.id, request: order })) model.lost(null);
  draw();
});

const log = logView((follow) => {
  if (follow) model.log.restart(); // The last ones come again.
  connection.send({ type: 'log', follow });
  draw();
});

const views: View[] = [
  headerView(),
  buttonsView(dialog.ask),
  dialog.show,
  ordersView(announce, (id) => {
    model.dismiss(id);
    draw();
  }),
  tilesView(),
  generationsView(),
  rolloutView(),
  chartsView(draw),
  eventsView(announce),
  workersView(),
  log.show,
  lostView(() => connection.tryNow(), draw),
];

/** What was done is said and shown, and listed among the events: it need not stay. What failed does. */
function leaveLater(id: number): void {
  setTimeout(() => {
    model.dismiss(id);
    draw();
  }, DONE_STAYS_MS);
}

connection.open();

/** After an upgrade of zdsup the old page would speak another language: the new one is loaded, once for each version. */
function isOtherPage(version: string): boolean {
  if (version === VERSION || sessionStorage.getItem('zdsup-loaded-for') === version) return false;
  sessionStorage.setItem('zdsup-loaded-for', version);
  location.reload();
  return true;
}
