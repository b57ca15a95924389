// Runs in the load process. Clients that count what a reload costs them: requests lost (by reason), requests that hang, and keep-alive
// connections that the server closed, with or without a request on them. Between two requests a client rests for a moment, as real ones do.
import { HUNG_MS } from './clock.js';
import { Connection } from './connection.js';

const REST_MS = 10;

/** Runs until `stopped` resolves, then until each request has its answer or is known to hang. */
export async function losses({ port, keepAlive, perRequest }, stopped) {
  const tally = { requests: 0, lost: 0, hung: 0, closed: 0, reasons: {} };
  let ending = false;
  const busy = new Set();

  const lose = (reason) => {
    tally.lost++;
    tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1;
  };
  const send = (connection, last) => {
    tally.requests++;
    busy.add(connection);
    connection.request(last);
  };
  /** Opens a client's next connection, and sends its first request there. */
  const open = (last) => {
    let hung = false;
    const connection = new Connection(port, {
      answered: (answeredOne) => {
        busy.delete(answeredOne);
        if (!last && !answeredOne.announced) setTimeout(next, REST_MS);
      },
      gone: (goneOne, code) => {
        const lostOne = busy.delete(goneOne);
        if (lostOne && hung) tally.hung++;
        if (lostOne) lose(hung ? 'hung' : code);
        if (!last && !hung && !ending && code !== 'ECONNREFUSED') tally.closed++;
        isGone = true;
        if (!ending) setTimeout(open, REST_MS, last);
      },
    });
    let isGone = false;
    const next = () => {
      if (isGone) return;
      if (ending) connection.destroy();
      else send(connection, last);
    };
    connection.giveUp = () => {
      hung = true;
      connection.destroy();
    };
    send(connection, last);
  };

  for (let client = 0; client < keepAlive; client++) open(false);
  for (let client = 0; client < perRequest; client++) open(true);
  const giveUpOnHung = () => {
    for (const connection of busy)
      if (connection.sentAt !== null && performance.now() - connection.sentAt > HUNG_MS) connection.giveUp();
  };
  const watch = setInterval(giveUpOnHung, 100);
  await stopped;
  ending = true;
  // Each gets its answer, or is given up by the watch: so this ends.
  await new Promise((resolve) => {
    const look = setInterval(() => {
      if (busy.size > 0) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
  clearInterval(watch);
  return tally;
}
