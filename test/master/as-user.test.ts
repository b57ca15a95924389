import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { asUser, findSetpriv } from '../../src/master/as-user.js';

const SOMEBODY = { user: 'somebody', uid: 54321, gid: 54322, groups: [] as number[], home: '/', shell: '/bin/sh' };
const isRoot = process.geteuid?.() === 0;

describe.skipIf(!isRoot)('a program started as another user (as root alone)', () => {
  /** What the program finds: user, group, all groups, the capabilities in effect, and a variable. */
  const found = (groups: number[], env: Record<string, string>): string => {
    const script = 'id -u; id -g; id -G; grep CapEff /proc/self/status | cut -f2; echo "$LD_SOME $PLAIN"';
    const started = asUser({ ...SOMEBODY, groups }, '/bin/sh', ['-c', script], env);
    const { uid, gid } = started;
    const { stdout } = spawnSync(started.file, started.args, {
      ...{ cwd: '/', encoding: 'utf8', env: started.env },
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    return stdout.trim().replaceAll('\n', ' ');
  };
  const env = { PATH: '/usr/bin:/bin', LD_SOME: 'a', PLAIN: 'b' };

  test("has none of root's rights and groups", () => {
    expect(found([], env)).toBe('54321 54322 54322 0000000000000000 a b');
  });

  test.skipIf(findSetpriv() === null)('has the supplementary groups of its user', () => {
    expect(found([4, 24], env)).toBe('54321 54322 54322 4 24 0000000000000000 a b');
  });
});

test('what the loader obeys is set behind the program that is still root', () => {
  const env = { LD_PRELOAD: '/srv/app/evil.so', GCONV_PATH: '/srv/app', TOKEN: 'hunter2', GONE: undefined };
  const {
    file,
    args,
    env: first,
  } = asUser({ ...SOMEBODY, groups: [4] }, '/usr/bin/node', ['a.js'], env, '/usr/bin/setpriv');
  expect([file, ...args]).toEqual([
    ...['/usr/bin/setpriv', '--reuid=54321', '--regid=54322', '--groups=4', '--'],
    ...['/usr/bin/env', 'LD_PRELOAD=/srv/app/evil.so', 'GCONV_PATH=/srv/app', '/usr/bin/node', 'a.js'],
  ]);
  expect(first).toEqual({ LD_PRELOAD: undefined, GCONV_PATH: undefined, TOKEN: 'hunter2', GONE: undefined });
});

test('as the master is, nothing is changed', () => {
  const env = { LD_PRELOAD: 'a' };
  expect(asUser(null, 'node', ['a.js'], env)).toEqual({
    file: 'node',
    args: ['a.js'],
    env,
    uid: undefined,
    gid: undefined,
  });
});
