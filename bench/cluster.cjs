// A bare node:cluster primary with WORKERS workers: what zdsup's master and workers are measured against.
const cluster = require('node:cluster');
cluster.setupPrimary({ exec: require('node:path').join(__dirname, 'app.cjs') });
for (let worker = 0; worker < Number(process.env.WORKERS); worker++) cluster.fork();
process.on('SIGTERM', () => {
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  process.exit(0);
});
