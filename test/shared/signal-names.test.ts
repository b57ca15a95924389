import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { ZdsupError } from '../../src/shared/errors.js';
import { signalNamed } from '../../src/shared/signal-names.js';

const named = (word: string): string => signalNamed(word, constants.signals);

function refusal(word: string): ZdsupError {
  try {
    named(word);
  } catch (error) {
    return error as ZdsupError;
  }
  throw new Error(`${word} was taken`);
}

test.for(['SIGUSR2', 'sigusr2', 'USR2', 'usr2', String(constants.signals.SIGUSR2)])('%s is SIGUSR2', (word) => {
  expect(named(word)).toBe('SIGUSR2');
});

describe('what is no signal', () => {
  test.for([
    ['USR3', 'did you mean USR1?'],
    ['SIGTERN', 'did you mean TERM?'],
    ['hpu', 'did you mean HUP?'],
    ['reopen-the-logs', 'kill -l lists them'],
    ['0', 'kill -l lists them'],
    ['99', 'kill -l lists them'],
    ['', 'kill -l lists them'],
    ['toString', 'kill -l lists them'],
  ])('%j is refused with 2, and the nearest one', ([word, hint]) => {
    expect(refusal(word!).toReport()).toEqual({
      code: 'ZDSUP_SIGNAL_UNKNOWN',
      message: expect.stringContaining('there is no signal'),
      hint: expect.stringContaining(hint!),
      exitStatus: 2,
    });
  });
});

test.for(['STOP', 'TSTP', 'TTIN', 'TTOU'])('%s is refused: nothing would tell that the workers stand still', (word) => {
  expect(refusal(word)).toMatchObject({ code: 'ZDSUP_SIGNAL_REFUSED', exitStatus: 2 });
});
