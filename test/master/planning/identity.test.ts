import { describe, expect, test } from 'vitest';
import type { Host } from '../../../src/master/planning/identity.js';
import { identityOf, thisHost } from '../../../src/master/planning/identity.js';

const LINES: Record<string, string> = {
  'passwd www': 'www:x:33:33:web:/var/www:/usr/sbin/nologin',
  'passwd root': 'root:x:0:0:root:/root:/bin/bash',
  'passwd 0': 'root:x:0:0:root:/root:/bin/bash',
  'group certs': 'certs:x:106:www',
};
const host = (uid = 0): Host => ({
  uid,
  gid: uid,
  entry: (database, key) => LINES[`${database} ${key}`]?.split(':') ?? null,
  groupsOf: (user) => (user === 'www' ? [33, 4, 106] : []),
});
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('whom the workers run as', () => {
  test('a user by name has its group, its other groups, its home and its shell', () => {
    expect(identityOf('www', null, host())).toEqual({
      ...{ user: 'www', uid: 33, gid: 33, groups: [4, 106] },
      ...{ home: '/var/www', shell: '/usr/sbin/nologin' },
    });
  });

  test('another group stands in for its own, which it is not in any more', () => {
    expect(identityOf('www', 'certs', host())).toMatchObject({ gid: 106, groups: [4] });
  });

  test('a number that nobody has is a user too, where its group is given', () => {
    expect(identityOf(5000, 6000, host())).toMatchObject({ user: '5000', uid: 5000, gid: 6000, groups: [], home: '/' });
    expect(codeOf(() => identityOf(5000, null, host()))).toBe('ZDSUP_USER_UNKNOWN');
  });

  test.for([
    [null, null],
    ['root', null],
    [0, null],
  ] as const)('user %j of a root master changes nothing', ([user, group]) => {
    expect(identityOf(user, group, host())).toBeNull();
  });

  test("the master's own user needs no root", () => {
    expect(identityOf('www', null, host(33))).toBeNull();
  });

  test('an unknown user or group is refused, and so is anybody else where the master is not root', () => {
    expect(codeOf(() => identityOf('wwww', null, host()))).toBe('ZDSUP_USER_UNKNOWN');
    expect(codeOf(() => identityOf('www', 'cert', host()))).toBe('ZDSUP_USER_UNKNOWN');
    expect(codeOf(() => identityOf('www', null, host(1000)))).toBe('ZDSUP_USER_NEEDS_ROOT');
  });
});

test('the host knows root, by name and by number', () => {
  expect(thisHost().entry('passwd', 'root')?.[2]).toBe('0');
  expect(thisHost().entry('passwd', '0')?.[0]).toBe('root');
  expect(thisHost().groupsOf('root')).toContain(0);
  expect(thisHost().entry('passwd', 'no-such-user')).toBeNull();
});
