// PM2 in cluster mode, with its defaults. Its daemon and all its files live in the place's folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed, versionOf } from './installed.js';

const BIN = installed('pm2/bin/pm2');

export const pm2 = {
  id: 'pm2',
  title: 'PM2',
  get version() {
    return versionOf('pm2');
  },
  processes: 'daemon and workers',
  reloadedBy: '`pm2 reload`',
  reloadTakesMs: 2_500,
  clusters: true,
  async start(place, workers) {
    await place.command([BIN, 'start', place.app, '--name', 'bench', '-i', String(workers)]);
    await place.listening(workers);
    return {
      root: Number(readFileSync(join(place.env.PM2_HOME, 'pm2.pid'), 'utf8')),
      reload: () => place.command([BIN, 'reload', 'bench']),
      stop: () => place.command([BIN, 'kill']),
    };
  },
};
