/** Every call of the API has its options judged: none passes one over that it does not have. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ControlledApp } from '../../src/api/controlled-app.js';
import { refuseOptions } from '../../src/api/options.js';
import type { ZdsupError } from '../../src/index.js';

const refusal = (act: () => unknown): ZdsupError | null => {
  try {
    act();
    return null;
  } catch (error) {
    return error as ZdsupError;
  }
};

/** Nobody is there: whatever is asked of it would be refused with ZDSUP_APP_NOT_RUNNING. */
const app = new ControlledApp('shop', '/nowhere/shop.sock');
const CALLS: Record<string, (options: object) => Promise<unknown>> = {
  status: (options) => app.status(options),
  describe: (options) => app.describe(options),
  watch: (options) => app.watch(options).next(),
  reload: (options) => app.reload(options),
  restart: (options) => app.restart(options),
  canary: (options) => app.canary(5, options),
  promote: (options) => app.promote(options),
  pause: (options) => app.pause(options),
  abort: (options) => app.abort(options),
  rollback: (options) => app.rollback(options),
  scale: (options) => app.scale(2, options),
  recycle: (options) => app.recycle(0, options),
  stop: (options) => app.stop(options),
};

test('every method of an app is here', () => {
  const source = readFileSync(new URL('../../src/api/types.ts', import.meta.url), 'utf8');
  const [, body] = /export interface App \{([\s\S]*?)\n\}/.exec(source)!;
  expect(Object.keys(CALLS).sort()).toEqual([...body!.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name).sort());
});

describe.each(Object.entries(CALLS))('%s', (name, call) => {
  test('refuses an option that it does not have, and asks nobody', async () => {
    await expect(call({ sginal: AbortSignal.timeout(1) })).rejects.toMatchObject({
      ...{ name: 'ZdsupError', code: 'ZDSUP_USAGE', exitStatus: 2 },
      ...{ message: `${name}: unknown option sginal`, hint: 'did you mean signal?' },
    });
  });

  test('refuses a signal that is none', async () => {
    await expect(call({ signal: 5 })).rejects.toMatchObject({ code: 'ZDSUP_USAGE', message: `${name}: signal is 5` });
  });

  test('refuses options that are no object', async () => {
    for (const options of ['now', 5, [], new Map()])
      await expect(call(options as object)).rejects.toMatchObject({ code: 'ZDSUP_USAGE' });
  });

  test('goes on to ask where all of them are as they should be', async () => {
    const options = { signal: AbortSignal.timeout(60_000) };
    await expect(call(options)).rejects.toMatchObject({ code: 'ZDSUP_APP_NOT_RUNNING' });
  });
});

test('what is undefined is left out', () => {
  expect(refusal(() => refuseOptions('reload', { weight: undefined, signal: undefined, canary: false }))).toBeNull();
});

test('where no option is near, all of them are named', () => {
  expect(refusal(() => refuseOptions('rollback', { release: 'abc' }))?.hint).toBe(
    'known options: signal, onProgress, to',
  );
});

test('the name of an option that every object has is none', () => {
  expect(refusal(() => refuseOptions('stop', { constructor: 1 }))?.message).toBe('stop: unknown option constructor');
});

test('the environment that was given is in no message', () => {
  const refused = refusal(() => refuseOptions('start', { env: { TOKEN: 'hunter2', PORT: 3000 } }));
  expect(refused?.message).toBe('start: env is an object');
});

test.each([
  ['a weight as a string', () => app.canary('50' as never)],
  ['a number of workers in a list', () => app.scale(['4'] as never)],
  ['a slot as a string', () => app.recycle('0' as never)],
])('%s is refused', async (_, call) => {
  await expect(call()).rejects.toMatchObject({ code: 'ZDSUP_USAGE' });
});
