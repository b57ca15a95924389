/** The docs and the code name the same things. (Error codes: test/architecture.test.ts.) */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CONFIG_KEYS } from '../../src/shared/config-schema.js';

import { pages } from '../helpers/pages.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = (name: string): string => readFileSync(join(ROOT, name), 'utf8');

test('every config key is documented, and every documented key exists', () => {
  const table = page('docs/config.md').split('## `ready`')[0]!;
  const documented = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key);
  expect(documented.sort()).toEqual([...CONFIG_KEYS].sort());
});

test('every link between the pages leads somewhere', () => {
  for (const name of pages()) {
    for (const [, target] of page(name).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
      expect(existsSync(resolve(ROOT, dirname(name), target!)), `${name} → ${target}`).toBe(true);
  }
});

test('every npm script that the docs name exists', () => {
  const { scripts } = JSON.parse(page('package.json')) as { scripts: Record<string, string> };
  for (const name of pages())
    for (const [, script] of page(name).matchAll(/npm run ([\w:]+)/g))
      expect(Object.keys(scripts), name).toContain(script);
});
