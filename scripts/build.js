// Compiles src to dist, and joins what is loaded most often into one file each. dist is emptied first, so that a deleted
// source leaves no module behind.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
// A packed tarball carries dist and no src: `npm install` of it has nothing to build.
if (existsSync(join(root, 'src'))) {
  const { resolve } = createRequire(import.meta.url);
  const tsc = join(dirname(resolve('typescript/package.json')), 'bin/tsc');
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: 'inherit' });
  const { buildSync } = await import('esbuild');
  const joined = {
    absWorkingDir: dist,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    logLevel: 'error',
  };

  // Every worker loads the preload before the app: see docs/adr/0006.
  const preload = 'worker/preload.cjs';
  buildSync({ ...joined, entryPoints: [preload], outfile: preload, allowOverwrite: true });
  for (const name of readdirSync(join(dist, 'worker')))
    if (!name.startsWith('preload.')) rmSync(join(dist, 'worker', name)); // They are in it.

  // The command is typed often. What starts a master, stays for long, or is typed once on a host, is left as it is: see docs/adr/0011. A deploy asks the planner, which
  // lies where master/plan.js looks for it.
  buildSync({
    ...joined,
    entryPoints: ['cli/main.js'],
    outfile: 'cli/main.cjs',
    external: [
      './commands/start.js',
      './commands/resurrect.js',
      './commands/check.js',
      './commands/systemd.js',
      './commands/watch-status.js',
      'pino-pretty',
    ],
    define: { 'import.meta.url': 'PLAN_URL' },
    banner: { js: 'const PLAN_URL = require("node:url").pathToFileURL(__filename + "/../../master/plan.js").href;' },
    minifySyntax: true,
    minifyWhitespace: true,
  });

  // A reload, a start and a deploy wait for it; the modules that it is made of are not loaded by anybody else.
  const planner = 'master/planning/planner.js';
  buildSync({
    ...joined,
    entryPoints: [planner],
    outfile: planner,
    allowOverwrite: true,
    format: 'esm',
    minifySyntax: true,
  });
  copyFileSync(join(dirname(resolve('valibot')), '../LICENSE.md'), join(dist, 'master/planning/valibot.LICENSE'));

  // The page: what a browser loads from the master, and from nowhere else.
  const page = join(dist, 'dashboard');
  for (const entry of ['main.ts', 'styles/main.css'])
    buildSync({
      absWorkingDir: join(root, 'src/dashboard'),
      bundle: true,
      format: 'esm',
      target: ['chrome111', 'firefox115', 'safari16.4'],
      logLevel: 'error',
      minify: true,
      entryPoints: { app: entry },
      outdir: page,
    });
  for (const name of ['index.html', 'icon.svg']) copyFileSync(join(root, 'src/dashboard', name), join(page, name));
  copyFileSync(join(dirname(resolve('uplot')), '../LICENSE'), join(page, 'uplot.LICENSE'));
  for (const name of ['main.js', 'definitions.js']) rmSync(join(dist, 'cli', name)); // They are in it.
  copyFileSync(join(dirname(resolve('commander')), 'LICENSE'), join(dist, 'cli/commander.LICENSE'));
}
