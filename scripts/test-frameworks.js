// Puts frameworks, as they come from npm, under reloads; on first use they are installed in test/frameworks, and two apps are built.
//   npm run test:frameworks                    on this Node
//   npm run test:frameworks -- 22 24 http2     on these majors, and only test files whose path has `http2` in it
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodeBinary, root } from './node-binary.js';

const given = process.argv.slice(2);
const majors = given.filter((argument) => /^\d+$/.test(argument));
const filters = given.filter((argument) => !/^\d+$/.test(argument));

for (const node of majors.length > 0 ? majors.map(nodeBinary) : [process.execPath]) {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(node, [vitest, 'run', '--config', 'vitest.frameworks.config.ts', ...filters], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
