import { describe, expect, test } from 'vitest';
import { tallyOf, workerTone, workerWords } from '../../src/dashboard/pure/worker-words.js';
import type { WorkerSnapshot } from '../../src/shared/snapshot.js';
import { fakeApp } from '../browser/fake-app.js';

const at = Date.parse('2026-11-26T12:00:00Z');
const worker = (what: Partial<WorkerSnapshot> = {}): WorkerSnapshot => ({
  ...fakeApp({ at, generations: [{ generation: 1, release: 'r', workers: 1, share: 1 }] }).workers[0]!,
  ...what,
});

describe('a worker', () => {
  test.for([
    [{}, 'active', 'good'],
    [{ unresponsive: true }, 'blocked', 'bad'],
    [{ state: 'waiting', respawnAt: '2026-11-26T12:00:08.100Z' }, 'again in 9 s', 'bad'],
    [{ state: 'waiting', respawnAt: '2026-11-26T11:59:00Z' }, 'again in 0 s', 'bad'],
    [{ state: 'draining', drain: { webSockets: 1, leftMs: 4_200 } }, 'draining, 5 s', 'warn'],
    [{ recycling: true }, 'recycling', 'good'],
    [{ state: 'parked' }, 'parked', 'plain'],
    [{ state: 'starting' }, 'starting', 'warn'],
  ] as const)('with %j reads %s', ([what, words, tone]) => {
    const one = worker(what as Partial<WorkerSnapshot>);
    expect([workerWords(one, at), workerTone(one)]).toEqual([words, tone]);
  });

  test('among others is counted by how it is, the many first', () => {
    const many = [worker({ state: 'waiting' }), worker(), worker({ unresponsive: true }), worker()];
    expect(tallyOf(many)).toBe('2 active, 1 waiting, 1 blocked');
  });
});
