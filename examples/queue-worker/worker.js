// Takes jobs from a folder, one after the other. It never listens. A job is a file that moves: waiting → taken → done.
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const queue = resolve(process.env.QUEUE ?? 'queue');
const jobMs = Number(process.env.JOB_MS ?? 1_000);
for (const state of ['waiting', 'taken', 'done']) mkdirSync(join(queue, state), { recursive: true });

// The one line that makes it graceful: no further job is taken, the one in hand is finished, and then nothing keeps the process alive.
let isStopping = false;
process.once('SIGTERM', () => {
  isStopping = true;
});

// Old and new workers overlap during a reload, so a job is taken by one atomic step: of two who try, one gets it.
function take() {
  for (const name of readdirSync(join(queue, 'waiting')).sort()) {
    try {
      renameSync(join(queue, 'waiting', name), join(queue, 'taken', name));
      return name;
    } catch (error) {
      if (error.code !== 'ENOENT') throw error; // Another worker was faster.
    }
  }
  return null;
}

// zdsup waits for it (`ready: 'message'`); under plain node there is nobody to tell.
process.send?.('ready');

while (!isStopping) {
  const job = take();
  if (job === null) {
    await sleep(100);
    continue;
  }
  console.log(`${process.pid} begins ${job}`);
  await sleep(jobMs); // The work.
  renameSync(join(queue, 'taken', job), join(queue, 'done', job));
  console.log(`${process.pid} has done ${job}`);
}
