/** How long a worker may take to claim what it is offered. */
import { expect, test } from 'vitest';
import { patienceFor, usualAfter } from '../../src/domain/claims.js';

test('a worker has 250 ms, and where claims take long four times as long as usual', () => {
  expect([patienceFor(0), patienceFor(10), patienceFor(200)]).toEqual([250, 250, 800]);
});

test('one slow claim makes nobody patient, a slow host does, and it wears off', () => {
  expect(patienceFor(usualAfter(1, 400))).toBe(250);
  let usualMs = 0;
  for (let claim = 0; claim < 50; claim++) usualMs = usualAfter(usualMs, 200);
  expect(patienceFor(usualMs)).toBeGreaterThan(750);
  for (let claim = 0; claim < 50; claim++) usualMs = usualAfter(usualMs, 1);
  expect(patienceFor(usualMs)).toBe(250);
});
