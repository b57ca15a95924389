/** What is made of a journal's text, whatever has befallen the file. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { lastRolloutId, parseEntry, parseJournal } from '../../src/shared/journal-entry.js';

const AT = '2026-11-26T02:15:19.000Z';
const started = (masterPid: number): string =>
  JSON.stringify({ at: AT, type: 'master-started', masterPid, version: '1.0.0', daemon: true });
const step = (rolloutId: number): string =>
  JSON.stringify({ at: AT, type: 'rollout-step', rolloutId, step: 'held', message: 'held at "5 %"' });

test('lines are read in their order, and the highest id of a rollout is known', () => {
  const found = parseJournal(`${started(7)}\n${step(1)}\n${step(2)}\n`);
  expect(found.entries.map(({ type }) => type)).toEqual(['master-started', 'rollout-step', 'rollout-step']);
  expect([found.faults, lastRolloutId(found)]).toEqual([0, 2]);
  expect(lastRolloutId(parseJournal(''))).toBe(0);
});

test('a last line that was torn is no fault, where it was torn and after the next master has gone on behind it', () => {
  const torn = step(2).slice(0, 30);
  expect(parseJournal(`${step(1)}\n${torn}`)).toMatchObject({ entries: [{ rolloutId: 1 }], faults: 0 });
  const later = parseJournal(`${step(1)}\n${torn}\n${started(8)}\n${step(2)}\n`);
  expect([later.entries.length, later.faults]).toEqual([3, 0]);
});

test('a last line that lacks its newline alone is read', () => {
  expect(parseJournal(`${step(1)}\n${step(2)}`).entries).toHaveLength(2);
});

test('a corrupt line in the middle is counted, and all others are read', () => {
  const found = parseJournal(
    `${step(1)}\n\u0000\u0000\n${step(2)}\n{"at":"never","type":"gap","count":1}\n${step(3)}\n`,
  );
  expect(found.entries.map((entry) => 'rolloutId' in entry && entry.rolloutId)).toEqual([1, 2, 3]);
  expect(found.faults).toBe(2);
});

test.for([
  ['no JSON', '{'],
  ['no object', 'null'],
  ['no instant', '{"type":"gap","count":1}'],
  ['an unknown type', `{"at":"${AT}","type":"constructor"}`],
  ['an id that is none', `{"at":"${AT}","type":"rollout-step","rolloutId":"1","step":"held","message":""}`],
  [
    'an id past all counting',
    `{"at":"${AT}","type":"rollout-step","rolloutId":9007199254740991,"step":"held","message":""}`,
  ],
  ['a message that is none', `{"at":"${AT}","type":"event","kind":"scaled","message":7}`],
])('a line with %s is no entry', ([, line]) => {
  expect(parseEntry(line!)).toBeNull();
});

test('any prefix of a journal is read up to where it was cut', () => {
  const whole = `${started(7)}\n${step(1)}\n${step(2)}\n`;
  fc.assert(
    fc.property(fc.nat({ max: whole.length }), (length) => {
      const text = whole.slice(0, length);
      const found = parseJournal(text);
      const complete = text.split('\n').length - 1;
      return found.faults === 0 && (found.entries.length === complete || found.entries.length === complete + 1);
    }),
  );
});

test('no text at all makes it throw', () => {
  fc.assert(fc.property(fc.string(), (text) => parseJournal(text).entries.length === 0));
});
