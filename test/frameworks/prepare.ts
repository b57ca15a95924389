/**
 * Before the first test: the frameworks are installed from npm, and what has to be built is, the Next.js and the NestJS app. It is done
 * once, and again when the lock file or one of these apps has changed.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { APPS, BUILT, FRAMEWORKS } from './places.js';

const STAMP = join(BUILT, 'stamp');
const BUILT_APPS = ['nest', 'next'];

export default function prepare(): void {
  const wanted = fingerprint();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  rmSync(BUILT, { recursive: true, force: true });
  // By the npm of this environment; what has an engine that is too new for this Node is only warned about.
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);

  // In copies: the sources' folders stay clean.
  for (const app of BUILT_APPS) cpSync(join(APPS, app), join(BUILT, app), { recursive: true });
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  run(process.execPath, [tsc, '-p', join(BUILT, 'nest'), '--outDir', join(BUILT, 'nest/dist')]);
  const next = createRequire(join(FRAMEWORKS, 'package.json')).resolve('next/dist/bin/next');
  run(process.execPath, [next, 'build', join(BUILT, 'next')]);

  writeFileSync(STAMP, wanted);
}

function run(command: string, args: string[]): void {
  execFileSync(command, args, {
    cwd: FRAMEWORKS,
    // NODE_ENV is the test runner's.
    env: { ...process.env, NODE_ENV: undefined, NEXT_TELEMETRY_DISABLED: '1' },
    stdio: 'inherit',
  });
}

/** Of all that the installation and the builds come from. */
function fingerprint(): string {
  const hash = createHash('sha256').update(readFileSync(join(FRAMEWORKS, 'package-lock.json')));
  for (const app of BUILT_APPS)
    for (const name of readdirSync(join(APPS, app), { recursive: true, encoding: 'utf8' }).sort()) {
      const path = join(APPS, app, name);
      if (statSync(path).isFile()) hash.update(name).update(readFileSync(path));
    }
  return hash.digest('hex');
}
