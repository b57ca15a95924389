import { expect, test } from 'vitest';
import { asOwner } from '../../src/client/as-owner.js';

const typed = (...words: string[]): string[] => ['node', 'zdsup', ...words];

test('what the owner is to type is the command as it was typed, by the name that the app has there', () => {
  expect(asOwner('alice', 'alice/shop', typed('delete', 'alice/shop', '--json'))).toBe(
    'runuser -u alice -- zdsup delete shop --json',
  );
  expect(asOwner('alice', 'shop', typed('logs', 'shop', '--grep', "it's bad"))).toBe(
    "runuser -u alice -- zdsup logs shop --grep 'it'\\''s bad'",
  );
});

test('of what makes no sense at rest it is the look at how it ended', () => {
  expect(asOwner('alice', 'alice/shop', typed('reload', 'alice/shop'))).toBe('runuser -u alice -- zdsup status shop');
});
