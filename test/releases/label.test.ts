/** The label of a release is the commit that the folder is at; where there is none, there is no label and no error. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { gitLabel } from '../../src/releases/label.js';
import { makeProject } from '../helpers/project.js';
import { until } from '../helpers/until.js';

test('with git, without a repository, and without a commit', async () => {
  const { folder } = makeProject({ 'app.js': '1' });
  // Above the temporary folder there may be a repository of somebody else's.
  const git = (...args: string[]): string => execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8' });
  git('init', '-q');
  expect(await gitLabel(folder)).toBeNull();
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '--allow-empty', '-m', 'Fix the "cart"\n\nBody');
  expect(await gitLabel(folder)).toEqual({
    commit: git('rev-parse', '--short', 'HEAD').trim(),
    subject: 'Fix the "cart"',
  });
  expect(await gitLabel('/nowhere')).toBeNull();
});

test('a git that takes long is ended with its deploy', async () => {
  const { folder, path } = makeProject({ 'bin/git': '#!/bin/sh\n: > "$2/began"\nexec sleep 60\n' });
  chmodSync(path('bin/git'), 0o755);
  const { PATH } = process.env;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = `${path('bin')}:${PATH}`;
  const deploy = new AbortController();
  const label = gitLabel(folder, deploy.signal);
  await until('it is at work', () => existsSync(path('began')), Boolean);
  const endedAt = performance.now();
  deploy.abort();
  expect(await label).toBeNull();
  expect(performance.now() - endedAt, 'in ms: it has 2 s by itself').toBeLessThan(1_000);
});
