import { describe, expect, test } from 'vitest';
import { deriveAppName, isAppName, nameInPackage } from '../../src/shared/app-name.js';

describe('a name of an app', () => {
  test.for(['a', 'api', 'api-2', 'my.app_1', 'scope-x', `a${'b'.repeat(62)}`])('may be %s', (name) => {
    expect(isAppName(name)).toBe(true);
  });

  test.for(['', 'all', 'Api', '2api', '-api', '.api', 'a/b', 'a b', '@scope/x', 'äpi', 'a\n', `a${'b'.repeat(63)}`])(
    'may not be %j',
    (name) => {
      expect(isAppName(name)).toBe(false);
    },
  );
});

describe('a name that is derived', () => {
  test.for([
    ['api', 'api'],
    ['@scope/x', 'scope-x'],
    ['My App', 'my-app'],
    ['2048-game', 'game'],
    ['_private', 'private'],
    ['web (copy)', 'web-copy'],
    ['日本', 'app'],
    ['42', 'app'],
    ['All', 'all-app'],
    ['', 'app'],
  ] as const)('from %j is %j', ([source, name]) => {
    expect(deriveAppName(source)).toBe(name);
  });

  test('is valid whatever it comes from, and as long as is allowed at most', () => {
    for (const source of [
      'x'.repeat(200),
      '@a/b/c/d',
      '---',
      '9a',
      `${'y'.repeat(62)} z`,
      'a'.repeat(62) + '/'.repeat(9),
    ])
      expect([source, isAppName(deriveAppName(source))]).toEqual([source, true]);
  });

  test('stays what it is where it is valid already', () => {
    expect(deriveAppName('my.app_1-x')).toBe('my.app_1-x');
  });
});

describe('the name in a package.json', () => {
  test.for([
    ['{"name": "api"}', 'api'],
    ['{"name": "@scope/x", "version": "1.0.0"}', '@scope/x'],
    ['{"name": ""}', null],
    ['{"name": 42}', null],
    ['{}', null],
    ['null', null],
    ['{"name": "api",}', null],
    ['', null],
  ] as const)('of %j is %j', ([text, name]) => {
    expect(nameInPackage(text)).toBe(name);
  });
});
