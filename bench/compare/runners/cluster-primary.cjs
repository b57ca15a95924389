// A bare node:cluster primary with WORKERS workers of APP. The message 'reload' is answered by a rolling restart: for each worker a new one is
// forked, and the old one is disconnected once that listens; one that has not ended 2 s later is killed (as in the example of
// Node's documentation for worker.disconnect).
const cluster = require('node:cluster');
const { once } = require('node:events');

cluster.schedulingPolicy = process.env.POLICY === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: process.env.APP });
for (let worker = 0; worker < Number(process.env.WORKERS); worker++) cluster.fork();

async function retire(worker) {
  const ended = once(worker, 'exit');
  worker.disconnect();
  const timer = setTimeout(() => worker.process.kill(), 2_000);
  await ended;
  clearTimeout(timer);
}

async function reload() {
  const retired = [];
  for (const old of Object.values(cluster.workers)) {
    await once(cluster.fork(), 'listening');
    retired.push(retire(old));
  }
  await Promise.all(retired);
}

process.on('message', () => reload().then(() => process.send('reloaded')));
const end = () => {
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  process.exit(0);
};
process.on('SIGTERM', end);
process.on('disconnect', end);
