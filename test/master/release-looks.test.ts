import { expect, test } from 'vitest';
import { ReleaseLooks } from '../../src/master/release-looks.js';

const PLAN = { release: { id: 'r', path: '/release' }, entry: '/release/app.js', baseline: 'as it was' };

/** Looks that take as long as the test lets them. */
function slowFolder() {
  const folder = { now: 0, content: 'as it was', under: [] as (() => void)[], looks: 0 };
  const looks = new ReleaseLooks(
    () =>
      new Promise((found) => {
        folder.looks += 1;
        const { content } = folder;
        folder.under.push(() => found(content));
      }),
    () => folder.now,
  );
  const end = async (): Promise<void> => {
    for (const one of folder.under.splice(0)) one();
    await new Promise(setImmediate);
  };
  return { folder, looks, end };
}

test('whoever asks while a look is under way shares it', async () => {
  const { folder, looks, end } = slowFolder();
  const answers = Promise.all(Array.from({ length: 50 }, () => looks.wasModified(PLAN)));
  await end();
  expect(new Set(await answers)).toEqual(new Set([false]));
  expect(folder.looks).toBe(1);
});

test('a look stands for ten times as long as it took', async () => {
  const { folder, looks, end } = slowFolder();
  const first = looks.wasModified(PLAN);
  folder.now = 20;
  await end();
  await first;
  folder.content = 'another';
  folder.now = 199;
  expect(await looks.wasModified(PLAN), 'still the last look').toBe(false);
  folder.now = 200;
  const next = looks.wasModified(PLAN);
  await end();
  expect(await next).toBe(true);
  expect(folder.looks).toBe(2);
});

test('whoever decides by it gets a look that begins now, which stands for those who only show it', async () => {
  const { folder, looks, end } = slowFolder();
  const shown = looks.wasModified(PLAN);
  folder.content = 'another';
  const decided = looks.isModified(PLAN);
  folder.now = 5;
  await end();
  expect(await shown).toBe(false);
  expect(await decided).toBe(true);
  expect(await looks.wasModified(PLAN)).toBe(true);
  expect(folder.looks).toBe(2);
});

test('the folder of another generation has a look of its own', async () => {
  const { folder, looks, end } = slowFolder();
  const both = Promise.all([looks.wasModified(PLAN), looks.wasModified({ ...PLAN, baseline: 'of a later one' })]);
  await end();
  expect(await both).toEqual([false, true]);
  expect(folder.looks).toBe(2);
});
