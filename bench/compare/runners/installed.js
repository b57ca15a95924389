// Where the rivals are: in the benchmark's own node_modules, and nowhere else.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));

export const installed = (path) => `${modules}${path}`;

/** The version of an installed package; throws where it is not installed. */
export function versionOf(name) {
  try {
    return JSON.parse(readFileSync(installed(`${name}/package.json`), 'utf8')).version;
  } catch (error) {
    throw new Error(`${name} is not installed; run: npm --prefix bench ci`, { cause: error });
  }
}
