/** Runs in the CLI. The commit that a folder is at, where git knows one. */
import { execFile } from 'node:child_process';
import type { Label } from './manifest.js';

/** A repository on a slow disk delays a deploy by this at most, in ms. */
const TIMEOUT_MS = 2_000;

/**
 * Null without git, a repository or a commit. Never rejects.
 * @param signal ends git: nobody wants its answer any more
 */
export function gitLabel(folder: string, signal?: AbortSignal): Promise<Label | null> {
  return new Promise((resolve) => {
    execFile(
      'git',
      ['-C', folder, 'log', '-1', '--no-show-signature', '--format=%h%n%s'],
      { timeout: TIMEOUT_MS, ...(signal && { signal }), env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' } },
      (error, output) => {
        const [commit = '', subject = ''] = error ? [] : output.split('\n');
        resolve(commit === '' ? null : { commit, subject: subject.slice(0, 200) });
      },
    );
  });
}
