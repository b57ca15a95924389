import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startArgsOf } from '../../src/cli/commands/unit-target.js';
import { differences, findUnit, judge, sealed, writeUnit } from '../../src/cli/unit-files.js';
import { temporaryFolder } from '../helpers/cleanup.js';

test('a unit as zdsup wrote it, one that was edited since, and one of somebody else are told apart', () => {
  const text = sealed('[Unit]\nDescription=a\n');
  expect(judge(text)).toBe('ours');
  expect(judge(`${text}#\n`)).toBe('edited');
  expect(judge(text.replace('=a', '=b'))).toBe('edited');
  expect(judge('[Unit]\nDescription=a\n')).toBe('foreign');
  expect(judge('')).toBe('foreign');
});

test('a unit is written whole, in a folder that is made where it is missing', () => {
  const folder = join(temporaryFolder(), 'systemd/user');
  const path = join(folder, 'zdsup-a.service');
  expect(findUnit(path)).toEqual({ kind: 'none' });
  writeUnit(path, sealed('x\n'));
  expect(findUnit(path)).toMatchObject({ kind: 'ours' });
  writeFileSync(path, 'y');
  expect(findUnit(path)).toEqual({ kind: 'foreign', text: 'y' });
  expect(readdirSync(folder)).toEqual(['zdsup-a.service']);
});

test('the lines in which two differ are shown, the first few', () => {
  expect(differences('a\nb\n', 'a\nc\n')).toEqual(['- b', '+ c']);
  expect(differences('1\n2\n3\n4\n', '5\n6\n7\n8\n')).toHaveLength(7);
});

test('what an app was started with is what its unit starts it with', () => {
  const overrides = {
    script: '/srv/a b/app.js',
    instances: 2,
    envFile: ['/e'],
    ready: { path: '/up' },
    nodeArgs: '--a --b',
    args: ['-x'],
  };
  expect(startArgsOf({ overrides, baseDir: '/srv' }, 'shop')).toEqual([
    ...[
      '/srv/a b/app.js',
      '--as-unit',
      'shop',
      '--instances',
      '2',
      '--env-file',
      '/e',
      '--ready',
      '/up',
      '--node-args=--a --b',
    ],
    ...['--', '-x'],
  ]);
  expect(
    startArgsOf({ configPath: '/srv/zdsup.config.js', only: 'web', overrides: {}, baseDir: '/srv' }, 'web'),
  ).toEqual([...['/srv/zdsup.config.js', '--as-unit', 'web', '--only', 'web']]);
});
