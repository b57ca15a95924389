// Runs in the load process. As many requests as go: each client sends the next one when it has the answer, on the same connection or on
// a new one. Counts them, by worker, and the CPU that the runner's processes took meanwhile.
import { setTimeout as pause } from 'node:timers/promises';
import { cpuUs } from '../processes.js';
import { Connection } from './connection.js';

/** Loads one runner for `warmMs`, which do not count, and `ms`, which do. */
async function slice({ port, root, clients, perRequest, warmMs, ms }) {
  let ending = false;
  let counting = false;
  let requests = 0;
  const byWorker = {};
  const connections = new Set();

  const answered = (connection, { worker }) => {
    if (counting) {
      requests++;
      byWorker[worker] = (byWorker[worker] ?? 0) + 1;
    }
    // With a connection for each request the server closes it, and the next one is opened then.
    if (!perRequest && !connection.announced && !ending) connection.request(false);
  };
  const gone = (connection) => {
    connections.delete(connection);
    if (!ending) open();
  };
  const open = () => {
    const connection = new Connection(port, { answered, gone });
    connections.add(connection);
    connection.request(perRequest);
  };

  for (let client = 0; client < clients; client++) open();
  await pause(warmMs);
  const cpuBefore = cpuUs(root);
  const startedAt = performance.now();
  counting = true;
  await pause(ms);
  counting = false;
  const tookMs = performance.now() - startedAt;
  const cpu = cpuUs(root) - cpuBefore;
  ending = true;
  for (const connection of connections) connection.destroy();
  return { requests, tookMs, cpuUs: cpu, byWorker };
}

/** One slice after the other, in one process: for all of them the clients' code is equally warm. */
export async function throughput(slices) {
  const results = [];
  for (const one of slices) results.push(await slice(one));
  return results;
}
