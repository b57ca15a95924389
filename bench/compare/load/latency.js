// Runs in the load process. An open loop: requests are due at a fixed rate, whether or not those before have been answered, on keep-alive
// connections. A request that finds no free connection waits, and its latency counts from when it was due; otherwise from when it was
// sent (that the load process itself woke late is not the server's latency).

import { HUNG_MS, now } from './clock.js';
import { Connection } from './connection.js';

/** Runs until `stopped` resolves; gives every sample as [when it was sent or due, latency], in ms, and how many requests were lost. */
export async function latency({ port, rate, clients }, stopped) {
  const samples = [];
  let lost = 0;
  let ending = false;
  const idle = [];
  const connections = new Set();
  const waiting = [];
  const dueAt = new Map();

  const send = (connection, due) => {
    dueAt.set(connection, due);
    connection.request(false);
  };
  const free = (connection) => {
    const due = waiting.shift();
    if (due === undefined) idle.push(connection);
    else send(connection, due);
  };
  const settle = (connection) => {
    const due = dueAt.get(connection);
    dueAt.delete(connection);
    samples.push([due, now() - due]);
  };
  const open = () => {
    const connection = new Connection(port, {
      answered: (answeredOne) => {
        settle(answeredOne);
        if (!answeredOne.announced) free(answeredOne);
      },
      gone: (goneOne) => {
        connections.delete(goneOne);
        const at = idle.indexOf(goneOne);
        if (at >= 0) idle.splice(at, 1);
        if (dueAt.delete(goneOne)) lost++;
        // A moment later: a port that refuses would be asked without end.
        if (!ending) setTimeout(open, 2);
      },
    });
    connections.add(connection);
    free(connection);
  };

  for (let client = 0; client < clients; client++) open();
  const everyMs = 1000 / rate;
  let nextDue = now() + 50;
  const tick = () => {
    if (ending) return;
    const present = now();
    for (; nextDue <= present; nextDue += everyMs) {
      const connection = idle.shift();
      if (connection === undefined) waiting.push(nextDue);
      else send(connection, present);
    }
    for (const [connection, due] of dueAt) {
      if (present - due < HUNG_MS) break;
      settle(connection);
      connection.destroy();
    }
    setTimeout(tick, 1);
  };
  tick();
  await stopped;
  ending = true;
  for (const connection of connections) connection.destroy();
  return { samples, lost };
}
