import { expect, test } from 'vitest';
import { nearestWord } from '../../src/shared/nearest.js';

const KEYS = ['instances', 'surge', 'unavailable', 'script', 'drainTimeout', 'killTimeout'];

test.for([
  ['instance', 'instances'],
  ['instnaces', 'instances'],
  ['Surge', 'surge'],
  ['scritp', 'script'],
  ['draintimeout', 'drainTimeout'],
  ['unavaliable', 'unavailable'],
] as const)('%j is taken for a typing error of %j', ([word, meant]) => {
  expect(nearestWord(word, KEYS)).toBe(meant);
});

test.for(['workers', 'x', '', 'timeout'])('%j is near to nothing', (word) => {
  expect(nearestWord(word, KEYS)).toBeUndefined();
});

test('the nearest one wins, and of two as near the first', () => {
  expect(nearestWord('killTimeou', ['kilTimeout', 'killTimeout'])).toBe('killTimeout');
  expect(nearestWord('bat', ['cat', 'hat'])).toBe('cat');
});

test('three edits are too many', () => {
  expect(nearestWord('abcd', ['abxy'])).toBe('abxy');
  expect(nearestWord('abcd', ['axyz'])).toBeUndefined();
});
