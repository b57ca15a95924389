/** A module of the worker's, which is CommonJS and part of one file when it is built: by itself, for a test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** @param path from src/ */
export function loadWorkerModule<T>(path: string): T {
  const folder = mkdtempSync(join(tmpdir(), 'zdsup-module-'));
  const outfile = join(folder, 'module.cjs');
  try {
    buildSync({
      entryPoints: [fileURLToPath(new URL(`../../src/${path}`, import.meta.url))],
      ...{ bundle: true, platform: 'node', format: 'cjs', outfile, logLevel: 'error' },
    });
    return createRequire(import.meta.url)(outfile) as T;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
