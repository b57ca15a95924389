/** Which worker a connection on its way is offered to. */
import { expect, test } from 'vitest';
import type { Candidate } from '../../src/domain/receiver.js';
import { pickReceiver } from '../../src/domain/receiver.js';
import { FRESH } from '../../src/domain/routing.js';

const candidate = (id: number, more: Partial<Candidate> = {}): Candidate => ({
  ...{ id, generation: 1, slot: id, connections: 0, pending: 0, isStalled: false },
  ...more,
});
const ACCEPTED = { isGiven: false, address: '' };
const GIVEN = { isGiven: true, address: '' };

test('nobody gets it where nobody could take it', () => {
  expect(pickReceiver([], [candidate(1)], GIVEN, {}, FRESH)).toBeUndefined();
});

test('one that does not answer gets it only where nobody does who could take it', () => {
  const [stalled, busy] = [candidate(1, { isStalled: true }), candidate(2, { connections: 50, pending: 4 })];
  for (const coming of [ACCEPTED, GIVEN, { isGiven: false, address: '10.0.0.1' }]) {
    expect(pickReceiver([stalled, busy], [stalled, busy], coming, {}, FRESH)?.id).toBe(2);
    expect(pickReceiver([stalled], [stalled, busy], coming, {}, FRESH)?.id).toBe(1);
  }
});

test('what is accepted goes in turn, and past those that have more to take yet', () => {
  const idle = [candidate(1), candidate(2)];
  const first = pickReceiver(idle, idle, ACCEPTED, {}, FRESH)!;
  const second = pickReceiver(idle, idle, ACCEPTED, {}, first.smooth)!;
  expect([first.id, second.id]).toEqual([1, 2]);
  const behind = [candidate(1, { pending: 3 }), candidate(2, { pending: 1 })];
  expect(pickReceiver(behind, behind, ACCEPTED, {}, FRESH)?.id).toBe(2);
});

test('with weights the one that has fewer to take is looked for in the generation that the weights choose', () => {
  const both = [candidate(1, { pending: 3 }), candidate(2, { generation: 2 })];
  expect(pickReceiver(both, both, ACCEPTED, { 1: 80, 2: 20 }, FRESH)?.id).toBe(1);
});

test('what is given goes to the worker with the fewest of the newest generation, and by weight where there are weights', () => {
  const all = [candidate(1, { connections: 9 }), candidate(2), candidate(3, { generation: 2, connections: 5 })];
  const others = all.slice(1);
  expect(pickReceiver(others, all, GIVEN, {}, FRESH)?.id).toBe(3);
  expect(pickReceiver(others, all, GIVEN, { 1: 80, 2: 20 }, FRESH)?.id).toBe(2);
});

test('a client’s address goes before everything else', () => {
  const all = [candidate(1, { connections: 9, pending: 2 }), candidate(2)];
  const picks = Array.from({ length: 40 }, (_, index) => {
    const coming = { isGiven: index % 2 === 0, address: `10.0.0.${Math.floor(index / 2)}` };
    return pickReceiver(all, all, coming, {}, FRESH)!.id;
  });
  expect(new Set(picks)).toEqual(new Set([1, 2]));
  for (let index = 0; index < 40; index += 2) expect(picks[index]).toBe(picks[index + 1]);
});
