/** What the workers of test/fixtures/shouting-app have written, read from the log files: is each line there, once, whole, in its place? */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { archivesOf } from '../../src/cli/logs/files.js';

export interface Shouts {
  lines: number;
  files: number;
  /** What is lost, torn or out of order, in words: the first of each worker. */
  wrong: string[];
  /** So many lines each worker says to have written, where it has ended by itself. */
  ends: Map<string, number>;
  /** What the master or zdsup has said in it. */
  others: string[];
}

const SHOUT = /^(\d+) (\d+) x{60}$/;
const END = /^(\d+) end (\d+)$/;
const REST = /^\d+ rests$/;

/** @param gaps lines may be missing, in one place or many, but none is torn or out of order */
export function shoutsIn(text: string, gaps = false): Omit<Shouts, 'files'> {
  const next = new Map<string, number>();
  const ends = new Map<string, number>();
  const wrong = new Map<string, string>();
  const others: string[] = [];
  let lines = 0;
  for (const line of text.split('\n')) {
    const shout = SHOUT.exec(line);
    const end = END.exec(line);
    if (shout) {
      lines += 1;
      const [, pid, number] = shout as unknown as [string, string, string];
      const wanted = next.get(pid) ?? 0;
      if (gaps ? Number(number) < wanted : Number(number) !== wanted)
        if (!wrong.has(pid)) wrong.set(pid, `${pid}: ${number} in the place of ${wanted}`);
      next.set(pid, Number(number) + 1);
    } else if (end) ends.set(end[1]!, Number(end[2]));
    else if (line !== '' && !REST.test(line)) others.push(line);
  }
  for (const [pid, count] of ends)
    if (!gaps && count !== (next.get(pid) ?? 0)) wrong.set(pid, `${pid}: ${next.get(pid)} lines of ${count}`);
  return { lines, wrong: [...wrong.values()], ends, others };
}

export const textOf = (path: string): string =>
  [
    ...archivesOf(path).map((archive) => {
      const bytes = readFileSync(archive.path);
      return archive.compressed ? gunzipSync(bytes) : bytes;
    }),
    existsSync(path) ? readFileSync(path) : Buffer.alloc(0),
  ].join('');

export const shoutsOf = (path: string, gaps = false): Shouts => ({
  ...shoutsIn(textOf(path), gaps),
  files: archivesOf(path).length + 1,
});
