import { describe, expect, test } from 'vitest';
import type { AppRecord } from '../../src/shared/app-record.js';
import { parseAppRecord } from '../../src/shared/app-record.js';

const RECORD: AppRecord = {
  name: 'api',
  request: { overrides: { script: '/srv/api/app.js' }, baseDir: '/srv/api' },
  startedAt: '2026-01-01T12:00:00.000Z',
  masterPid: 4242,
  version: '0.1.0',
  daemon: true,
  logFile: '/home/me/.local/state/zdsup/logs/api.log',
  logFormat: null,
  ended: null,
};
const ENDED: AppRecord = { ...RECORD, ended: { at: RECORD.startedAt, how: 'crashed', reason: 'it threw' } };

const faultOf = (changes: Record<string, unknown>): unknown =>
  (parseAppRecord(JSON.stringify({ ...RECORD, ...changes }), 'api') as { fault?: string }).fault;

describe('a record', () => {
  test.for([
    RECORD,
    ENDED,
    { ...RECORD, request: { ...RECORD.request, configPath: '/a/zdsup.config.js', only: 'api' } },
  ])('is read as it was written (%#)', (record) => {
    expect(parseAppRecord(JSON.stringify(record), 'api')).toEqual({ record });
  });

  test('of a newer zdsup may hold more', () => {
    expect(parseAppRecord(JSON.stringify({ ...RECORD, colour: 'red' }), 'api')).toHaveProperty('record.name', 'api');
  });
});

describe('a broken record says in a few words what is wrong', () => {
  test.for([
    ['', 'it is empty'],
    ['{"name": "api"', 'it is not JSON'],
    ['null', 'it is no object'],
    ['[]', 'it is no object'],
    ['{}', 'its name is missing'],
  ])('%j: %s', ([text, fault]) => {
    expect(parseAppRecord(text!, 'api')).toEqual({ fault });
  });

  test.for([
    [{ name: 'other' }, 'it is that of other'],
    [{ name: '../../etc/passwd' }, 'its name is "../../etc/passwd"'],
    [{ request: null }, 'its request is null'],
    [{ request: { baseDir: '/x' } }, 'its request.overrides is missing'],
    [{ request: { overrides: {}, baseDir: '/x', configPath: 7 } }, 'its request.configPath is 7'],
    [{ startedAt: 'yesterday' }, 'its startedAt is "yesterday"'],
    [{ masterPid: -1 }, 'its masterPid is -1'],
    [{ daemon: 'yes' }, 'its daemon is "yes"'],
    [{ logFile: '' }, 'its logFile is ""'],
    [{ ended: 'now' }, 'its ended is "now"'],
    [{ ended: { at: '2026-01-01', how: 'gone', reason: null } }, 'its ended.how is "gone"'],
    [{ version: ['x'.repeat(100)] }, /^its version is \["x{30,40}\.\.\.$/],
  ] as const)('%j', ([changes, fault]) => {
    if (typeof fault === 'string') expect(faultOf(changes)).toBe(fault);
    else expect(faultOf(changes)).toMatch(fault);
  });
});
