import { expect, test } from 'vitest';
import { ReleaseLooks } from '../../src/master/release-looks.js';

const PLAN = { release: { id: 'r', path: '/release' }, entry: '/release/app.js', baseline: 'as it was' };

/** Looks that take as long as the test lets them, and see the folder as it was when they began. */
function slowFolder() {
  const folder = { content: 'as it was', looks: 0 };
  const underWay: (() => void)[] = [];
  const looks = new ReleaseLooks(
    () =>
      new Promise((found) => {
        folder.looks += 1;
        const { content } = folder;
        underWay.push(() => found(content));
      }),
  );
  const end = async (): Promise<void> => {
    for (const one of underWay.splice(0)) one();
    await new Promise(setImmediate);
  };
  return { folder, looks, end };
}

test('whoever asks while a look is under way shares the next one, and sees what was changed meanwhile', async () => {
  const { folder, looks, end } = slowFolder();
  const first = looks.isModified(PLAN);
  folder.content = 'another';
  const later = Promise.all(Array.from({ length: 50 }, () => looks.isModified(PLAN)));
  expect(folder.looks).toBe(1);
  await end();
  expect(await first).toBe(false);
  expect(folder.looks).toBe(2);
  await end();
  expect(new Set(await later)).toEqual(new Set([true]));
  expect(folder.looks).toBe(2);
});

test('whoever asks while the next look is under way waits for the one after it', async () => {
  const { folder, looks, end } = slowFolder();
  const answers = [looks.isModified(PLAN), looks.isModified(PLAN)];
  await end();
  folder.content = 'another';
  answers.push(looks.isModified(PLAN));
  await end();
  await end();
  expect(await Promise.all(answers)).toEqual([false, false, true]);
  expect(folder.looks).toBe(3);
});

test('with no look under way one begins at once', async () => {
  const { folder, looks, end } = slowFolder();
  for (const content of ['as it was', 'another', 'as it was']) {
    folder.content = content;
    const answer = looks.isModified(PLAN);
    await end();
    expect(await answer).toBe(content === 'another');
  }
  expect(folder.looks).toBe(3);
});

test('the folder of another generation has a look of its own', async () => {
  const { folder, looks, end } = slowFolder();
  const both = Promise.all([looks.isModified(PLAN), looks.isModified({ ...PLAN, baseline: 'of a later one' })]);
  await end();
  expect(await both).toEqual([false, true]);
  expect(folder.looks).toBe(2);
});
