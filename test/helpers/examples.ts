/** The examples, run as their own pages say: in a copy of their folder, with the commands of their README. */
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { startLoad } from './load/client.js';
import { keepAlive } from './load/exchanges.js';
import { expectNothingLost } from './load/load.js';
import type { Tally } from './load/tally.js';
import { commandsIn } from './pages.js';
import type { Project } from './project.js';
import { makeProject } from './project.js';
import type { Master } from './zdsup.js';
import { startMaster } from './zdsup.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = join(ROOT, 'examples');

/** The lines of its README's `sh` blocks. */
export function commandsOf(example: string): string[] {
  return commandsIn(readFileSync(join(EXAMPLES, example, 'README.md'), 'utf8'));
}

/** A copy of the example in a folder of the test's own; what it depends on is taken from `packages`, a node_modules folder. */
export function copyExample(example: string, packages = join(ROOT, 'node_modules')): Project {
  const project = makeProject();
  cpSync(join(EXAMPLES, example), project.path(example), {
    recursive: true,
    filter: (from) => !from.endsWith('node_modules'),
  });
  mkdirSync(project.path('node_modules'));
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(project.path(example, 'package.json'), 'utf8'),
  ) as Record<string, Record<string, string> | undefined>;
  for (const name of Object.keys({ ...dependencies, ...devDependencies }))
    symlinkSync(name === 'zdsup' ? ROOT : join(packages, name), project.path('node_modules', name));
  return project;
}

/** In the foreground, by the README's own line `zdsup start ...`. */
export async function startExample(
  project: Project,
  example: string,
  env: Record<string, string>,
  more: string[] = [],
): Promise<Master> {
  const line = commandsOf(example).find((command) => command.startsWith('zdsup start'));
  if (line === undefined) throw new Error(`examples/${example}/README.md starts nothing`);
  return startMaster({ cwd: project.path(example), args: [...line.split(' ').slice(2), ...more], env });
}

/** What every example that serves is held to. */
export async function reloadUnderLoad(master: Master, port: number): Promise<Tally> {
  const load = startLoad({ port }, 4, keepAlive());
  await load.reached(50);
  const { code, stderr } = await master.run('reload');
  expect(code, stderr).toBe(0);
  return expectNothingLost(load, 50);
}
