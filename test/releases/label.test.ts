/** The label of a release is the commit that the folder is at; where there is none, there is no label and no error. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { gitLabel } from '../../src/releases/label.js';
import { makeProject } from '../helpers/project.js';

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
