import { basename } from 'node:path';
import { expect, test } from 'vitest';
import {
  archivePath,
  archivesAmong,
  compressedPath,
  indexPath,
  isOfLog,
  unfinishedPath,
} from '../../src/shared/log-names.js';

const AT = Date.UTC(2026, 10, 26, 9, 15, 0, 123);
const ASIDE = '/var/log/api.log.2026-11-26T09-15-00-123Z';

test('a file is put aside under the instant at which it was, and keeps that name', () => {
  expect(archivePath('/var/log/api.log', AT)).toBe(ASIDE);
  expect(compressedPath(ASIDE)).toBe(`${ASIDE}.gz`);
});

test('its index has the same name before and after it is compressed, and is hidden as what is unfinished is', () => {
  const hidden = '/var/log/.api.log.2026-11-26T09-15-00-123Z';
  expect([indexPath(ASIDE), indexPath(`${ASIDE}.gz`)]).toEqual([`${hidden}.idx`, `${hidden}.idx`]);
  expect(unfinishedPath(ASIDE)).toBe(`${hidden}.gz.tmp`);
});

test('what was put aside is told from whatever else lies there, the oldest first', () => {
  const names = [
    'api.log',
    '.api.log.idx',
    'api.log.1',
    'api.log.old.gz',
    'api.log.2026-11-26T09-15-00-124Z',
    'api.log.2026-11-26T09-15-00-123Z.gz',
    'api.log.2026-11-26T09-15-00-124Z.gz',
    'other.log.2026-11-26T09-15-00-123Z',
  ];
  expect(archivesAmong('/var/log/api.log', names)).toEqual([
    { id: 'api.log.2026-11-26T09-15-00-123Z', path: `${ASIDE}.gz`, compressed: true },
    {
      id: 'api.log.2026-11-26T09-15-00-124Z',
      path: '/var/log/api.log.2026-11-26T09-15-00-124Z', // Its compressed form may be half done.
      compressed: false,
    },
  ]);
});

test('what belongs to a log is told by its name', () => {
  const own = [
    '/var/log/api.log',
    ASIDE,
    compressedPath(ASIDE),
    unfinishedPath(ASIDE),
    indexPath(ASIDE),
    indexPath('/var/log/api.log'),
  ];
  for (const path of own) expect(isOfLog('/var/log/api.log', basename(path)), path).toBe(true);
  for (const name of ['api.log.js', 'api.log.1', '.api.log', 'log', 'my-api.log', 'api.log.2026-11-26'])
    expect(isOfLog('/var/log/api.log', name), name).toBe(false);
});
