/** Runs in the planner. Reads an env file as Node does, and tells of the lines that Node passes over in silence. */
import { parseEnv } from 'node:util';

export interface EnvFile {
  env: Record<string, string>;
  /** Lines that are neither empty, a comment nor `NAME=value`; from 1. */
  unread: number[];
}

export function readEnvFile(text: string): EnvFile {
  return { env: parseEnv(text) as Record<string, string>, unread: unreadLines(text) };
}

/** A value in quotes may go on over several lines, which are none of their own; quotes that never close quote nothing. */
function unreadLines(text: string): number[] {
  const unread: number[] = [];
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!.trim();
    if (line === '' || line.startsWith('#')) continue;
    const assigned = /^[^=\s][^=]*=\s*(?:(["'`])(.*))?/.exec(line);
    const [, quote, rest] = assigned ?? [];
    if (assigned === null) unread.push(index + 1);
    else if (quote !== undefined && !rest!.includes(quote)) {
      const end = lines.findIndex((later, at) => at > index && later.includes(quote));
      if (end !== -1) index = end;
    }
  }
  return unread;
}
