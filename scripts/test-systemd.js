// Boots a Debian with its own systemd in a container, and drives units of zdsup in it. ROOTS="trixie bookworm" names the releases.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeRoot, missing, wantedRoots } from '../test/systemd/roots.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const why = missing();
if (why === null) {
  for (const name of wantedRoots()) makeRoot(name);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(
    process.execPath,
    [vitest, 'run', '--config', 'vitest.systemd.config.ts', ...process.argv.slice(2)],
    {
      cwd: root,
      stdio: 'inherit',
    },
  );
  process.exitCode = status ?? 1;
} else {
  console.log(`SKIPPED, nothing of systemd was tested: ${why}`);
  console.log('0 passed, 0 failed');
}
