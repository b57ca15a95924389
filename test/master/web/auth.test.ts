/** Who may: by the token, or by the cookie that it was exchanged for, compared in constant time. */
import { chmodSync, chownSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../../helpers/cleanup.js';
import { ALICE } from '../../helpers/other-user.js';

const compared: [number, number][] = [];
vi.mock('node:crypto', async (original) => {
  const crypto = (await original()) as typeof import('node:crypto');
  return {
    ...crypto,
    timingSafeEqual(one: Uint8Array, other: Uint8Array) {
      compared.push([one.length, other.length]);
      return crypto.timingSafeEqual(one, other);
    },
  };
});
const { Auth } = await import('../../../src/master/web/auth.js');
const { tokenIn } = await import('../../../src/master/web/token.js');

const TOKEN = 'kX3Vq0m-2bN_wR7tY5uZ8aB1cD4eF6gH9iJ0kL3mN5o';
const auth = new Auth(TOKEN, 'zdsup_shop_9000');
const cookie = auth.cookie.split(';')[0]!;

beforeEach(() => {
  compared.length = 0;
});

describe('the token', () => {
  test('is admitted as it is, and nothing else is', () => {
    expect(auth.admits({ authorization: `Bearer ${TOKEN}` })).toBe('bearer');
    for (const authorization of [
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Bearer ${TOKEN.toLowerCase()}`,
      'Bearer',
      'Bearer ',
      `Basic ${TOKEN}`,
      TOKEN,
      `Bearer ${cookie.split('=')[1]}`,
      undefined,
    ])
      expect(auth.admits({ authorization }), authorization).toBeNull();
  });

  test.for([TOKEN, `${TOKEN.slice(0, -1)}x`, 'x', '', 'x'.repeat(10_000)])(
    'is compared in a time that says nothing, whatever is given: %s',
    (given) => {
      auth.isToken(given);
      expect(compared).toEqual([[32, 32]]);
    },
  );

  test('and a cookie are compared so as well', () => {
    auth.admits({ authorization: 'Bearer wrong' });
    auth.admits({ cookie: 'zdsup_shop_9000=w' });
    expect(compared).toEqual([
      [32, 32],
      [32, 32],
    ]);
  });
});

describe('the cookie', () => {
  test('is not the token, and no script of a page and no page of another site has it', () => {
    expect(auth.cookie).toMatch(/^zdsup_shop_9000=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(auth.cookie).not.toContain(TOKEN);
  });

  test('is admitted, among others', () => {
    expect(auth.admits({ cookie: `a=b; ${cookie}; c=d` })).toBe('cookie');
    expect(auth.admits({ cookie: `zdsup_shop_9000=of-another-port; ${cookie}` }), 'put before it').toBe('cookie');
    expect(auth.admits({ cookie: `${cookie}x` })).toBeNull();
    expect(auth.admits({ cookie: `zdsup_shop_9000=${TOKEN}` })).toBeNull();
  });

  test('of another port, or of another token, is not', () => {
    const other = new Auth(TOKEN, 'zdsup_shop_9001').cookie.split(';')[0]!;
    expect(auth.admits({ cookie: other })).toBeNull();
    expect(auth.admits({ cookie: other.replace('9001', '9000') })).toBeNull();
    const changed = new Auth(`${TOKEN}2`, 'zdsup_shop_9000').cookie.split(';')[0]!;
    expect(auth.admits({ cookie: changed })).toBeNull();
  });

  test('stays the same over a restart of the master', () => {
    expect(new Auth(TOKEN, 'zdsup_shop_9000').cookie).toBe(auth.cookie);
  });
});

describe('the random token', () => {
  test('is made once, and its owner alone can read it', () => {
    const path = join(temporaryFolder(), 'tokens', 'shop');
    const token = tokenIn(path);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(tokenIn(path)).toBe(token);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    expect(tokenIn(join(temporaryFolder(), 'tokens', 'shop'))).not.toBe(token);
  });

  test('is made anew where others may have read it, where a link leads elsewhere, and where it is none', () => {
    const path = join(temporaryFolder(), 'tokens', 'shop');
    const first = tokenIn(path);
    chmodSync(path, 0o640);
    const second = tokenIn(path);
    expect(second).not.toBe(first);
    expect(statSync(path).mode & 0o777).toBe(0o600);

    const elsewhere = join(temporaryFolder(), 'known');
    writeFileSync(elsewhere, `${first}\n`, { mode: 0o600 });
    rmSync(path);
    symlinkSync(elsewhere, path);
    expect(tokenIn(path)).not.toBe(first);
    expect(readFileSync(elsewhere, 'utf8')).toBe(`${first}\n`);

    writeFileSync(path, 'short\n');
    expect(tokenIn(path)).toMatch(/^[\w-]{43}$/);
  });

  test.skipIf(process.geteuid?.() !== 0)('is made anew where another user has put one there', () => {
    const path = join(temporaryFolder(), 'tokens', 'shop');
    const known = tokenIn(path);
    chownSync(path, ALICE, ALICE);
    expect(tokenIn(path)).not.toBe(known);
    expect(statSync(path).uid).toBe(0);
  });
});
