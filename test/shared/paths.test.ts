import { describe, expect, test } from 'vitest';
import type { ZdsupError } from '../../src/shared/errors.js';
import {
  controlSocketPath,
  MAX_SOCKET_PATH_BYTES,
  runDirForStart,
  runDirsToSearch,
  stateDir,
  stateDirsToSearch,
} from '../../src/shared/paths.js';

const HOME = '/home/ada';

describe('the state folder', () => {
  test.for([
    { env: { ZDSUP_HOME: '/srv/z', XDG_STATE_HOME: '/xdg' }, dir: '/srv/z' },
    { env: { XDG_STATE_HOME: '/xdg' }, dir: '/xdg/zdsup' },
    { env: {}, dir: '/home/ada/.local/state/zdsup' },
    { env: { XDG_STATE_HOME: 'xdg' }, dir: '/home/ada/.local/state/zdsup' },
    { env: { ZDSUP_HOME: '', XDG_STATE_HOME: '' }, dir: '/home/ada/.local/state/zdsup' },
  ])('with $env is $dir', ({ env, dir }) => {
    expect(stateDir(env, HOME)).toBe(dir);
    expect(runDirForStart(env, HOME)).toBe(`${dir}/run`);
  });
});

describe('in a system unit', () => {
  const UNIT = { RUNTIME_DIRECTORY: '/run/own:/run/zdsup/shop', STATE_DIRECTORY: '/var/lib/zdsup/shop' };

  test('the folders are those that systemd has made for it', () => {
    expect(stateDir({ ...UNIT, XDG_STATE_HOME: '/xdg' }, HOME)).toBe('/var/lib/zdsup/shop');
    expect(runDirForStart(UNIT, HOME)).toBe('/run/zdsup/shop');
  });

  test('ZDSUP_HOME wins, and folders of a unit that is not of zdsup say nothing', () => {
    expect(stateDir({ ...UNIT, ZDSUP_HOME: '/srv/z' }, HOME)).toBe('/srv/z');
    expect(runDirForStart({ ...UNIT, ZDSUP_HOME: '/srv/z' }, HOME)).toBe('/srv/z/run');
    const other = { RUNTIME_DIRECTORY: '/run/cron', STATE_DIRECTORY: '/var/lib/zdsup' };
    expect(stateDir(other, HOME)).toBe('/home/ada/.local/state/zdsup');
    expect(runDirForStart(other, HOME)).toBe('/home/ada/.local/state/zdsup/run');
  });
});

describe('the folders where control sockets are looked for', () => {
  test('are those of the system units, the own one, and the default one', () => {
    expect(runDirsToSearch({ XDG_STATE_HOME: '/xdg' }, HOME, ['api', 'web'])).toEqual([
      '/run/zdsup/api',
      '/run/zdsup/web',
      '/xdg/zdsup/run',
      '/home/ada/.local/state/zdsup/run',
    ]);
  });

  test('name no folder twice', () => {
    expect(runDirsToSearch({}, HOME, [])).toEqual(['/home/ada/.local/state/zdsup/run']);
  });

  test('are a world of their own with ZDSUP_HOME', () => {
    expect(runDirsToSearch({ ZDSUP_HOME: '/srv/z' }, HOME, ['api'])).toEqual(['/srv/z/run']);
  });

  test('have the one that a new master uses among them', () => {
    for (const env of [{}, { XDG_STATE_HOME: '/xdg' }, { ZDSUP_HOME: '/srv/z' }])
      expect(runDirsToSearch(env, HOME, ['api'])).toContain(runDirForStart(env, HOME));
  });
});

describe('where to look for what is remembered', () => {
  test.for([
    [{ ZDSUP_HOME: '/srv/z', XDG_STATE_HOME: '/xdg' }, ['/srv/z']],
    [{ XDG_STATE_HOME: '/xdg' }, ['/var/lib/zdsup/api', '/xdg/zdsup', `${HOME}/.local/state/zdsup`]],
    [{}, ['/var/lib/zdsup/api', `${HOME}/.local/state/zdsup`]],
  ] as [Record<string, string>, string[]][])('%j: %j', ([env, folders]) => {
    expect(stateDirsToSearch(env, HOME, ['api'])).toEqual(folders);
    expect(folders, 'the one that a new master uses is among them').toContain(stateDir(env, HOME));
  });
});

describe("a control socket's path", () => {
  const pathOf = (bytes: number): string => `/${'r'.repeat(bytes - '//api.sock'.length)}`;

  test('may be as long as the kernel takes', () => {
    expect(controlSocketPath(pathOf(MAX_SOCKET_PATH_BYTES), 'api')).toHaveLength(107);
  });

  test('is refused one byte longer, with both lengths and what to do', () => {
    const attempt = (): string => controlSocketPath(pathOf(MAX_SOCKET_PATH_BYTES + 1), 'api');
    expect(attempt).toThrow(
      expect.objectContaining<Partial<ZdsupError>>({
        code: 'ZDSUP_SOCKET_PATH_LONG',
        message: expect.stringContaining('108 bytes long, at most 107'),
        hint: expect.stringContaining('ZDSUP_HOME'),
        exitStatus: 2,
      }),
    );
  });

  test('is measured in bytes, not in characters', () => {
    expect(() => controlSocketPath(`/${'ä'.repeat(60)}`, 'api')).toThrow(/bytes long/);
  });
});
