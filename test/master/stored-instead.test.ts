/** The hint of a rollback to a folder that was edited: what it names can be typed as it stands. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storedInstead } from '../../src/master/stored-instead.js';
import { noteGood } from '../../src/releases/current.js';
import { manifestPath } from '../../src/releases/layout.js';
import { releasesDir } from '../../src/shared/paths.js';

let state: string;
let store: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'zdsup-'));
  store = releasesDir(state, 'shop');
});
afterEach(() => rmSync(state, { recursive: true }));

function keep(id: string): { id: string } {
  mkdirSync(dirname(manifestPath(store, id)), { recursive: true });
  writeFileSync(manifestPath(store, id), '');
  return { id };
}

test('without a store there is nothing to name', () => expect(storedInstead(store, 'shop')).toBe(''));

test('the release that was good before the folder is named by its id', () => {
  noteGood(state, 'shop', keep('d990d07e'));
  noteGood(state, 'shop', null);
  expect(storedInstead(store, 'shop')).toContain('zdsup rollback shop --to d990d07e goes to the release');
});

test('where it is what serves again, or none was good, the list is named', () => {
  keep('15015fa8');
  expect(storedInstead(store, 'shop')).toContain('--to <release>');
  noteGood(state, 'shop', keep('d990d07e'));
  noteGood(state, 'shop', null);
  noteGood(state, 'shop', { id: 'd990d07e' });
  expect(storedInstead(store, 'shop')).toContain('--to <release>');
});
