/** Paths of the folder that a release stands for are paths of the release; all others stay. */
import { realpathSync } from 'node:fs';
import { expect, test } from 'vitest';
import { outOfRelease, relocation } from '../../../src/master/planning/relocate.js';
import { makeProject } from '../../helpers/project.js';

const path = '/store/abcd1234/shop';

test.for([
  ['/srv/shop', path],
  ['/srv/shop/app.js', `${path}/app.js`],
  ['/srv/shop/../shop2/app.js', `${path}/../shop2/app.js`], // Whoever asks has resolved it.
  ['/srv/shopping/app.js', '/srv/shopping/app.js'],
  ['/srv', '/srv'],
  ['/etc/shop.env', '/etc/shop.env'],
] as const)('%s → %s', ([from, to]) => {
  expect(relocation({ id: 'abcd1234', path, from: '/srv/shop' })(from)).toBe(to);
});

test('by the name that it is known by, and by its real one', () => {
  const project = makeProject({ 'releases/1/app.js': '' });
  project.link('current', 'releases/1');
  const relocate = relocation({ id: 'abcd1234', path, from: project.path('current') });
  expect(relocate(project.path('current/app.js'))).toBe(`${path}/app.js`);
  expect(relocate(`${realpathSync(project.folder)}/releases/1/app.js`)).toBe(`${path}/app.js`);
  expect(relocate(project.path('releases/2/app.js'))).toBe(project.path('releases/2/app.js'));
});

test('without a release nothing moves', () => {
  expect(relocation(undefined)('/srv/shop/app.js')).toBe('/srv/shop/app.js');
});

test('where the store lies in the folder, a path that is in the release already stays', () => {
  const path = '/srv/shop/.zdsup/releases/shop/abcd1234/shop';
  const relocate = relocation({ id: 'abcd1234', from: '/srv/shop', path });
  expect(relocate(relocate('/srv/shop/app.js'))).toBe(`${path}/app.js`);
  expect(relocate(path)).toBe(path);
});

test('what outlives a release lies in the folder that it stands for', () => {
  const home = outOfRelease({ id: 'abcd1234', path, from: '/srv/shop' });
  expect(home(`${path}/logs/out.log`)).toBe('/srv/shop/logs/out.log');
  expect(home('/var/log/shop.log')).toBe('/var/log/shop.log');
  expect(outOfRelease(undefined)(`${path}/a`)).toBe(`${path}/a`);
});
