/** Which names a request may be for, and where a page may come from. */
import { describe, expect, test } from 'vitest';
import { isAddress, isLoopback, isOwnHost, isOwnOrigin } from '../../src/shared/http-address.js';

const HOSTS = ['dash.example.com', 'web1:9000'];

describe('a request may be for', () => {
  test.for([
    'localhost',
    'localhost:9000',
    'LOCALHOST:9000',
    '127.0.0.1:9000',
    '[::1]:9000',
    '192.168.1.7',
    'dash.example.com',
    'Dash.Example.com:8443',
    'web1:9000',
  ])('%s', (host) => {
    expect(isOwnHost(host, HOSTS)).toBe(true);
  });
});

describe('a request may not be for', () => {
  test.for([
    '',
    'evil.example',
    'evil.example:9000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io:9000',
    'evil-dash.example.com',
    'dash.example.com.evil.example',
    'web1',
    'web1:9001',
    'localhost:9000@evil.example',
    'evil.example/localhost',
    'localhost:port',
    'localhost:',
    '::1',
    '[evil.example]',
    '[::1',
    '256.1.1.1',
    'localhost, evil.example',
    'local\thost',
  ])('%j', (host) => {
    expect(isOwnHost(host, HOSTS)).toBe(false);
  });
});

describe('a page may come from', () => {
  test.for([
    ['http://127.0.0.1:9000', '127.0.0.1:9000'],
    ['http://localhost', 'localhost'],
    ['http://localhost', 'localhost:80'],
    ['https://localhost', 'localhost:443'],
    ['https://dash.example.com', '127.0.0.1:9000'],
    ['http://[::1]:9000', '[::1]:9000'],
  ] as const)('%s, asking for %s', ([origin, host]) => {
    expect(isOwnOrigin(origin, host, HOSTS)).toBe(true);
  });
});

describe('a page may not come from', () => {
  test.for([
    ['null', 'localhost:9000'],
    ['', 'localhost:9000'],
    ['https://evil.example', 'localhost:9000'],
    ['http://localhost:3000', 'localhost:9000'],
    ['http://127.0.0.1:9000', 'localhost:9000'],
    ['http://localhost', 'localhost:443'],
    ['file://', 'localhost:9000'],
    ['chrome-extension://localhost:9000', 'localhost:9000'],
    ['http://localhost:9000/path', 'localhost:9000'],
    ['http://localhost:9000@evil.example', 'localhost:9000'],
    ['http://localhost:9000#@evil.example', 'localhost:9000'],
    ['http://localhost:9000 ', 'localhost:9000'],
    ['https://dash.example.com:8443', '127.0.0.1:9000'],
  ] as const)('%j, asking for %s', ([origin, host]) => {
    expect(isOwnOrigin(origin, host, HOSTS)).toBe(false);
  });
});

test('loopback is 127.0.0.0/8, ::1 and localhost', () => {
  expect(['127.0.0.1', '127.8.9.10', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.evil', '::ffff:7f00:1'].some(isLoopback)).toBe(false);
  expect(['::ffff:127.0.0.1', '10.0.0.1', 'fe80::1'].every(isAddress)).toBe(true);
  expect(['1', 'a', '10.0.0', '10.0.0.256', 'abc'].some(isAddress)).toBe(false);
});
