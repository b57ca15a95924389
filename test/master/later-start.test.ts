/** What a stop during a hold says of a later start. */
import { expect, test } from 'vitest';
import type { Rollout } from '../../src/domain/types.js';
import { laterStart } from '../../src/master/later-start.js';

const HELD = { from: 1, to: 2, weight: 20 } as Rollout;
const run = (id: string, path: string) => ({ release: { id, path }, deployed: null });
const stored = (id: string) => ({ release: { id, path: `/store/${id}` }, deployed: { id, path: '', from: '' } });

test('it names the release that a later start runs, and the one that it does not', () => {
  expect(laterStart(HELD, run('bbbb', '/srv/2'), run('aaaa', '/srv/1'))).toBe(
    'generation 2 was at 20 %: a later start runs its release bbbb (/srv/2), not aaaa (/srv/1) of generation 1',
  );
});

test('of one release with another config it names the config', () => {
  expect(laterStart(HELD, run('aaaa', '/srv/1'), run('aaaa', '/srv/1'))).toBe(
    'generation 2 was at 20 %: a later start runs release aaaa (/srv/1) with its config, not with that of generation 1',
  );
});

test('of a release of the store it says that it is not what a later start runs', () => {
  expect(laterStart(HELD, stored('bbbb'), stored('aaaa'))).toBe(
    'generation 2 was at 20 %: a later start by name runs release aaaa (/store/aaaa), which was good last, not bbbb (/store/bbbb), which was only being tried',
  );
});
