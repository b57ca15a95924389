/** Runs in the CLI. Environments as the kernel has them: those that processes were started with. */
import { readFileSync } from 'node:fs';

/**
 * Node reads `--env-file` by itself, also where it stands behind the script. What it has set would outlive the file's own
 * contents.
 */
export function environmentAtStart(): NodeJS.ProcessEnv {
  if (!process.argv.some((argument) => argument.startsWith('--env-file'))) return { ...process.env };
  return environmentOf('self') ?? { ...process.env };
}

/** Null where there is no /proc, or it is not ours to read. */
export function environmentOf(pid: number | 'self'): NodeJS.ProcessEnv | null {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
  } catch {
    return null;
  }
}
