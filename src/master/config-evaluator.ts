/**
 * Runs in a short-lived child of the master: imports one config file, which is user code, and returns plain data.
 * No module cache outlives it and its `process.exit` ends only itself.
 */
import { pathToFileURL } from 'node:url';

export type Evaluated =
  | { kind: 'config'; value: unknown }
  | { kind: 'empty' }
  | { kind: 'not-data'; key: string; type: string }
  | { kind: 'threw'; message: string; at: string | null };

const path = process.argv[2] ?? '';
try {
  const loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
  const value = await loaded.default;
  report(
    value === undefined || value === null || isEmptyModule(value)
      ? { kind: 'empty' }
      : (findCode(value, '') ?? { kind: 'config', value }),
  );
} catch (error) {
  report({ kind: 'threw', message: messageOf(error), at: placeOf(error) });
}

function report(result: Evaluated): void {
  process.send?.(result, undefined, undefined, () => process.exit(0));
}

/** A CommonJS file that sets no exports has an empty object as its default. */
function isEmptyModule(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** What cannot leave this process as data. */
function findCode(value: unknown, key: string): Evaluated | null {
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
    return { kind: 'not-data', key: key || 'the export', type: typeof value };
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, inner] of Object.entries(value)) {
    const found = findCode(inner, key === '' ? name : `${key}.${name}`);
    if (found) return found;
  }
  return null;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : String(error);
}

/** File and line, from the stack: in the user's file where it is in there. */
function placeOf(error: unknown): string | null {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const own = stack.split('\n').find((line) => line.includes(path));
  return (own ?? '').match(/(?:file:\/\/)?([^\s()]+:\d+)(?::\d+)?\)?$/)?.[1] ?? null;
}
