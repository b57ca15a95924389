// node:cluster as it comes: the primary accepts and hands connections out in turn (SCHED_RR, Node's default), or all workers accept
// from one socket (SCHED_NONE).
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PRIMARY = fileURLToPath(new URL('cluster-primary.cjs', import.meta.url));

const runner = (id, policy, title) => ({
  id,
  title,
  processes: 'primary and workers',
  reloadedBy: 'a rolling restart: fork, wait for `listening`, `worker.disconnect()`, kill after 2 s',
  reloadTakesMs: 2_500,
  clusters: true,
  async start(place, workers) {
    const primary = place.launch([PRIMARY], {
      env: { POLICY: policy, WORKERS: String(workers), APP: place.app },
      ipc: true,
    });
    await place.listening(workers);
    return {
      root: primary.pid,
      async reload() {
        const reloaded = once(primary, 'message');
        primary.send('reload');
        await reloaded;
      },
      stop: () => place.terminate(),
    };
  },
});

export const clusterRoundRobin = runner('cluster-rr', 'rr', 'cluster, round-robin');
export const clusterNone = runner('cluster-none', 'none', 'cluster, SCHED_NONE');
