/** Entries reach the disk whole and in their order; a disk that takes none harms nothing; the files stay small. */
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { JournalOptions } from '../../src/master/journal.js';
import { Journal, pastAt } from '../../src/master/journal.js';
import type { NewEntry } from '../../src/shared/journal-entry.js';
import { parseJournal } from '../../src/shared/journal-entry.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { onTestFinished } from '../helpers/side-by-side.js';

const begun = (rolloutId: number): NewEntry => ({
  ...{ type: 'rollout-begun', rolloutId, kind: 'reload', source: 'command', from: null, fromRelease: null },
});
const started: NewEntry = { type: 'master-started', masterPid: 7, version: '1', daemon: false };

function makeJournal(options: Partial<JournalOptions> = {}): { journal: Journal; path: string; told: string[] } {
  const path = join(temporaryFolder(), 'journal', 'shop.jsonl');
  const told: string[] = [];
  const journal = new Journal({ path, failed: (why) => told.push(why), ...options });
  onTestFinished(() => journal.close());
  return { journal, path, told };
}

const idsIn = (text: string): number[] =>
  parseJournal(text).entries.flatMap((entry) => (entry.type === 'rollout-begun' ? [entry.rolloutId] : []));
const textOf = (path: string): string => readFileSync(path, 'utf8');
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('entries are on the disk, in their order, when it is closed; readable for their owner alone', async () => {
  const { journal, path, told } = makeJournal();
  for (const id of numbers(1, 200)) journal.append(begun(id));
  await journal.close();
  expect(idsIn(textOf(path))).toEqual(numbers(1, 200));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  expect(told).toEqual([]);
});

test('a batch is made durable before the next is written', async () => {
  const deeds: string[] = [];
  const watched = async (path: string): Promise<FileHandle> => {
    const handle = await open(path, 'a+');
    const { appendFile, datasync } = handle;
    handle.appendFile = async (...args) => {
      deeds.push('write');
      return appendFile.apply(handle, args);
    };
    handle.datasync = async () => {
      deeds.push('sync');
      return datasync.apply(handle);
    };
    return handle;
  };
  const { journal } = makeJournal({ openFile: watched });
  journal.append(begun(1));
  await journal.written();
  journal.append(begun(2));
  await journal.written();
  expect(deeds).toEqual(['write', 'sync', 'write', 'sync']);
});

test.for(numbers(0, 12))('what comes %i turns of the queue after a batch is durable is written too', async (turns) => {
  let later = (): void => {};
  const { journal, path } = makeJournal({
    openFile: async (name) => {
      const handle = await open(name, 'a+');
      const { datasync } = handle;
      handle.datasync = async () => {
        await datasync.apply(handle);
        later();
      };
      return handle;
    },
  });
  const appended = new Promise<void>((resolve) => {
    later = async () => {
      later = () => {};
      for (let turn = 0; turn < turns; turn++) await null;
      journal.append(begun(2));
      resolve();
    };
  });
  journal.append(begun(1));
  await appended;
  await new Promise((resolve) => setImmediate(resolve)); // So that no `written` of the test's own keeps it going.
  await journal.written();
  expect(idsIn(textOf(path))).toEqual([1, 2]);
});

test('a torn last line is ended before anything is written behind it', async () => {
  const { journal, path } = makeJournal();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '{"at":"2026-11-26T02:15:19.000Z","type":"rollout-be');
  journal.append(started);
  journal.append(begun(5));
  await journal.close();
  expect(idsIn(textOf(path))).toEqual([5]);
  expect(parseJournal(textOf(path))).toMatchObject({ entries: [{ type: 'master-started' }, {}], faults: 0 });
});

test('it is bounded: two files, and the latest entries are in them', async () => {
  const { journal, path } = makeJournal({ maxBytes: 4_000 });
  for (const id of numbers(1, 200)) {
    journal.append(begun(id));
    await journal.written();
  }
  await journal.close();
  for (const file of [path, `${path}.1`]) expect(statSync(file).size).toBeLessThanOrEqual(4_000);
  const kept = [...idsIn(textOf(`${path}.1`)), ...idsIn(textOf(path))];
  expect(kept).toEqual(numbers(201 - kept.length, 200));
  expect(kept.length).toBeGreaterThan(30);
});

