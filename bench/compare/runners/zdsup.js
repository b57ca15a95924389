// zdsup, as it is built in this checkout, with its defaults.
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../../bin/zdsup.js', import.meta.url));

export const zdsup = {
  id: 'zdsup',
  title: 'zdsup',
  processes: 'master and workers',
  reloadedBy: '`zdsup reload`',
  clusters: true,
  async start(place, workers) {
    const { pid } = place.launch([BIN, 'start', place.app, '--name', 'bench', '-i', String(workers)]);
    await place.listening(workers);
    return {
      root: pid,
      reload: () => place.command([BIN, 'reload', 'bench']),
      stop: () => place.terminate(),
    };
  },
};
