/** A reload goes on with what the app was started with: which words of a command line it therefore passes over. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startedOtherwise } from '../../src/cli/commands/started-otherwise.js';
import type { StartRequest } from '../../src/shared/app-record.js';

const folder = mkdtempSync(join(tmpdir(), 'zdsup-'));
afterAll(() => rmSync(folder, { recursive: true }));

const own: StartRequest = {
  baseDir: '/srv',
  overrides: { script: '/srv/app.js', instances: 4, args: ['--port', '80'] },
};

test.for<[string, Partial<StartRequest>, string[]]>([
  ['the same line says nothing', own, []],
  ['a flag that is not given says nothing', { overrides: { script: '/srv/app.js' } }, []],
  ['the name is how it was found', { overrides: { script: '/srv/app.js', name: 'shop' } }, []],
  ['another script', { overrides: { script: '/srv/2/app.js' } }, ['/srv/2/app.js']],
  [
    'a config file in place of a script',
    { configPath: '/srv/zdsup.config.js', overrides: {} },
    ['/srv/zdsup.config.js'],
  ],
  ['another number', { overrides: { script: '/srv/app.js', instances: 8 } }, ['instances']],
  ['other arguments', { overrides: { script: '/srv/app.js', args: ['--port', '81'] } }, ['args']],
])('%s', ([, asked, words]) => {
  expect(startedOtherwise(own, { baseDir: '/srv', overrides: {}, ...asked })).toEqual(words);
});

test('the same file through a link is the same', () => {
  const script = join(folder, 'app.js');
  writeFileSync(script, '');
  symlinkSync(folder, join(folder, 'current'));
  const request = (path: string): StartRequest => ({ baseDir: folder, overrides: { script: path } });
  expect(startedOtherwise(request(script), request(join(folder, 'current/app.js')))).toEqual([]);
});
