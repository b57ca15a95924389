import { expect, test } from 'vitest';
import { LastWords } from '../../src/master/last-words.js';

test('the latest workers’ last words are kept, and those of a crash loop do not pile up', () => {
  const words = new LastWords();
  for (let worker = 1; worker <= 1_000; worker++) words.note(worker, [`word of ${worker}`]);
  const kept = Array.from({ length: 1_001 }, (_, worker) => worker).filter((worker) => words.of(worker) !== undefined);
  expect(kept.length).toBeLessThanOrEqual(50);
  expect(kept).toContain(991);
  expect(words.of(1_000)).toEqual(['word of 1000']);
  words.clear();
  expect(words.of(1_000)).toBeUndefined();
});
