import { describe, expect, test } from 'vitest';
import type { Seen } from '../../../src/master/planning/root-only.js';
import { refuseWeak, weakPlace } from '../../../src/master/planning/root-only.js';
import type { ZdsupError } from '../../../src/shared/errors.js';

const folder = (mode = 0o755, uid = 0): Seen => ({ uid, mode: 0o40000 | mode, isFolder: true, target: null });
const file = (mode = 0o644, uid = 0): Seen => ({ uid, mode: 0o100000 | mode, isFolder: false, target: null });
const link = (target: string, uid = 0): Seen => ({ uid, mode: 0o120777, isFolder: false, target });

const SOUND: Record<string, Seen> = {
  '/': folder(),
  '/etc': folder(),
  '/etc/app.js': file(),
  '/srv': folder(),
  '/srv/app.js': file(),
};
const weakForNew = (tree: Record<string, Seen>) =>
  weakPlace('/srv/logs', (at) => ({ ...SOUND, ...tree })[at] ?? null, 'folder-of-new-files')?.path ?? null;
const weakIn = (path: string, tree: Record<string, Seen>) =>
  weakPlace(path, (at) => ({ ...SOUND, ...tree })[at] ?? null)?.path ?? null;

describe('a path is not root alone to change', () => {
  test.for([
    ["the file is another user's", { '/etc/app.js': file(0o644, 33) }, '/etc/app.js'],
    ['its group can write it', { '/etc/app.js': file(0o664) }, '/etc/app.js'],
    [
      'everybody can write it, in a sticky folder too',
      { '/etc': folder(0o1777), '/etc/app.js': file(0o666) },
      '/etc/app.js',
    ],
    ["a folder above is another user's", { '/etc': folder(0o755, 33) }, '/etc'],
    ['everybody can write a folder above', { '/etc': folder(0o777) }, '/etc'],
    ["it is a link of another user's", { '/etc/app.js': link('/srv/app.js', 33) }, '/etc/app.js'],
    [
      'it is a link to what another user can write',
      { '/etc/app.js': link('/srv/app.js'), '/srv/app.js': file(0o644, 33) },
      '/srv/app.js',
    ],
    [
      'a relative link leads through a weak folder',
      { '/etc/app.js': link('../srv/app.js'), '/srv': folder(0o777) },
      '/srv',
    ],
    ['a link above leads through a weak folder', { '/etc': link('srv'), '/srv': folder(0o755, 33) }, '/srv'],
    ['links lead in a circle', { '/etc/app.js': link('app.js') }, '/etc/app.js'],
  ] as const)('where %s', ([, tree, weak]) => {
    expect(weakIn('/etc/app.js', tree)).toBe(weak);
  });
});

describe('a path is root alone to change', () => {
  test.for([
    ['as a package installs it', {}],
    ['below a sticky folder', { '/etc': folder(0o1777) }],
    ['by a link to what is root alone', { '/etc/app.js': link('/srv/app.js') }],
    ['where nothing is there', { '/etc': link('/nowhere') }],
  ] as const)('%s', ([, tree]) => {
    expect(weakIn('/etc/app.js', tree)).toBeNull();
  });
});

describe('a folder that files come and go in', () => {
  test.for([
    ['is not root alone where it is sticky and open to all', { '/srv/logs': folder(0o1777) }, '/srv/logs'],
    ['nor where a link leads to such a one', { '/srv/logs': link('../tmp'), '/tmp': folder(0o1777) }, '/tmp'],
    ['nor where it is still to be made in such a one', { '/srv': folder(0o1777) }, '/srv'],
    ['is root alone below a sticky one, once it is there', { '/srv': folder(0o1777), '/srv/logs': folder() }, null],
    ['is root alone where it is still to be made in a sound one', {}, null],
  ] as const)('%s', ([, tree, weak]) => {
    expect(weakForNew(tree)).toBe(weak);
  });
});

describe('the way out', () => {
  const hintFor = (path: string, weak: Record<string, Seen>, what: Parameters<typeof refuseWeak>[0] = 'the config') => {
    try {
      refuseWeak(what, path, 'root trusts it', undefined, (at) => weak[at] ?? folder());
    } catch (error) {
      return (error as ZdsupError).hint;
    }
    throw new Error('it was let pass');
  };
  const elsewhere = 'keep it where root alone can write, such as /etc/<app>';

  test('is another place where what is weak belongs to somebody else: theirs is not taken from them', () => {
    expect(hintFor('/home/alice/conf', { '/home/alice': folder(0o755, 1000) })).toBe(elsewhere);
    expect(hintFor('/srv/shop/conf', { '/srv/shop/conf': file(0o644, 33) })).toBe(elsewhere);
    expect(hintFor('/srv/logs', { '/srv/logs': folder(0o755, 33) }, 'the folder of the log')).toMatch(
      /\/var\/log\/<app>$/,
    );
  });

  test("closes the mode of what is root's, but not of what many share", () => {
    expect(hintFor('/srv/shop/conf', { '/srv/shop': folder(0o775) })).toBe(`${elsewhere}; or chmod go-w /srv/shop`);
    expect(hintFor('/home/alice/conf', { '/home/alice': folder(0o777) })).toBe(elsewhere);
  });
});
