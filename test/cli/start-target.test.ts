/** What `zdsup start` cannot make sense of is answered with what was meant, most likely. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { refuseUnknownCheck, resolveTarget } from '../../src/cli/commands/start-target.js';
import { temporaryFolder } from '../helpers/cleanup.js';

const hintOf = (ready: string): string | undefined => {
  try {
    refuseUnknownCheck(ready);
  } catch (error) {
    return (error as { hint: string }).hint;
  }
  return undefined;
};

test('a check that is a path without its slash, or a word misspelt, is refused with what was meant', () => {
  expect(hintOf('healthz')).toBe('did you mean --ready /healthz?');
  expect(hintOf('api/health')).toBe('did you mean --ready /api/health?');
  expect(hintOf('mesage')).toBe('did you mean --ready message?');
  expect(hintOf('?')).toBe('a path starts with a slash: --ready /healthz');
  expect(['listening', 'message', '/healthz'].map(hintOf)).toEqual([undefined, undefined, undefined]);
});

test('with nothing to start, the app that was started from this folder is named', async () => {
  const [home, folder] = [temporaryFolder(), temporaryFolder()];
  vi.stubEnv('ZDSUP_HOME', home);
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(resolveTarget(undefined, [], {}, folder)).rejects.toMatchObject({ hint: 'zdsup start app.js' });
  const at = '2026-01-01T12:00:00.000Z';
  const record = {
    ...{ name: 'shop', startedAt: at, masterPid: 1, version: '0.1.0', daemon: true, logFile: null, logFormat: null },
    request: { overrides: { script: join(folder, 'bin/www') }, baseDir: folder },
    ended: { at, how: 'stopped', reason: null },
  };
  mkdirSync(join(home, 'apps'));
  writeFileSync(join(home, 'apps', 'shop.json'), JSON.stringify(record));
  await expect(resolveTarget(undefined, [], {}, folder)).rejects.toMatchObject({
    hint: 'zdsup start shop brings back the one of this folder',
  });
});
