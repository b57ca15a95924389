/** Runs in the master. What Node needs to run a TypeScript entry: nothing, a flag, or the app's own tsx. */
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ZdsupError } from '../shared/errors.js';

/**
 * Extra flags for Node; none for JavaScript.
 * @throws ZdsupError ZDSUP_ENTRY_TYPESCRIPT where neither this Node nor the app can run TypeScript
 */
export function typescriptArgs(entry: string): string[] {
  if (!['.ts', '.mts', '.cts'].includes(extname(entry))) return [];
  if ((process.features as { typescript?: unknown }).typescript) return [];
  if (process.allowedNodeEnvironmentFlags.has('--experimental-strip-types'))
    return ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'];
  try {
    return ['--import', pathToFileURL(createRequire(entry).resolve('tsx')).href];
  } catch {
    throw new ZdsupError({
      code: 'ZDSUP_ENTRY_TYPESCRIPT',
      message: `Node ${process.version} does not run TypeScript by itself, and ${entry} has no tsx beside it`,
      hint: 'npm install tsx, or use Node 22.18 or newer, or start the compiled .js',
      exitStatus: 2,
    });
  }
}
