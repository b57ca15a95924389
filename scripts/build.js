// Compiles src to dist. dist is emptied first, so that a deleted source leaves no module behind.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// A packed tarball carries dist and no src: `npm install` of it has nothing to build.
if (existsSync(join(root, 'src'))) {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: 'inherit' });
  // Every worker loads the preload before the app: see docs/adr/0006.
  const { buildSync } = await import('esbuild');
  const preload = join(dist, 'worker/preload.cjs');
  buildSync({
    entryPoints: [preload],
    outfile: preload,
    allowOverwrite: true,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    logLevel: 'error',
  });
  for (const name of readdirSync(dirname(preload)))
    if (!name.startsWith('preload.')) rmSync(join(dirname(preload), name)); // They are in it.
}
