/** The docs and the code name the same things. (Error codes: test/architecture.test.ts.) */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CONFIG_KEYS } from '../../src/shared/config-keys.js';
import { pages } from '../helpers/pages.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

test('every config key is documented, and every documented key exists', () => {
  const table = page('docs/config.md').split('## `ready`')[0]!;
  const documented = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key);
  expect(documented.sort()).toEqual([...CONFIG_KEYS].sort());
});

test('every link between the pages leads somewhere', () => {
  for (const name of pages())
    for (const target of linksOf(name)) expect(existsSync(join(ROOT, target)), `${name} → ${target}`).toBe(true);
});

test('the package has what its pages link to', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(output) as [{ files: { path: string }[] }];
  const packed = files.map(({ path }) => path);
  const has = (target: string): boolean =>
    packed.some((path) => path === target || path.startsWith(`${target.replace(/\/$/, '')}/`));
  expect(packed).toContain('README.md');
  for (const name of packed.filter((path) => path.endsWith('.md')))
    for (const target of linksOf(name)) expect(has(target), `${name} → ${target}`).toBe(true);
});

/** Files and folders that a page links to, relative to the repository. */
const linksOf = (name: string): string[] =>
  [...page(name).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => join(dirname(name), target!));

test('every npm script that the docs name exists', () => {
  const { scripts } = JSON.parse(page('package.json')) as { scripts: Record<string, string> };
  for (const name of pages())
    for (const [, script] of page(name).matchAll(/npm run ([\w:]+)/g))
      expect(Object.keys(scripts), name).toContain(script);
});
