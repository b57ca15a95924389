/** What a watcher passes over: what is no code of the app, and what the config names. */
import { describe, expect, test } from 'vitest';
import { ignoring } from '../../src/master/watch-ignore.js';

const passesOver = (patterns: string[], ...paths: string[]): boolean[] => {
  const isIgnored = ignoring({ base: '/srv/app', patterns, folders: ['/srv/app/uploads', '/srv/state'] });
  return paths.map((path) => isIgnored(path.replace(/\/$/, ''), path.endsWith('/')));
};

describe('a watcher passes over', () => {
  test.for([
    '/srv/app/node_modules/',
    '/srv/app/packages/a/node_modules/',
    '/srv/app/.git/',
    '/srv/app/.git',
    '/srv/app/.next/',
    '/srv/app/logs/',
    '/srv/app/src/debug.log',
    '/srv/app/src/.app.js.swp',
    '/srv/app/src/app.js~',
    '/srv/app/src/.#app.js',
    '/srv/app/src/#app.js#',
    '/srv/app/src/4913',
    '/srv/app/src/app.js___jb_tmp___',
    '/srv/app/uploads/',
    '/srv/app/uploads/a/b.js',
    '/srv/state/journal',
  ])('%s', (path) => {
    expect(passesOver([], path)).toEqual([true]);
  });
});

describe('a watcher sees', () => {
  test.for([
    '/srv/app',
    '/srv/app/',
    '/srv/app/src/',
    '/srv/app/src/app.js',
    '/srv/app/.env',
    '/srv/app/blog/',
    '/srv/app/uploads.js',
    '/srv/app/src/catalog',
    '/srv/app/src/dialogs/',
  ])('%s', (path) => {
    expect(passesOver([], path)).toEqual([false]);
  });
});

test('a pattern without a slash is a name anywhere, one with a slash starts from the base, ** goes through folders', () => {
  const app = '/srv/app';
  expect(passesOver(['*.sqlite'], `${app}/a.sqlite`, `${app}/data/b.sqlite`, `${app}/a.sqlite.js`)).toEqual([
    true,
    true,
    false,
  ]);
  expect(passesOver(['dist/'], `${app}/dist/`, `${app}/src/dist/`, `${app}/src/dist.js`)).toEqual([true, true, false]);
  expect(passesOver(['src/gen'], `${app}/src/gen/`, `${app}/lib/src/gen/`)).toEqual([true, false]);
  expect(passesOver(['./src/*.css'], `${app}/src/a.css`, `${app}/src/b/a.css`)).toEqual([true, false]);
  expect(passesOver(['src/**/*.css'], `${app}/src/a.css`, `${app}/src/b/c/a.css`, `${app}/a.css`)).toEqual([
    true,
    true,
    false,
  ]);
  expect(passesOver(['data/**'], `${app}/data/x/y.js`, `${app}/database/x.js`)).toEqual([true, false]);
  expect(passesOver(['a+b(c)?.js'], `${app}/a+b(c)1.js`, `${app}/aab(c)1.js`)).toEqual([true, false]);
  expect(passesOver(['/srv/app/tmp/x'], `${app}/tmp/x`)).toEqual([true]);
});

test('a folder that is to be watched is seen whatever it is called', () => {
  const isIgnored = ignoring({ base: '/srv/logs', patterns: [], folders: [] });
  expect([isIgnored('/srv/logs', true), isIgnored('/srv/logs/a.js', false)]).toEqual([false, false]);
});
