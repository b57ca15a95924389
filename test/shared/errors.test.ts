import { describe, expect, test } from 'vitest';
import { toReport, ZdsupError } from '../../src/shared/errors.js';

const REPORT = { code: 'ZDSUP_USAGE', message: 'no such app', hint: 'zdsup status', exitStatus: 2 } as const;

describe('an error that a user can act on', () => {
  test('comes back from its report unchanged: it travels as plain data', () => {
    expect(toReport(new ZdsupError(JSON.parse(JSON.stringify(REPORT))))).toEqual(REPORT);
  });

  test('has no hint in its report where it has none', () => {
    const { hint: _, ...bare } = REPORT;
    expect(Object.keys(new ZdsupError(bare).toReport()).sort()).toEqual(['code', 'exitStatus', 'message']);
  });

  test('is an Error with a name of its own and the message alone', () => {
    const error = new ZdsupError(REPORT);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('ZdsupError: no such app');
  });
});

describe('anything else that is thrown', () => {
  test.for([
    { thrown: new TypeError('x is not a function'), message: 'unexpected: x is not a function' },
    { thrown: 'a string', message: 'unexpected: a string' },
    { thrown: undefined, message: 'unexpected: undefined' },
  ])('says that it is a defect of zdsup: $message', ({ thrown, message }) => {
    expect(toReport(thrown)).toEqual({
      code: 'ZDSUP_INTERNAL',
      message,
      hint: expect.stringContaining('ZDSUP_DEBUG=1'),
      exitStatus: 1,
    });
  });
});
