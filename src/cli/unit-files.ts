/**
 * Runs in the CLI. Unit files on disk. What zdsup writes begins with a line that names it and has a checksum of the rest: so one that was edited by hand, or was
 * never zdsup's, is told apart, and is not overwritten unasked.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { VERSION } from '../shared/version.cjs';

const FIRST_LINE = /^# Written by zdsup (\S+); edits below are kept unless --force is given; ([0-9a-f]{16})\n/;

/** `ours`: as zdsup wrote it. */
export type Found = { kind: 'none' } | { kind: 'ours' | 'edited' | 'foreign'; text: string };

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

export const sealed = (text: string): string =>
  `# Written by zdsup ${VERSION}; edits below are kept unless --force is given; ${checksum(text)}\n${text}`;

export function judge(text: string): Exclude<Found['kind'], 'none'> {
  const match = FIRST_LINE.exec(text);
  if (!match) return 'foreign';
  return checksum(text.slice(match[0].length)) === match[2] ? 'ours' : 'edited';
}

/** @throws where it cannot be read */
export function findUnit(path: string): Found {
  try {
    const text = readFileSync(path, 'utf8');
    return { kind: judge(text), text };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'none' };
    throw error;
  }
}

/** Whole, or not at all. */
export function writeUnit(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.zdsup-${process.pid}`;
  try {
    writeFileSync(temporary, text, { mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Lines that only one of two has, for people: the first few. */
export function differences(there: string, wanted: string, most = 6): string[] {
  const [a, b] = [there.split('\n'), wanted.split('\n')];
  const gone = a.filter((line) => !b.includes(line)).map((line) => `- ${line}`);
  const come = b.filter((line) => !a.includes(line)).map((line) => `+ ${line}`);
  const all = [...gone, ...come].filter(
    (line) => !line.startsWith('- # Written by') && !line.startsWith('+ # Written by'),
  );
  return all.length > most ? [...all.slice(0, most), `... ${all.length - most} more`] : all;
}
