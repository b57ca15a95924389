import { describe, expect, test } from 'vitest';
import { mayListen, parseListenAddress, unixPathsOf } from '../../src/shared/listen-address.js';

const tcp = (address: string | null, port: number, addressType = 4) => ({ address, port, addressType });
const unix = (address: string) => ({ address, port: null, addressType: -1 });

describe('what the config lets an app listen on', () => {
  test.for([
    ['80', tcp(null, 80), true],
    ['80', tcp('127.0.0.1', 80), true],
    ['80', tcp(null, 81), false],
    ['80', unix('80'), false],
    ['127.0.0.1:80', tcp('127.0.0.1', 80), true],
    ['127.0.0.1:80', tcp('0.0.0.0', 80), false],
    ['127.0.0.1:80', tcp(null, 80, 6), false],
    ['[::1]:80', tcp('::1', 80, 6), true],
    ['localhost:80', tcp('::1', 80, 6), true],
    ['localhost:80', tcp('10.0.0.1', 80), false],
    ['/run/a/app.sock', unix('/run/a/app.sock'), true],
    ['/run/a/../b/app.sock', unix('/run/b/app.sock'), true],
    ['/run/a/app.sock', unix('/run/a/../../etc/app.sock'), false],
    ['/run/a/app.sock', unix('/run/a/app.sock2'), false],
    ['@app', unix('\0app'), true],
  ] as const)('%s and %j: %s', ([allowed, spec, may]) => {
    expect(mayListen([allowed], spec)).toBe(may);
  });

  test('no address in the list lets nothing through', () => {
    expect(mayListen([], tcp(null, 80))).toBe(false);
  });
});

test.for([
  '',
  '0',
  65_536,
  -1,
  1.5,
  'app.sock',
  ':80',
  '*:80',
  'example.org:80',
  '::1:80',
  '[127.0.0.1]:80',
  '1.2.3.4:0',
])('%j is no address', (value) => {
  expect(parseListenAddress(value)).toBeNull();
});

test('only sockets that are files have a folder to be judged', () => {
  expect(unixPathsOf(['80', '@app', '/run/a/app.sock'])).toEqual(['/run/a/app.sock']);
});