/** Takes so many bytes of the next entry, and says then that it is full; `mended` gives it room. */
function fullDisk(takes: number): {
  openFile: (path: string) => Promise<FileHandle>;
  mended: () => void;
  fill: () => void;
} {
  let full = true;
  return {
    mended: () => {
      full = false;
    },
    fill: () => {
      full = true;
    },
    openFile: async (path) => {
      const handle = await open(path, 'a+');
      const { appendFile } = handle;
      handle.appendFile = async (data, ...rest) => {
        if (!full) return appendFile.call(handle, data, ...rest);
        appendFileSync(path, (data as Buffer).subarray(0, takes));
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      };
      return handle;
    },
  };
}

test('a full disk is told once; with room again, all that waited is written, whole and once', async () => {
  const disk = fullDisk(20);
  const { journal, path, told } = makeJournal({ openFile: disk.openFile });
  for (const id of numbers(1, 5)) {
    journal.append(begun(id));
    await journal.written();
  }
  expect(told).toEqual(['ENOSPC: no space left on device, write']);
  expect(textOf(path), 'what was written in part is taken back').toBe('');
  disk.mended();
  journal.append(begun(6));
  await journal.close();
  expect(idsIn(textOf(path))).toEqual(numbers(1, 6));
  expect(parseJournal(textOf(path)).faults).toBe(0);
});

test('what a full disk leaves waiting is bounded: what finds no room is counted', async () => {
  const disk = fullDisk(0);
  const { journal, path } = makeJournal({ openFile: disk.openFile, maxWaitingBytes: 1_000 });
  for (const id of numbers(1, 100)) {
    journal.append(begun(id));
    await journal.written();
  }
  disk.mended();
  journal.append(begun(101)); // No room for it either, and it has the others written.
  await journal.written();
  journal.append(begun(102));
  await journal.close();
  const { entries } = parseJournal(textOf(path));
  const kept = idsIn(textOf(path));
  expect(kept).toEqual([...numbers(1, kept.length - 1), 102]);
  expect(entries.filter(({ type }) => type === 'gap')).toMatchObject([{ count: 102 - kept.length }]);
});

test('a folder that cannot be written is told once, and nothing is thrown', async () => {
  const path = join(temporaryFolder(), 'file', 'shop.jsonl');
  writeFileSync(dirname(path), 'no folder');
  const told: string[] = [];
  const journal = new Journal({ path, failed: (why) => told.push(why) });
  journal.append(begun(1));
  await journal.written();
  journal.append(begun(2));
  await journal.close();
  expect(told).toEqual([expect.stringContaining('ENOTDIR')]);
});

test('a disk that hangs keeps no master from ending', async () => {
  const { journal } = makeJournal({ openFile: () => new Promise(() => {}) });
  journal.append(begun(1));
  await journal.close();
});

test('it writes through no link: who could lay one would have the master write elsewhere', async () => {
  const { journal, path, told } = makeJournal();
  const elsewhere = join(temporaryFolder(), 'elsewhere');
  writeFileSync(elsewhere, '');
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(elsewhere, path);
  journal.append(begun(1));
  await journal.close();
  expect([textOf(elsewhere), told]).toEqual(['', [expect.stringContaining('ELOOP')]]);
});

test('a file that was moved away or removed meanwhile is begun anew', async () => {
  const { journal, path } = makeJournal();
  journal.append(begun(1));
  await journal.written();
  renameSync(path, `${path}.mine`);
  journal.append(begun(2));
  await journal.written();
  rmSync(dirname(path), { recursive: true });
  journal.append(begun(3));
  await journal.close();
  expect(idsIn(textOf(path))).toEqual([3]);
});

test('a file that somebody has cut is written on from its new end, also after a full disk', async () => {
  const disk = fullDisk(20);
  const { journal, path } = makeJournal({ openFile: disk.openFile });
  disk.mended();
  journal.append(begun(1));
  await journal.written();
  truncateSync(path);
  disk.fill();
  journal.append(begun(2));
  await journal.written();
  disk.mended();
  journal.append(begun(3));
  await journal.close();
  expect(textOf(path)).not.toContain('\u0000');
  expect(idsIn(textOf(path))).toEqual([2, 3]);
});

test('the last id is found, also where the younger file has none yet or is not there', async () => {
  const { journal, path } = makeJournal();
  expect(pastAt(path).lastRolloutId).toBe(0);
  journal.append(begun(41));
  journal.append(begun(42));
  await journal.close();
  expect(pastAt(path).lastRolloutId).toBe(42);
  renameSync(path, `${path}.1`);
  expect(pastAt(path).lastRolloutId).toBe(42);
  writeFileSync(path, '\u0000\u0000');
  expect(pastAt(path).lastRolloutId).toBe(42);
});
