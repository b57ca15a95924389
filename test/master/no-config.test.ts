/** What a rollback is told where the release is from before the app had its config file. */
import { expect, test } from 'vitest';
import { noConfig } from '../../src/master/no-config.js';

const release = { id: '9ab4f6d3', path: '/releases/9ab4f6d3/shop' };

test('a release without the config that the app is run by is named, and no path is to be checked', () => {
  expect(noConfig('/releases/9ab4f6d3/shop/zdsup.config.js', release)).toMatchObject({
    code: 'ZDSUP_CONFIG_MISSING',
    message: 'release 9ab4f6d3 has no zdsup.config.js, by which the app is run',
    hint: 'it was deployed when the app was started otherwise; zdsup releases lists the others',
  });
});

test.for([undefined, release])('of a config elsewhere it is the path', (from) => {
  expect(noConfig('/srv/shop/zdsup.config.js', from)).toMatchObject({
    message: 'no such config file: /srv/shop/zdsup.config.js',
    hint: 'check the path',
  });
});

test('of a folder that is about to be deployed it is the path as well', () => {
  expect(noConfig('/srv/new/zdsup.config.js', { id: 'new', path: '/srv/new' }).message).toBe(
    'no such config file: /srv/new/zdsup.config.js',
  );
});
