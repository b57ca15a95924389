import { expect, test } from 'vitest';
import { inheritedDescriptors, watchdogMs, withoutManager } from '../../src/shared/service-manager.js';

test('descriptors count from 3, with their names, for the process that they were handed to alone', () => {
  const env = { LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:zdsup-notify' };
  expect(inheritedDescriptors(env, 7)).toEqual([
    { fd: 3, name: 'web' },
    { fd: 4, name: 'zdsup-notify' },
    { fd: 5, name: '' },
  ]);
  expect(inheritedDescriptors(env, 8)).toEqual([]);
  for (const LISTEN_FDS of [undefined, '', '0', '-1', 'x', '1.5', '99999999999'])
    expect(inheritedDescriptors({ ...env, LISTEN_FDS }, 7)).toEqual([]);
});

test('the watchdog is heard where it means this process', () => {
  expect(watchdogMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7)).toBe(30_000);
  expect(watchdogMs({ WATCHDOG_USEC: '30000000' }, 7)).toBe(30_000);
  for (const env of [{}, { WATCHDOG_USEC: '0' }, { WATCHDOG_USEC: 'x' }, { WATCHDOG_USEC: '1', WATCHDOG_PID: '8' }])
    expect(watchdogMs(env, 7)).toBeNull();
});

test('children get nothing that is meant for the master', () => {
  expect(withoutManager({ PATH: '/bin', NOTIFY_SOCKET: '/x', LISTEN_FDS: '1', WATCHDOG_USEC: '1' })).toEqual({
    PATH: '/bin',
  });
});
