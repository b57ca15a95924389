/** Figures are on while somebody holds them, and what keeps them is loaded no earlier. */
import { expect, test } from 'vitest';
import type { FiguresKeeper } from '../../src/master/figures/keeper.js';
import { FiguresSwitch } from '../../src/master/figures-switch.js';

function world(): { figures: FiguresSwitch; log: string[]; load: { fails: boolean } } {
  const log: string[] = [];
  const load = { fails: false };
  const figures = new FiguresSwitch(async () => {
    log.push('load');
    await Promise.resolve();
    if (load.fails) throw new Error('gone');
    return { begin: () => log.push('begin'), end: () => log.push('end') } as unknown as FiguresKeeper;
  });
  return { figures, log, load };
}

test('the first who holds them turns them on, the last who lets go turns them off', async () => {
  const { figures, log } = world();
  expect(figures.keeper).toBeNull();
  const [one, other] = await Promise.all([figures.hold(), figures.hold()]);
  expect(log).toEqual(['load', 'begin']);
  one();
  one();
  expect(figures.keeper).not.toBeNull();
  other();
  expect(figures.keeper).toBeNull();
  await figures.hold();
  expect(log).toEqual(['load', 'begin', 'end', 'load', 'begin']);
});

test('a load that fails is told, and the next one tries anew', async () => {
  const { figures, load } = world();
  load.fails = true;
  await expect(figures.hold()).rejects.toThrow('gone');
  expect(figures.keeper).toBeNull();
  load.fails = false;
  const letGo = await figures.hold();
  expect(figures.keeper).not.toBeNull();
  letGo();
  expect(figures.keeper).toBeNull();
});
