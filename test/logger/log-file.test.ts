/** One log file, over a real folder. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { archivesOf } from '../../src/cli/logs/files.js';
import { LogFile } from '../../src/logger/log-file.js';
import type { LogRotation } from '../../src/shared/config.js';
import { parseIndex } from '../../src/shared/log-index.js';
import { indexPath } from '../../src/shared/log-names.js';
import { temporaryFolder } from '../helpers/cleanup.js';
import { textOf } from '../helpers/shouts.js';
import { until } from '../helpers/until.js';

const NEVER: LogRotation = { maxSizeBytes: null, maxAgeMs: null, keep: 5, compress: true };
const FIRST = { slot: 0, generation: 1 };
const OTHER = { slot: 1, generation: 1 };

function scene(rotation: Partial<LogRotation> = {}, before?: string) {
  const path = join(temporaryFolder(), 'logs', 'app.log');
  if (before !== undefined) {
    mkdirSync(join(path, '..'));
    writeFileSync(path, before);
  }
  let wentOn = 0;
  const file = new LogFile(
    { file: path, rotation: { ...NEVER, ...rotation } },
    { app: 'app', goOn: () => (wentOn += 1), changed() {} },
  );
  const push = (text: string, writer = FIRST): boolean =>
    file.push({ bytes: Buffer.from(text), writer, stream: 'out', at: 1_000 });
  return { path, file, push, wentOn: () => wentOn };
}

test('a line that its writer has not ended is not joined to the next one of another', async () => {
  const { path, file, push } = scene();
  push('half');
  push(' a line\n');
  push('unfinished');
  push('of another\n', OTHER);
  expect(await file.close(1_000)).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe('half a line\nunfinished\nof another\n');
  expect(
    parseIndex(readFileSync(indexPath(path), 'utf8')).map(({ offset, length, writer }) => [offset, length, writer]),
  ).toEqual([
    [0, 23, FIRST],
    [23, 11, OTHER],
  ]);
});

test('what a host that went down has cut short does not spoil the first line', async () => {
  const { path, file, push } = scene({}, 'cut sho');
  push('whole\n');
  await file.close(1_000);
  expect(readFileSync(path, 'utf8')).toBe('cut sho\nwhole\n');
});

test('a file is put aside before it grows beyond its size, compressed, and older ones are removed', async () => {
  const { path, file, push } = scene({ maxSizeBytes: 1_024, keep: 3 });
  const lines = Array.from({ length: 100 }, (_, index) => `${String(index).padStart(99, '.')}\n`);
  for (const line of lines) {
    push(line);
    await file.flush();
  }
  await file.close(1_000);
  expect(archivesOf(path).map(({ compressed }) => compressed)).toEqual([true, true, true]);
  expect(readFileSync(path).length).toBeLessThanOrEqual(1_024);
  expect(textOf(path)).toBe(lines.slice(-40).join(''));
  expect(readdirSync(join(path, '..')).filter((name) => name.endsWith('.idx'))).toHaveLength(4);
});

test('a file is put aside when it is old, by the next line', async () => {
  const { path, file, push } = scene({ maxAgeMs: 1, compress: false });
  push('old\n');
  await file.flush();
  const writtenBy = Date.now();
  await until('it is older than a millisecond', () => Date.now() > writtenBy + 1);
  push('new\n');
  await file.close(1_000);
  expect(readFileSync(path, 'utf8')).toBe('new\n');
  expect(textOf(path)).toBe('old\nnew\n');
});

test('a folder that does not let itself be written to holds up nobody; what found no room is told once it does', async () => {
  const { path, file, push, wentOn } = scene({}, '');
  await file.flush();
  const folder = join(path, '..');
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'a file in the place of the folder');
  file.reopen();
  const line = `${'x'.repeat(1023)}\n`;
  push(line);
  await until('it has noticed', () => file.trouble, Boolean);
  for (let i = 0; i < 5_000; i++) expect(push(line)).toBe(true);
  expect(file.dropped.lines).toBeGreaterThan(500);
  rmSync(folder);
  await until(
    'it is written again',
    () => file.trouble,
    (trouble) => trouble === null,
  );
  await until('they go on', wentOn, Boolean);
  await file.close(5_000);
  const written = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  expect(written).toHaveLength(5_001 - file.dropped.lines + 1);
  expect(JSON.parse(written.at(-1)!)).toMatchObject({
    kind: 'lines-dropped',
    lines: file.dropped.lines,
    name: 'zdsup',
  });
});

test('while the disk moves, a full queue stops who writes, and nothing is dropped', async () => {
  const { path, file, push, wentOn } = scene();
  const line = `${'x'.repeat(65_535)}\n`;
  let count = 0;
  while (push(line)) count += 1;
  expect(wentOn()).toBe(0);
  await until('there is room', wentOn, Boolean);
  push(line);
  await file.close(5_000);
  expect(existsSync(path) && readFileSync(path).length).toBe((count + 2) * 65_536);
  expect(file.dropped.lines).toBe(0);
});

test('what is written without a line`s end is put aside all the same, once it is longer than a line that is kept whole', async () => {
  const { path, file, push } = scene({ maxSizeBytes: 64 * 1_024, keep: 100, compress: false });
  const piece = 'x'.repeat(64 * 1_024 - 1);
  for (let count = 0; count < 40; count++) {
    push(piece);
    await file.flush();
  }
  await file.close(1_000);
  expect(readFileSync(path).length).toBeLessThanOrEqual(6 * 64 * 1_024);
  expect(textOf(path)).toBe(piece.repeat(40));
});

test('a line that has begun is ended in the file that it began in', async () => {
  const { path, file, push } = scene({ maxSizeBytes: 100, compress: false });
  for (const part of ['a line', ' of several parts'.repeat(10), ' is whole\n', 'next\n']) {
    push(part);
    await file.flush();
  }
  await file.close(1_000);
  expect(readFileSync(path, 'utf8')).toBe('next\n');
});

test('files that are put aside within one millisecond all stay', async () => {
  const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now());
  const { path, file, push } = scene({ maxSizeBytes: 10, compress: false });
  for (const line of ['the first\n', 'the second\n', 'the third\n', 'the fourth\n']) {
    push(line);
    await file.flush();
  }
  now.mockRestore();
  await file.close(1_000);
  expect(archivesOf(path)).toHaveLength(3);
  expect(textOf(path)).toBe('the first\nthe second\nthe third\nthe fourth\n');
});

test('a file that somebody has put another one in the place of is left, and that one written, without a word from anybody', async () => {
  const { path, file, push } = scene();
  push('before\n');
  await file.flush();
  renameSync(path, `${path}.1`);
  writeFileSync(path, '');
  await until('it has noticed', async () => {
    push('a line\n');
    await file.flush();
    return readFileSync(path, 'utf8') !== '';
  });
  await file.close(1_000);
  expect(readFileSync(path, 'utf8')).toBe('a line\n');
});
