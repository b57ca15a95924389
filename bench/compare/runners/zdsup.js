// zdsup, as it is built in this checkout, with its defaults.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../../bin/zdsup.js', import.meta.url));

/** The version of this checkout; throws where it is not built. */
function builtVersion() {
  if (!existsSync(new URL('../../../dist/cli', import.meta.url)))
    throw new Error('zdsup is not built; run: npm ci && npm run build');
  return JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version;
}

const launch = (place, workers) =>
  place.launch([BIN, 'start', place.app, '--name', 'bench', '-i', String(workers)]).pid;

export const zdsup = {
  id: 'zdsup',
  title: 'zdsup',
  get version() {
    return builtVersion();
  },
  processes: 'master and workers',
  reloadedBy: '`zdsup reload`',
  reloadTakesMs: 3_000,
  clusters: true,
  async start(place, workers) {
    const root = launch(place, workers);
    await place.listening(workers);
    return {
      root,
      reload: () => place.command([BIN, 'reload', 'bench']),
      stop: () => place.terminate(),
    };
  },
};

/** With one worker: what plain node, which is one process too, is compared with. Two processes share a load less well than one, whoever supervises them. */
export const zdsupAlone = {
  id: 'zdsup-1',
  title: 'zdsup, 1 worker',
  get version() {
    return builtVersion();
  },
  processes: 'master and one worker',
  reloadedBy: null,
  clusters: false,
  async start(place) {
    const root = launch(place, 1);
    await place.listening(1);
    return { root, stop: () => place.terminate() };
  },
};
